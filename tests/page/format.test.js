import assert from "node:assert/strict";
import { test } from "node:test";
import { argumentDetail, argumentSummary, duration, size, ticking } from "../../web/src/format.ts";
import { tokenOf } from "../../web/src/login_view.ts";
import { slashComplete, slashMatches } from "../../web/src/slash.ts";

test("durations", () => {
  const cases = [[-5, "0 ms"], [420, "420 ms"], [999, "1.0 s"], [3_240, "3.2 s"], [41_900, "41 s"], [125_000, "2:05"], [3_725_000, "1:02:05"]];
  for (const [ms, expected] of cases) assert.equal(duration(ms), expected);
  assert.equal(ticking(999), "0 s");
  assert.equal(ticking(60_000), "1:00");
});

test("sizes", () => {
  const cases = [[0, "0 bytes"], [999, "999 bytes"], [4_200, "4.2 kB"], [37_400, "37 kB"], [1_500_000, "1.5 MB"], [2e9, "2.0 GB"]];
  for (const [bytes, expected] of cases) assert.equal(size(bytes), expected);
});

test("arguments on one line, as the command line takes them", () => {
  const summary = (args) => argumentSummary(args);
  assert.deepEqual(summary({ x: 1, y: 2, button: "left" }), { text: "x=1 y=2 button=left", complete: true });
  assert.deepEqual(summary({ text: "a b", keys: [] , empty: "" }), { text: 'text="a b" keys=[] empty=""', complete: true });
  assert.deepEqual(summary({ code: "one\ntwo" }), { text: 'code="one …"', complete: false });
  assert.equal(summary({ text: "x".repeat(100) }).complete, false);
  assert.ok(summary(Object.fromEntries([..."abcdefgh"].map((key) => [key, "y".repeat(40)]))).text.length <= 140);
  assert.deepEqual(summary({}), { text: "", complete: true });
});

test("arguments in full", () => {
  assert.equal(argumentDetail({ language: "python", code: "a\nb\n" }), "language: python\ncode:\na\nb");
});

test("slash commands complete their name only", () => {
  const names = (text) => slashMatches(text).map((command) => command.name);
  assert.deepEqual(names("/"), ["/help", "/screenshot", "/click", "/type", "/key", "/shell"]);
  assert.deepEqual(names("/S"), ["/screenshot", "/shell"]);
  for (const text of ["", "hello", "/shell ", "/shell ls", " /", "/zzz"]) assert.deepEqual(names(text), []);
  assert.ok(slashComplete("/help"));
  assert.ok(!slashComplete("/click"));
});

test("the token is found in a fragment and in a whole login link", () => {
  assert.equal(tokenOf("#token=abc"), "abc");
  assert.equal(tokenOf("http://127.0.0.1:8080/#token=a%2Bb"), "a+b");
  assert.equal(tokenOf("#conversation=c-1"), undefined);
  assert.equal(tokenOf("abc"), undefined);
});
