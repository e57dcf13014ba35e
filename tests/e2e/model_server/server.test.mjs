// The scripted model server itself: what it sends, and what it notices.
import assert from "node:assert/strict";
import { test } from "node:test";
import { problemsOf } from "./check.mjs";
import { startServer } from "./server.mjs";

const tools = [{ type: "function", function: { name: "shell" } }];
const ask = (server, messages, signal) =>
  fetch(`${server.url}/chat/completions`, { method: "POST", body: JSON.stringify({ model: "m", stream: true, tools, messages }), signal });
const prompt = (text) => [{ role: "system", content: "s" }, { role: "user", content: text }];

test("streams text and fragmented arguments, then the usage", async () => {
  const server = await startServer({ script: { turns: [{ text: "Hello you", calls: [{ name: "shell", arguments: { command: "ls -la" } }] }] } });
  const text = await (await ask(server, prompt("hi"))).text();
  const events = text.split("\n\n").filter(Boolean).map((event) => event.slice(6));
  assert.equal(events.pop(), "[DONE]");
  const parsed = events.map((event) => JSON.parse(event));
  const deltas = parsed.flatMap(({ choices }) => choices.map(({ delta }) => delta));
  assert.equal(deltas.map(({ content }) => content ?? "").join(""), "Hello you");
  const pieces = deltas.flatMap(({ tool_calls }) => tool_calls ?? []).map((call) => call.function.arguments);
  assert.ok(pieces.length > 2);
  assert.equal(pieces.join(""), '{"command":"ls -la"}');
  assert.ok(parsed.at(-1).usage.prompt_tokens > 0);
  await server.stop();
});

test("follows the run of the newest prompt, errors first", async () => {
  const server = await startServer({ script: "faults" });
  const first = await ask(server, prompt("are you busy?"));
  assert.deepEqual([first.status, first.headers.get("retry-after")], [429, "1"]);
  assert.equal((await ask(server, prompt("are you busy?"))).status, 503);
  assert.match(await (await ask(server, prompt("are you busy?"))).text(), /Here/);
  assert.match(await (await ask(server, prompt("html please"))).text(), /<html>/);
  await server.stop();
});

test("notices when the client goes away", async () => {
  const server = await startServer({ script: { turns: [{ hang: "before" }] } });
  const controller = new AbortController();
  const asked = ask(server, prompt("hi"), controller.signal).catch(() => {});
  while (!server.requests.length) await new Promise(setImmediate);
  controller.abort();
  await asked;
  while (!server.requests[0].gone) await new Promise(setImmediate);
  await server.stop();
});

test("finds what a strict server refuses", () => {
  const body = (messages) => ({ model: "m", stream: true, tools, messages: [...prompt("hi"), ...messages] });
  const call = (id, args = "{}", name = "shell") => ({ role: "assistant", content: null, tool_calls: [{ id, type: "function", function: { name, arguments: args } }] });
  const answered = (id) => ({ role: "tool", tool_call_id: id, content: "ok" });
  assert.deepEqual(problemsOf(body([])), []);
  assert.deepEqual(problemsOf(body([call("a"), answered("a")])), []);
  assert.match(problemsOf(body([call("a")]))[0], /a is not answered/);
  assert.match(problemsOf(body([call("a"), { role: "user", content: "x" }]))[0], /must be followed/);
  assert.match(problemsOf(body([call("a", "{"), answered("a")]))[0], /invalid tool call arguments/);
  assert.match(problemsOf(body([call("a", "{}", "fly"), answered("a")]))[0], /unknown tool fly/);
  assert.match(problemsOf(body([call("a"), { ...answered("a"), content: [] }]))[0], /not a string/);
  assert.match(problemsOf(body([{ role: "user", content: "x" }]))[0], /two user messages/);
});
