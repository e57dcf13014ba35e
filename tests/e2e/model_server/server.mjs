// An OpenAI-compatible model server that follows a script: streams text and fragmented tool calls, fails as told, and
// records every request with what was wrong about it.
//
//   node server.mjs [--port 0] [--script notes.json] [--record FILE] [--strict]
//
// prints {"url":"http://127.0.0.1:PORT/v1","model":"…"} when it listens. A script is {"model", "runs", "turns"}:
//   runs   [{"match": REGEX, "turns": [TURN…]}]: for the newest prompt that matches, TURN number (answers since it)
//   turns  [TURN…]: without a matching run, one after the other
//   positions how it answers about the test picture with the crosses: absolute (the default), thousand, unit, nonsense; this uses up
//          no turn, and stands in `calibrations`, not in `requests`
//   refuses {tools, images}: requests that have those are answered 400 with this message, and use up no turn
// A TURN is what the model answers once (in a script of a test also a function of the messages that returns one):
//   text (string, or array of pieces), reasoning, calls [{name, arguments}], finish_reason,
//   delay_ms between the pieces, wait_ms before the first byte, fragment (characters of arguments per event),
//   expect [REGEX…]: must be found in what came since the last answer, otherwise it is a problem,
//   before [TURN…]: served once each before this one (a 429 before the answer),
//   error {status, headers, body}, html (string or true), stream_error (object, after the text),
//   cut (true: the connection closes after the text), hang ("before" the first byte or "after" the text),
//   raw (string: the bytes of the answer's body), json (true: a plain body, no stream),
//   crlf, comments, no_done, no_finish, no_index, whole_calls (true): dialects.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { problemsOf, promptTokens, textOf } from "./check.mjs";

/** All that a TURN may have. */
export const turnMembers = ["text", "reasoning", "calls", "finish_reason", "delay_ms", "wait_ms", "fragment", "expect", "before", "error", "html",
  "stream_error", "cut", "hang", "raw", "json", "crlf", "comments", "no_done", "no_finish", "no_index", "whole_calls"];

const here = dirname(fileURLToPath(import.meta.url));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Reads a script by path, or by its name in this folder ("notes"). */
export function readScript(name) {
  const file = name.endsWith(".json") ? name : `${name}.json`;
  return JSON.parse(readFileSync(isAbsolute(file) ? file : join(here, file), "utf8"));
}

/** Where `pattern` was said last by the user: {at, position, index}, `index` being how many answers came after it. */
function newestPrompt(messages, pattern) {
  let found;
  messages.forEach((message, at) => {
    if (message.role !== "user") return;
    for (const match of textOf(message).matchAll(pattern)) found = { at, position: match.index };
  });
  return found && { ...found, index: messages.slice(found.at).filter(({ role }) => role === "assistant").length };
}

class Script {
  constructor(script) {
    this.script = script;
    this.next = 0;
    this.served = new Map(); // turn -> how many of its `before` were served
  }

  turnFor(messages) {
    let turn;
    let newest = { at: -1, position: -1 };
    for (const run of this.script.runs ?? []) {
      const said = newestPrompt(messages, new RegExp(run.match, "gi"));
      if (!said || said.at < newest.at || (said.at === newest.at && said.position <= newest.position)) continue;
      newest = said;
      turn = run.turns[said.index] ?? { text: "The script of this run has ended." };
    }
    if (typeof turn === "function") return turn(messages);
    turn ??= this.script.turns?.[this.next++] ?? { text: "The script has ended." };
    const served = this.served.get(turn) ?? 0;
    if (served < (turn.before?.length ?? 0)) {
      this.served.set(turn, served + 1);
      if (!this.script.runs) this.next--; // this turn is still to come
      return turn.before[served];
    }
    return turn;
  }
}

// Where the crosses are, in percent of the sides (daemon/tool/calibration_picture.cc).
const crosses = { A: [12, 18], B: [83, 11], C: [37, 46], D: [71, 63], E: [17, 86], F: [91, 89] };

