// A Jupyter kernel for TypeScript and JavaScript, made of Node alone: the daemon writes this file
// into the folder of a kernel and starts it there as `node kernel.cjs connection.json`.
//
// The code runs on the main thread, by way of V8's own console (Runtime.evaluate with replMode),
// which keeps const, let and class between runs, lets them be declared anew, and knows await at the
// top level. A worker thread speaks with the daemon (ZMTP 3.0 over unix sockets, rfc.zeromq.org/23),
// so that output gets out and an interrupt gets in while the code is in an endless loop.
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { Session } = require('node:inspector');
const { createHmac, randomUUID } = require('node:crypto');
const { StringDecoder } = require('node:string_decoder');
const fs = require('node:fs');
const net = require('node:net');
const nodeModule = require('node:module');
const path = require('node:path');
const url = require('node:url');
const util = require('node:util');
const vm = require('node:vm');

// What may be on its way to the daemon before the code has to wait: characters, and for each piece
// about what it costs besides. An interrupt comes behind all of it.
const mostPending = 1 << 18;
const pieceCost = 100;
const pngSignature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

if (isMainThread) runCode();
else speak();

// ---- The main thread: the code ----

function runCode() {
  const pending = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(__filename, {
    workerData: { connection: process.argv[2], pending },
    execArgv: ['--expose-internals'],  // for the parser that Node itself uses in its REPL
  });
  const post = (message) => worker.postMessage(message);
  const session = new Session();
  session.connect();
  let current = 0;

  const drain = (limit, milliseconds) => {
    const end = Date.now() + milliseconds;
    for (let load; (load = Atomics.load(pending, 0)) > limit && Date.now() < end;) {
      Atomics.wait(pending, 0, load, 50);
    }
  };
  for (const name of ['stdout', 'stderr']) {
    const decoder = new StringDecoder('utf8');
    process[name].write = (chunk, encoding, done) => {
      const text = typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk));
      Atomics.add(pending, 0, text.length + pieceCost);
      post({ type: 'stream', name, text });
      drain(mostPending, 10_000);
      const callback = typeof encoding === 'function' ? encoding : done;
      if (callback) process.nextTick(callback);
      return true;
    };
  }
  process.on('exit', () => drain(0, 1000));
  process.on('uncaughtException', (error) => process.stderr.write(`Uncaught, after its run: ${errorText(error)}\n`));

  const show = (value) => (isPng(value) ? { 'image/png': Buffer.from(value).toString('base64'), 'text/plain': `<PNG of ${value.length} bytes>` }
    : { 'text/plain': typeof value === 'string' ? value : util.inspect(value, { depth: 4, breakLength: 100 }) });
  const workspace = path.join(process.cwd(), '[code]');
  globalThis.require = nodeModule.createRequire(workspace);
  globalThis.display = (value) => post({ type: 'display', data: show(value) });
  const hold = Symbol.for('selfagent.value');
  Object.defineProperty(globalThis, '__import', { value: importer(workspace), enumerable: false });

  const finish = (run, message) => {
    if (run === 0 || run !== current) return;
    current = 0;
    post({ type: 'end', ...message });
  };

  // V8 tells of a value by an id; a function that is called with it gets the value itself.
  const valueOf = (remote, use) => {
    if (remote.objectId === undefined) {
      return use(remote.unserializableValue === undefined ? remote.value : vm.runInThisContext(remote.unserializableValue));
    }
    Object.defineProperty(globalThis, hold, { value: use, configurable: true });
    session.post('Runtime.callFunctionOn', {
      objectId: remote.objectId,
      arguments: [{ objectId: remote.objectId }],
      functionDeclaration: 'function(value) { globalThis[Symbol.for("selfagent.value")](value); }',
    }, (error) => { if (error) use(remote.description); });
    delete globalThis[hold];
  };

  const evaluate = ({ run, code, name }) => {
    current = run;
    session.post('Runtime.evaluate', {
      expression: `${code}\n//# sourceURL=${name}`,
      replMode: true, awaitPromise: true, objectGroup: 'run', userGesture: false,
    }, (error, reply) => {
      if (error) return finish(run, { error: { ename: 'Interrupted', text: 'Interrupted' } });
      const failure = reply.exceptionDetails;
      valueOf(failure ? failure.exception ?? reply.result : reply.result, (value) => {
        if (failure) {
          let text = errorText(value);
          // A syntax error has no frame in the code.
          if (value instanceof SyntaxError && !text.includes(name)) {
            text += `\n    at ${name}:${failure.lineNumber + 1}:${failure.columnNumber + 1}`;
          }
          finish(run, { error: { ename: value?.name ?? 'Error', text } });
        } else if (value === undefined) {
          finish(run, {});
        } else {
          finish(run, { data: isPng(value) ? show(value) : { 'text/plain': util.inspect(value, { depth: 4, breakLength: 100 }) } });
        }
      });
      session.post('Runtime.releaseObjectGroup', { objectGroup: 'run' });
    });
  };

  worker.on('message', (message) => {
    if (message.type === 'evaluate') return evaluate(message);
    // What the code waits for may go on; nobody waits for it any more.
    finish(current, { error: { ename: 'Interrupted', text: 'Interrupted' } });
    post({ type: 'interrupted' });
  });
  worker.on('error', (error) => {
    fs.writeSync(2, `${error?.stack ?? error}\n`);
    process.exit(70);
  });
}

