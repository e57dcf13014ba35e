// Terminals over /api/terminals: typed into, resized, read to the last byte by several readers and across a kill -9.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterEach } from "node:test";
import WebSocket from "ws";
import { run, test, until, useBox, within } from "./harness.mjs";
import { bearer, prepareTokens, tokens } from "./wire.mjs";

const box = useBox({ desktop: false, prepare: prepareTokens });

const opened = [];
afterEach(() => {
  for (const { socket } of opened.splice(0)) socket.terminate();
});

/** A terminal's WebSocket; it takes everything at once unless it is told to stall. */
class Viewer {
  static async open(id, from = "offset=0", { stall = false, headers = box.daemon.bearer } = {}) {
    const viewer = Object.assign(new Viewer(), { pieces: [], size: 0, texts: [], inOrder: true, stall });
    viewer.socket = new WebSocket(`ws://127.0.0.1:${box.daemon.port}/api/terminals/${id}?${from}`, { headers });
    viewer.socket.on("error", () => {}); // as after a refusal that nobody waits for any more
    opened.push(viewer);
    viewer.closed = new Promise((done) => viewer.socket.once("close", (number) => done(number)));
    viewer.socket.on("message", (bytes, binary) => viewer.take(bytes, binary));
    await within(30_000, "the WebSocket opens", new Promise((resolve, reject) => {
      viewer.socket.once("open", resolve);
      viewer.socket.once("error", reject);
    }));
    await viewer.said("attached");
    return viewer;
  }

  take(bytes, binary) {
    if (!binary) {
      const message = JSON.parse(bytes);
      if (message.type === "attached") this.next = message.offset;
      return this.texts.push(message);
    }
    const offset = Number(bytes.readBigUInt64BE(0) & ((1n << 63n) - 1n));
    this.inOrder &&= offset === this.next;
    this.next = offset + bytes.length - 8;
    this.pieces.push(bytes.subarray(8));
    this.size += bytes.length - 8;
    if (!this.stall) this.order({ type: "taken", offset: this.next });
  }

  /** Goes on with what it has not taken. */
  goOn() {
    this.stall = false;
    this.order({ type: "taken", offset: this.next });
  }

  order(order) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(order));
  }

  type(text) {
    this.socket.send(Buffer.from(text));
  }

  get bytes() {
    return Buffer.concat(this.pieces);
  }

  shows(text) {
    return until(`${JSON.stringify(text)} is shown`, () => this.bytes.includes(text));
  }

  said(type) {
    return until(`the message ${type}`, () => this.texts.find((message) => message.type === type));
  }
}