/** The answer to the question about the crosses of the test picture, or undefined if it is not asked. */
function crossesTurn(messages, space = "absolute") {
  const [, width, height] = textOf(messages.at(-1) ?? {}).match(/^\[picture, (\d+)x(\d+)\][^]*six crosses/) ?? [];
  if (!width) return undefined;
  if (space === "nonsense") return { text: "I am a text model." };
  const [across, down] = { absolute: [width, height], thousand: [1000, 1000], unit: [1, 1] }[space].map(Number);
  const said = Object.entries(crosses).map(([letter, [x, y]]) => [letter, [Math.floor(width * x / 100) / width * across, Math.floor(height * y / 100) / height * down]]);
  return { text: `\`\`\`json\n${JSON.stringify(Object.fromEntries(said))}\n\`\`\`` };
}

function* chunks(turn, id) {
  const chunk = (delta, finish_reason = null) => ({ id, object: "chat.completion.chunk", created: 0, model: "scripted", choices: [{ index: 0, delta, finish_reason }] });
  yield chunk({ role: "assistant", content: turn.calls ? null : "" });
  for (const piece of (turn.reasoning ?? "").match(/[\s\S]{1,12}/g) ?? []) yield chunk({ reasoning_content: piece });
  const text = turn.text ?? "";
  for (const piece of Array.isArray(text) ? text : text.match(/\s*\S+|\s+$/g) ?? []) yield chunk({ content: piece });
  for (const [index, call] of (turn.calls ?? []).entries()) {
    const place = turn.no_index ? {} : { index };
    const head = { ...place, id: `call_${id}_${index}`, type: "function", ...call.extra };
    const words = typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments ?? {});
    if (turn.whole_calls) {
      yield chunk({ tool_calls: [{ ...head, function: { name: call.name, arguments: words } }] });
      continue;
    }
    yield chunk({ tool_calls: [{ ...head, function: { name: call.name, arguments: "" } }] });
    const size = turn.fragment ?? 9;
    for (let at = 0; at < words.length; at += size) {
      yield chunk({ tool_calls: [{ ...place, function: { arguments: words.slice(at, at + size) } }] });
    }
  }
  if (!turn.no_finish) yield chunk({}, turn.finish_reason ?? (turn.calls ? "tool_calls" : "stop"));
}

function wholeBody(turn, id, usage) {
  const calls = (turn.calls ?? []).map((call, index) => ({
    id: `call_${id}_${index}`,
    type: "function",
    function: { name: call.name, arguments: JSON.stringify(call.arguments ?? {}) },
  }));
  const text = [turn.text ?? ""].flat().join("");
  const message = { role: "assistant", content: text, ...(calls.length && { tool_calls: calls }) };
  return { id, object: "chat.completion", choices: [{ index: 0, message, finish_reason: calls.length ? "tool_calls" : "stop" }], usage };
}

async function answer(turn, id, usage, response) {
  await sleep(turn.wait_ms ?? 0);
  if (turn.hang === "before") return;
  const json = (status, body, headers = {}) =>
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(typeof body === "string" ? body : JSON.stringify(body));
  if (turn.error) return json(turn.error.status, turn.error.body ?? "", turn.error.headers);
  if (turn.html) {
    const page = turn.html === true ? "<!doctype html><html><head><title>Welcome</title></head><body>Welcome</body></html>" : turn.html;
    return response.writeHead(200, { "Content-Type": "text/html" }).end(page);
  }
  if (turn.json) return json(200, wholeBody(turn, id, usage));

  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  if (turn.raw !== undefined) return response.end(turn.raw);
  const end = turn.crlf ? "\r\n" : "\n";
  const send = (data) => response.write(`data: ${typeof data === "string" ? data : JSON.stringify(data)}${end}${end}`);
  for (const chunk of chunks(turn, id)) {
    if (response.destroyed) return;
    if (turn.comments) response.write(`: PROCESSING${end}${end}`);
    const last = chunk.choices[0].finish_reason !== null;
    if (last && (turn.cut || turn.hang || turn.stream_error)) break;
    send(chunk);
    await sleep(turn.delay_ms ?? 2);
  }
  if (turn.hang) return;
  if (turn.cut) return response.destroy();
  if (turn.stream_error) return response.end(`data: ${JSON.stringify(turn.stream_error)}${end}${end}`);
  send({ id, object: "chat.completion.chunk", choices: [], usage });
  if (!turn.no_done) send("[DONE]");
  response.end();
}