function isPng(value) {
  return value instanceof Uint8Array && pngSignature.equals(value.subarray(0, pngSignature.length));
}

// The stack ends where the code does: below are V8's console and this file.
function errorText(error) {
  if (!util.types.isNativeError(error)) return `Uncaught ${util.inspect(error)}`;
  const frame = /^\s+at /;
  const lines = [];
  let below = false;
  for (const line of util.inspect(error).split('\n')) {
    below = frame.test(line) && (below || /^\s+at (Session\.post \(node:inspector|.*\/selfagent-kernel-)/.test(line));
    if (!below) lines.push(line);
    else if (line.endsWith(' {')) lines.push(`${lines.pop()} {`);  // what the error has besides
  }
  return lines.join('\n');
}

// Modules are found from the workspace, not from where this file is.
function importer(workspace) {
  const loader = vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  if (loader !== undefined) {
    return new vm.Script('(name, options) => import(name, options)', { filename: workspace, importModuleDynamically: loader }).runInThisContext();
  }
  return (name) => {
    if (nodeModule.builtinModules.includes(name) || /^(node|data|file|https?):/.test(name)) return import(name);
    const file = /^\.{0,2}\//.test(name) ? path.resolve(path.dirname(workspace), name) : nodeModule.createRequire(workspace).resolve(name);
    return import(url.pathToFileURL(file).href);
  };
}

// ---- The worker: the daemon ----

function speak() {
  const connection = JSON.parse(fs.readFileSync(workerData.connection, 'utf8'));
  const { key, language } = connection;
  const typescript = language === 'typescript';
  const address = (port) => `${connection.ip}-${port}`;
  const debuggerSession = new Session();
  debuggerSession.connectToMainThread();
  const maps = new Map();
  const transform = typescript ? translator(connection.esbuild) : undefined;
  let counter = 0;
  let request;  // the message that is being answered
  let ended;    // resolves the run
  let interruptTimer;
  let held = [];  // output that waits for more of its kind
  let heldName = '';
  let heldLength = 0;

  const encode = (type, content, parent) => {
    const texts = [
      { msg_id: randomUUID(), msg_type: type, session: key.slice(0, 8), username: 'kernel', date: new Date().toISOString(), version: '5.3' },
      parent?.header ?? {}, {}, content,
    ].map((part) => JSON.stringify(part));
    return ['<IDS|MSG>', sign(texts), ...texts].map((text) => Buffer.from(text));
  };
  const sign = (texts) => texts.reduce((hmac, text) => hmac.update(text), createHmac('sha256', key)).digest('hex');
  const decode = (frames) => {
    const begin = frames.findIndex((frame) => frame.toString() === '<IDS|MSG>');
    const texts = frames.slice(begin + 2, begin + 6);
    if (begin < 0 || texts.length < 4 || frames[begin + 1].toString() !== sign(texts)) return undefined;
    return { header: JSON.parse(texts[0]), content: JSON.parse(texts[3]) };
  };

  const iopub = listen(address(connection.iopub_port), 'PUB', () => {});
  const publish = (type, content, done) => iopub(encode(type, content, request), done);
  const flush = () => {
    if (held.length === 0) return;
    const text = held.join('');
    const cost = text.length + held.length * pieceCost;
    held = [];
    heldLength = 0;
    publish('stream', { name: heldName, text }, () => {
      Atomics.sub(workerData.pending, 0, cost);
      Atomics.notify(workerData.pending, 0);
    });
  };

  const execute = async (content) => {
    counter += 1;
    const name = `run-${counter}.${typescript ? 'ts' : 'js'}`;
    let end;
    try {
      const { code, map } = typescript ? await transform(content.code, name) : { code: content.code };
      if (map) maps.set(name, new nodeModule.SourceMap(map));
      end = await new Promise((resolve) => {
        ended = resolve;
        parentPort.postMessage({ type: 'evaluate', run: counter, code: rewritten(code), name });
      });
    } catch (error) {
      end = { error: { ename: error.name, text: error.message } };
    }
    flush();
    if (end.data) publish('execute_result', { execution_count: counter, data: end.data, metadata: {} });
    if (!end.error) return { status: 'ok', execution_count: counter, payload: [], user_expressions: {} };
    const text = original(end.error.text, maps);
    const failure = { ename: end.error.ename, evalue: text.split('\n')[0], traceback: text.split('\n') };
    publish('error', failure);
    return { status: 'error', execution_count: counter, ...failure };
  };

  const about = {
    status: 'ok', protocol_version: '5.3', implementation: 'selfagent', implementation_version: '1', banner: '',
    language_info: { name: language, version: process.version, mimetype: `text/${language}`, file_extension: typescript ? '.ts' : '.js' },
  };
  const answers = { kernel_info_request: () => about, execute_request: execute };
  let last = Promise.resolve();
  const shell = listen(address(connection.shell_port), 'ROUTER', (frames, reply) => {
    const message = decode(frames);
    const answer = answers[message?.header.msg_type];
    if (!answer) return;
    last = last.then(async () => {
      request = message;
      publish('status', { execution_state: 'busy' });
      const content = await answer(message.content);
      reply(encode(message.header.msg_type.replace('_request', '_reply'), content, message));
      publish('status', { execution_state: 'idle' });
    });
  });
  listen(address(connection.control_port), 'ROUTER', (frames, reply) => {
    const message = decode(frames);
    if (message?.header.msg_type === 'kernel_info_request') {  // here it is answered while code runs, too
      for (const state of ['busy', 'idle']) iopub(encode('status', { execution_state: state }, message));
      return reply(encode('kernel_info_reply', about, message));
    }
    if (message?.header.msg_type !== 'interrupt_request') return;
    parentPort.postMessage({ type: 'interrupt' });
    // Code that lets no message in is in a loop.
    interruptTimer ??= setTimeout(() => {
      interruptTimer = undefined;
      debuggerSession.post('Runtime.terminateExecution');
    }, 200);
    reply(encode('interrupt_reply', { status: 'ok' }, message));
  });

  parentPort.on('message', (message) => {
    if (message.type === 'stream') {
      if (held.length > 0 && heldName !== message.name) flush();
      if (held.length === 0) setTimeout(flush, 10);
      heldName = message.name;
      held.push(message.text);
      heldLength += message.text.length + pieceCost;
      if (heldLength >= mostPending / 4) flush();
      return;
    }
    flush();
    if (message.type === 'display') publish('display_data', { data: message.data, metadata: {}, transient: {} });
    if (message.type === 'end') ended?.(message);
    if (message.type === 'interrupted') {
      clearTimeout(interruptTimer);
      interruptTimer = undefined;
    }
  });
}

// Listens as one end of ZeroMQ. `take` gets the frames of each message and a function that answers.
// Returns a function that sends frames to everybody who is connected.
function listen(file, type, take) {
  const peers = new Set();
  const name = Buffer.from('Socket-Type');
  const ready = Buffer.concat([Buffer.from('\x05READY'), Buffer.from([name.length]), name, Buffer.from([0, 0, 0, type.length]), Buffer.from(type)]);
  const greeting = Buffer.alloc(64);
  greeting[0] = 0xff;
  greeting[9] = 0x7f;
  greeting[10] = 3;
  greeting.write('NULL', 12);
  const send = (socket, frames, done) => {
    const parts = [];
    frames.forEach((frame, i) => {
      const head = Buffer.alloc(frame.length > 255 ? 9 : 2);
      head[0] = (i + 1 < frames.length ? 1 : 0) | (frame.length > 255 ? 2 : 0);
      if (frame.length > 255) head.writeBigUInt64BE(BigInt(frame.length), 1);
      else head[1] = frame.length;
      parts.push(head, frame);
    });
    socket.write(Buffer.concat(parts), done);
  };
  net.createServer((socket) => {
    let bytes = Buffer.alloc(0);
    let greeted = false;
    let frames = [];
    socket.write(greeting);
    socket.on('error', () => {});
    socket.on('close', () => peers.delete(socket));
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (!greeted) {
        if (bytes.length < 64) return;
        bytes = bytes.subarray(64);
        greeted = true;
        socket.write(Buffer.concat([Buffer.from([4, ready.length]), ready]));
      }
      while (bytes.length >= 2) {
        const long = (bytes[0] & 2) !== 0;
        if (long && bytes.length < 9) return;
        const size = long ? Number(bytes.readBigUInt64BE(1)) : bytes[1];
        const begin = long ? 9 : 2;
        if (bytes.length < begin + size) return;
        const flags = bytes[0];
        const body = bytes.subarray(begin, begin + size);
        bytes = bytes.subarray(begin + size);
        if (flags & 4) {
          peers.add(socket);  // READY
          continue;
        }
        frames.push(body);
        if (flags & 1) continue;
        const message = frames;
        frames = [];
        take(message, (answer) => send(socket, answer));
      }
    });
  }).listen(file);
  return (frames, done) => {
    if (peers.size === 0) done?.();
    for (const peer of peers) send(peer, frames, done);
  };
}