async function start(body = {}) {
  const answer = await box.daemon.post("/api/terminals", { rows: 24, columns: 80, ...body });
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

const status = async (id) => (await box.daemon.get(`/api/terminals/${id}`)).body;

test("a shell is typed into, knows its size, and is the sandbox user's as that of the tool", async () => {
  const { id } = await start({ rows: 30, columns: 90 });
  const viewer = await Viewer.open(id);
  viewer.type("stty size; echo $TERM $COLORTERM [$PAGER]; id -un; pwd\r");
  await viewer.shows("30 90\r\n");
  await viewer.shows("xterm-256color truecolor []\r\n");
  const user = (await box.daemon.shell("id -un; pwd")).match(/stdout:\n(.*)\n(.*)/);
  await viewer.shows(`${user[1]}\r\n${user[2]}\r\n`);

  viewer.order({ type: "resize", rows: 41, columns: 133 });
  viewer.type("stty size\r");
  await viewer.shows("41 133\r\n");

  // An interactive program with the terminal to itself: keys one by one, without an end of line.
  viewer.type("read -rsn3 -p \"$((1 + 2)) keys: \" keys; echo \"<$keys>\"\r");
  await viewer.shows("3 keys: ");
  for (const key of "xyz") viewer.type(key);
  await viewer.shows("<xyz>\r\n");
  assert.equal((await status(id)).running, "", "the shell waits for a command");
  viewer.type("cat\r");
  await until("cat runs", async () => (await status(id)).running === "cat");
  viewer.type("\x03");
  await until("cat was interrupted", async () => (await status(id)).running === "");
  viewer.type("exit 7\r");
  assert.equal(await within(30_000, "the WebSocket closes", viewer.closed), 1000);
  const last = viewer.texts.at(-1);
  assert.deepEqual([last.type, last.state, last.exit_code, last.output_end], ["state", "ended", 7, viewer.next]);
  assert.ok(viewer.inOrder);
});

test("another viewer hears of a new size", async () => {
  const { id } = await start();
  const [one, other] = [await Viewer.open(id), await Viewer.open(id)];
  one.order({ type: "resize", rows: 20, columns: 70 });
  const { rows, columns } = await other.said("size");
  assert.deepEqual([rows, columns], [20, 70]);
  assert.ok(!one.texts.some(({ type }) => type === "size"));
});

test("10 MB come to the last byte exactly once to each of two readers, one of which stalls, across a kill -9", async () => {
  const gate = join(box.daemon.workspace, "gate");
  const file = join(box.daemon.workspace, "written");
  // A part before the daemon is killed, a part while there is none, a part after.
  assert.equal((await run("mkfifo", [gate])).code, 0);
  const { id } = await start({
    command: `stty raw; seq 1 600000 | tee '${file}'; cat '${gate}'; seq 600001 1500000 | tee -a '${file}'`,
  });
  const early = await Viewer.open(id);
  const stalled = await Viewer.open(id, "offset=0", { stall: true });
  await until("half of it", () => early.size > 2_000_000);
  await until("a reader that shows nothing has got one window", () => stalled.size === 1 << 20);
  await box.daemon.stop("SIGKILL");
  await Promise.all([early.closed, stalled.closed]);
  await (await open(gate, "w")).close(); // cat has come to it, and ends: the rest is written without a daemon
  await box.daemon.start(`127.0.0.1:${box.daemon.port}`);

  const rest = await Viewer.open(id, `offset=${early.next}`);
  const stalledAgain = await Viewer.open(id, `offset=${stalled.next}`, { stall: true });
  assert.equal(await within(100_000, "the first reader is done", rest.closed), 1000);
  stalledAgain.goOn();
  assert.equal(await within(100_000, "the second reader is done", stalledAgain.closed), 1000);
  const expected = readFileSync(file);
  assert.ok(expected.length > 10_000_000, `${expected.length} bytes`);
  const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");
  for (const parts of [[early, rest], [stalled, stalledAgain]]) {
    assert.ok(parts.every(({ inOrder }) => inOrder));
    assert.equal(hash(Buffer.concat(parts.map(({ bytes }) => bytes))), hash(expected));
  }
});

test("a shell outlives a kill -9 of the daemon, with its content, and is listed", async () => {
  const { id } = await start();
  const before = await Viewer.open(id);
  before.type("x=still; echo before the $((40 + 2))\r");
  await before.shows("before the 42");
  await box.daemon.restart("SIGKILL");
  const { terminals } = (await box.daemon.get("/api/terminals")).body;
  const own = terminals.find((each) => each.id === id);
  assert.deepEqual([own.state, own.client, own.terminal, own.running], ["running", "page", true, ""]);
  const after = await Viewer.open(id);
  await after.shows("before the 42");
  after.type("echo $x here\r");
  await after.shows("still here");
  const tail = await Viewer.open(id, "tail=200");
  await tail.shows("still here"); // with what comes after it: the prompt
  assert.ok(tail.texts[0].offset > 0);
});

test("what the agent has started is shown too, typed into where it has a terminal, and ended", async () => {
  const started = await box.daemon.rpc("shell", { command: "echo asks; read line; echo got $line; sleep 1000", terminal: true, timeout_ms: 1 });
  const { id } = started.result.structuredContent;
  const viewer = await Viewer.open(id);
  await viewer.shows("asks");
  viewer.type("an answer\r");
  await viewer.shows("got an answer");
  assert.equal((await box.daemon.fetch(`/api/terminals/${id}`, { method: "DELETE" })).status, 202);
  assert.equal(await within(30_000, "it ends", viewer.closed), 1000);
  assert.equal((await status(id)).state, "ended");
  const again = await box.daemon.fetch(`/api/terminals/${id}`, { method: "DELETE" });
  assert.equal(again.status, 409);
  assert.match((await again.json()).error.message, /has ended/);

  const plain = await box.daemon.rpc("shell", { command: "echo out; echo err >&2; sleep 1000", timeout_ms: 1 });
  const reader = await Viewer.open(plain.result.structuredContent.id);
  await reader.shows("out\n");
  await reader.shows("err\n");
  reader.type("x");
  assert.match((await reader.said("error")).message, /has no terminal: its output can be read/);
  await box.daemon.tool("process_signal", { id: plain.result.structuredContent.id, signal: "KILL" });
});

test("who may not, and what cannot be, is refused in words", async () => {
  const { id } = await start();
  const refused = (path, headers, options = {}) =>
    fetch(`${box.daemon.url}${path}`, { headers: { "Content-Type": "application/json", ...headers }, ...options });
  const upgrade = (from, headers) =>
    Viewer.open(id, from, { headers }).then(() => "opened", (error) => error.message);
  for (const [headers, expected] of [[{}, 401], [bearer(tokens.look), 403], [bearer(tokens.code), 403]]) {
    assert.equal((await refused("/api/terminals", headers)).status, expected);
    assert.equal((await refused("/api/terminals", headers, { method: "POST", body: '{"rows":24,"columns":80}' })).status, expected);
    assert.equal((await refused(`/api/terminals/${id}`, headers, { method: "DELETE" })).status, expected);
    assert.match(await upgrade("offset=0", headers), new RegExp(`${expected}`));
  }
  // The page's cookie opens it, but not to another origin's page.
  const login = await refused("/api/login", {}, { method: "POST", body: JSON.stringify({ token: box.daemon.token }) });
  const cookie = login.headers.get("set-cookie").split(";")[0];
  assert.equal(await upgrade("offset=0", { Cookie: cookie, Origin: box.daemon.url }), "opened");
  assert.match(await upgrade("offset=0", { Cookie: cookie, Origin: "https://evil.example" }), /403/);

  const says = async (path, options, expected, words) => {
    const response = await box.daemon.fetch(path, options);
    assert.equal(response.status, expected);
    assert.match((await response.json()).error.message, words);
  };
  await says("/api/terminals/p99999", {}, 404, /there is no process "p99999": the newest are p/);
  for (const from of ["offset=-1", "offset=x", "offset=999999999", "tail=-1", "offset=0&tail=1"]) {
    assert.match(await upgrade(from, box.daemon.bearer), /400/, from);
  }
  for (const [body, words] of [
    [{}, /rows=\(missing\): it is a whole number from 1 to 1000/],
    [{ rows: 0, columns: 80 }, /rows=0/],
    [{ rows: 24, columns: 80, size: 1 }, /size/],
    [{ rows: 24, columns: 80, cwd: "/nowhere" }, /\/nowhere/],
  ]) {
    const answer = await box.daemon.post("/api/terminals", body);
    assert.equal(answer.status, body.cwd ? answer.status : 400, answer.text);
    assert.ok(answer.status >= 400, answer.text);
    assert.match(answer.body.error.message, words);
  }
  const viewer = await Viewer.open(id);
  viewer.order({ type: "resize", rows: 24 });
  assert.match((await viewer.said("error")).message, /columns=\(missing\)/);
  viewer.type("echo un$((1))harmed\r");
  await viewer.shows("un1harmed");
});

test("64 viewers may be open, and the next when one of them has gone", async () => {
  const { id } = await start();
  // Those of other tests may still be about to go.
  const openSoon = () => until("there is room", () => Viewer.open(id).catch(({ message }) => assert.match(message, /429/)));
  const viewers = await Promise.all(Array.from({ length: 64 }, openSoon));
  await assert.rejects(Viewer.open(id), /429/);
  viewers[0].type("echo to all $((60 + 4))\r");
  for (const viewer of viewers) await viewer.shows("to all 64");
  viewers[5].socket.close();
  await (await openSoon()).shows("to all 64");
});

test("what is typed is in no log of the daemon unless the program echoes it", async () => {
  const { id } = await start();
  const viewer = await Viewer.open(id);
  viewer.type("read -rs secret; echo \"got ${#secret} characters\"\r");
  await until("the shell reads", async () => viewer.bytes.includes("characters\"\r\n"));
  viewer.type("hunter2-hunter2\r");
  await viewer.shows("got 15 characters");
  const { code } = await run("grep", ["-r", "hunter2-hunter2", box.daemon.dataDir, box.daemon.log]);
  assert.equal(code, 1, "grep finds it nowhere");
});
