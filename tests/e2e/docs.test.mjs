// The commands of docs/protocol.md, run as they stand there, one after the other in one shell.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout, run, test, useBox } from "./harness.mjs";

const box = useBox({ windowManager: false });
const page = readFileSync(join(checkout, "docs/protocol.md"), "utf8");
const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text]) => text);

// What each block prints, in the order of the page.
const expected = [
  /"object":"chat\.completion".*"content":"[^"]*42/,
  /^\s*\{"offset":1000,"total":\d+\}\{"created":true,"size":\d+\}it has arrived\n/,
  /"id":1,"result":\{"content":\[\{"type":"text","text":"[^"]*1344x896/,
  /"resultType":"complete".*1344x896/,
  /"id":2,"result":\{"tools":\[\{"name":"screenshot"/,
  /"uriTemplate":"file:\/\/[^"]*\/workspace\/\{\+path\}".*"job:\/\/\{id\}\/log"/,
  /notifications\/subscriptions\/acknowledged.*"resourceSubscriptions":\["screen:\/\/current"\].*"io\.modelcontextprotocol\/subscriptionId":"s"/,
];

test("every command of docs/protocol.md does what the page says", async () => {
  assert.equal(blocks.length, expected.length);
  const script = blocks.map((block, index) => `printf '\\n=== ${index}\\n'\n${block}`).join("\n")
    .replaceAll("127.0.0.1:8080", `127.0.0.1:${box.daemon.port}`).replaceAll(/\bTOKEN\b/g, box.daemon.token)
    .replaceAll("--max-time 2 ", "--max-time 8 "); // for a reader the first line comes at once, not where much else runs
  const { code, out, err } = await run("bash", ["-euo", "pipefail", "-c", script], { env: box.daemon.env });
  assert.equal(code, 0, `${out}\n${err}`);
  const parts = out.split(/^=== \d+$/m).slice(1);
  expected.forEach((pattern, index) => assert.match(parts[index], pattern));
});

test("every json block of docs/protocol.md is JSON, line by line", () => {
  const lines = [...page.matchAll(/^```json\n([\s\S]*?)^```$/gm)].flatMap(([, text]) => text.trim().split("\n"));
  assert.ok(lines.length >= 5);
  for (const line of lines) JSON.parse(line.replaceAll("{…}", "{}"));
});

/** The names of the tests in a file of Catch2, of node:test or of checks in bash. */
function testsIn(file) {
  const text = readFileSync(join(checkout, file), "utf8");
  if (file.endsWith(".cc")) {
    return [...text.matchAll(/^TEST_CASE(?:_METHOD)?\((?:\w+,)?\s*((?:"(?:[^"\\]|\\.)*"[\s,]*)+)/gm)].map(([, names]) => names.match(/"((?:[^"\\]|\\.)*)"/)[1]);
  }
  if (file.endsWith(".mjs")) return [...text.matchAll(/\btest\(\s*(?:"([^"]+)"|`([^`]+)`)/g)].map(([, plain, template]) => plain ?? template);
  return [...text.matchAll(/^check "([^"]+)"/gm)].map(([, name]) => name);
}

test("every test that docs/testing.md names exists", () => {
  const table = readFileSync(join(checkout, "docs/testing.md"), "utf8");
  const named = [...table.matchAll(/`(tests\/[^`]+)`: (.*?)(?=<br>| \|$)/gm)].map(([, file, name]) => ({ file, name }));
  const rows = table.split("\n").filter((line) => /^\| (?!what must not happen)[^-]/.test(line));
  assert.ok(rows.length >= 45, `${rows.length} rows`);
  for (const row of rows) assert.match(row, /`tests\/[^`]+`: /);
  assert.deepEqual(named.filter(({ file, name }) => !testsIn(file).includes(name)), []);
});