// ---- Code as V8's console takes it ----

// import statements become await, export is left out, and import() finds modules from the workspace.
function rewritten(code) {
  let tree;
  try {
    const parser = require('internal/deps/acorn/acorn/dist/acorn');
    tree = parser.parse(code, { ecmaVersion: 'latest', sourceType: 'module', allowAwaitOutsideFunction: true, allowHashBang: true });
  } catch {
    return code;  // V8 says what is wrong with it
  }
  const edits = [];
  const replace = (begin, end, text) => {
    // Lines keep their numbers.
    const lines = code.slice(begin, end).split('\n').length - text.split('\n').length;
    edits.push({ begin, end, text: text + '\n'.repeat(Math.max(lines, 0)) });
  };
  for (const node of tree.body) {
    if (node.type === 'ImportDeclaration') replace(node.start, node.end, importText(node));
    if (node.type === 'ExportNamedDeclaration' && node.declaration) replace(node.start, node.declaration.start, '');
    if (node.type === 'ExportNamedDeclaration' && !node.declaration && !node.source) replace(node.start, node.end, '');
    if (node.type === 'ExportDefaultDeclaration') replace(node.start, node.declaration.start, '');
  }
  walk(tree, (node) => {
    if (node.type === 'ImportExpression') replace(node.start, node.start + 'import'.length, '__import');
  });
  edits.sort((a, b) => b.begin - a.begin);
  for (const { begin, end, text } of edits) code = code.slice(0, begin) + text + code.slice(end);
  return code;
}

