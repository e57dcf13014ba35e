import assert from "node:assert/strict";
import { test } from "node:test";
import { SseParser } from "../../web/src/sse.ts";

const stream =
  ": hello\n\nid: 7\nevent: notice\ndata: {\"a\":\ndata: 1}\n\nevent: text_delta\ndata:x\n\nid: 8\n\ndata\n\n";
const expected = [
  { id: "7", event: "notice", data: '{"a":\n1}' },
  { id: "", event: "text_delta", data: "x" },
  { id: "", event: "message", data: "" },
];

test("an event stream is read whole", () => {
  assert.deepEqual(new SseParser().push(stream), expected);
});

test("the pieces in which it arrives do not matter", () => {
  for (const text of [stream, stream.replaceAll("\n", "\r\n"), stream.replaceAll("\n", "\r") + "\n"]) {
    const parser = new SseParser();
    assert.deepEqual([...text].flatMap((character) => parser.push(character)), expected);
  }
});

test("an unfinished event is kept back", () => {
  const parser = new SseParser();
  assert.deepEqual(parser.push("data: a\n"), []);
  assert.deepEqual(parser.push("\n"), [{ id: "", event: "message", data: "a" }]);
});