/**
 * Starts a server. Returns {url, env, script, requests, play, left, stop}; `requests` grows by {n, ts_ms, headers, body, problems,
 * usage, gone} with each completion, `gone` being true when the client closed the connection before the end. `play` gives
 * it another script.
 */
export async function startServer({ script = "notes", port = 0, record, strict = false } = {}) {
  let loaded = typeof script === "string" ? readScript(script) : script;
  let turns = new Script(loaded);
  const model = loaded.model ?? "scripted";
  const requests = [];
  const calibrations = [];
  const note = (line) => record && appendFileSync(record, `${JSON.stringify(line)}\n`);
  if (record) writeFileSync(record, "");

  const server = createServer(async (request, response) => {
    let text = "";
    for await (const piece of request.setEncoding("utf8")) text += piece;
    const json = (status, body) => response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    if (request.method === "GET" && request.url === "/v1/models") return json(200, { object: "list", data: [{ id: model, object: "model" }] });
    if (request.method !== "POST" || request.url !== "/v1/chat/completions") return json(404, { error: { message: `no route ${request.method} ${request.url}` } });
    let body;
    try {
      body = JSON.parse(text);
    } catch (error) {
      return json(400, { error: { message: `the body is not JSON: ${error.message}` } });
    }
    const messages = body.messages ?? [];
    const n = requests.length;
    const entry = { n, ts_ms: Date.now(), headers: request.headers, body, problems: problemsOf(body), usage: promptTokens(requests, body), gone: false };
    const refusal = (body.tools && loaded.refuses?.tools) || (JSON.stringify(messages).includes('"image_url"') && loaded.refuses?.images);
    const about = crossesTurn(messages, loaded.positions);
    if (about) {
      calibrations.push(body);
      return answer(about, `c${calibrations.length}`, entry.usage, response);
    }
    const turn = refusal ? { error: { status: 400, body: { error: { message: refusal } } } } : turns.turnFor(messages);
    const since = messages.slice(messages.findLastIndex(({ role }) => role === "assistant") + 1).map(textOf).join("\n");
    for (const pattern of turn.expect ?? []) {
      if (!new RegExp(pattern).test(since)) entry.problems.push(`expected /${pattern}/ in: ${since.slice(0, 400)}`);
    }
    requests.push(entry);
    note({ kind: "request", ...entry });
    response.on("close", () => {
      entry.gone = !response.writableFinished;
      note({ kind: "end", n, gone: entry.gone });
    });
    if (strict && entry.problems.length) return json(400, { error: { message: entry.problems.join("; "), type: "invalid_request_error" } });
    await answer(turn, `s${n}`, entry.usage, response);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/v1`;
  return {
    url,
    script: loaded,
    requests,
    calibrations,
    /** Begins anew with `next`: its turns, and no requests. */
    play(next) {
      loaded = next;
      turns = new Script(next);
      requests.length = 0;
    },
    /** How many of the script's turns (not of its runs) nobody has asked for. */
    left: () => Math.max(0, (loaded.turns ?? []).length - turns.next),
    env: { LLM_API_BASE_URL: url, LLM_MODEL: model, LLM_API_KEY: "sk-scripted" },
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "0" },
      script: { type: "string", default: "notes" },
      record: { type: "string" },
      strict: { type: "boolean", default: false },
    },
  });
  const { url, env } = await startServer({ ...values, port: Number(values.port) });
  console.log(JSON.stringify({ url, model: env.LLM_MODEL }));
}