function importText(node) {
  const attributes = (node.attributes ?? []).map(({ key, value }) => `${key.raw ?? key.name}: ${value.raw}`);
  const call = `await __import(${node.source.raw}${attributes.length > 0 ? `, { with: { ${attributes.join(', ')} } }` : ''})`;
  const named = [];
  const statements = [];
  for (const specifier of node.specifiers) {
    const local = specifier.local.name;
    if (specifier.type === 'ImportNamespaceSpecifier') statements.push(`const ${local} = ${call};`);
    else if (specifier.type === 'ImportDefaultSpecifier') named.push(`default: ${local}`);
    else named.push(`${specifier.imported.raw ?? specifier.imported.name}: ${local}`);
  }
  if (named.length > 0) statements.push(`const { ${named.join(', ')} } = ${call};`);
  return statements.length > 0 ? statements.join(' ') : `${call};`;
}

function walk(node, visit) {
  if (Array.isArray(node)) return node.forEach((each) => walk(each, visit));
  if (node === null || typeof node !== 'object' || typeof node.type !== 'string') return;
  visit(node);
  for (const value of Object.values(node)) walk(value, visit);
}

// Returns what turns TypeScript into JavaScript: esbuild where there is one, otherwise Node itself.
function translator(programs) {
  const options = {
    loader: 'ts', target: 'esnext', sourcemap: 'external', logLevel: 'silent',
    // Imports stay even if this run does not use them: the next one may. The second is the older word.
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, preserveValueImports: true } },
  };
  const found = esbuildLibrary(programs);
  if (found) {
    const esbuild = require(found);
    return async (code, name) => {
      try {
        const result = await esbuild.transform(code, { ...options, sourcefile: name });
        return { code: result.code, map: JSON.parse(result.map) };
      } catch (error) {
        const problems = error.errors ?? [];
        if (problems.length === 0) throw error;
        const lines = problems.map(({ text, location }) => `SyntaxError: ${text}${location ? `\n    at ${name}:${location.line}:${location.column + 1}\n${location.lineText}` : ''}`);
        throw Object.assign(new SyntaxError(lines.join('\n')), { name: 'SyntaxError' });
      }
    };
  }
  if (nodeModule.stripTypeScriptTypes) {
    return async (code) => ({ code: nodeModule.stripTypeScriptTypes(code, { mode: 'transform' }) });
  }
  return async () => {
    throw new Error(`TypeScript needs esbuild here, because this Node (${process.version}) cannot take types out: apt-get install esbuild`);
  };
}

// The library of an esbuild program: beside it in npm's packages, elsewhere in Debian's.
function esbuildLibrary(programs) {
  const exists = (file) => fs.existsSync(file);
  const installed = process.env.PATH.split(':').map((folder) => path.join(folder, 'esbuild'));
  for (const program of [...installed, ...programs].filter(exists)) {
    const beside = path.join(path.dirname(fs.realpathSync(program)), '../lib/main.js');
    if (exists(beside)) return beside;
    const folders = ['/usr/share/nodejs', ...fs.readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/nodejs`)];
    const packaged = folders.map((folder) => path.join(folder, 'esbuild/lib/main.js')).find(exists);
    if (packaged === undefined) continue;
    process.env.ESBUILD_BINARY_PATH = program;  // of this thread alone
    return packaged;
  }
  return undefined;
}

// `text` with the places of the TypeScript instead of those of the JavaScript.
function original(text, maps) {
  return text.replace(/(run-\d+\.ts):(\d+):(\d+)/g, (place, name, line, column) => {
    const entry = maps.get(name)?.findEntry(line - 1, column - 1);
    return entry?.originalLine === undefined ? place : `${name}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}
