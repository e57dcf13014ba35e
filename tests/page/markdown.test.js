import assert from "node:assert/strict";
import { test } from "node:test";
import { parseInline, parseMarkdown, safeHref } from "../../web/src/markdown.ts";

const text = (value) => ({ type: "text", text: value });
const cases = [
  ["one\ntwo\n\nthree", [
    { type: "paragraph", children: [text("one"), { type: "break" }, text("two")] },
    { type: "paragraph", children: [text("three")] },
  ]],
  ["## Title ##", [{ type: "heading", level: 2, children: [text("Title")] }]],
  ["#hashtag", [{ type: "paragraph", children: [text("#hashtag")] }]],
  ["```sh\nls *\n\n# x\n```\nafter", [
    { type: "code", language: "sh", text: "ls *\n\n# x" },
    { type: "paragraph", children: [text("after")] },
  ]],
  ["~~~~\n```\n~~~~", [{ type: "code", language: "", text: "```" }]],
  ["```python\nstill open", [{ type: "code", language: "python", text: "still open" }]],
  ["---", [{ type: "rule" }]],
  ["> a\n> b", [{ type: "quote", blocks: [{ type: "paragraph", children: [text("a"), { type: "break" }, text("b")] }] }]],
  ["- a\n- b\n  more", [{ type: "list", ordered: false, start: 1, items: [
    [{ type: "paragraph", children: [text("a")] }],
    [{ type: "paragraph", children: [text("b"), { type: "break" }, text("more")] }],
  ] }]],
  ["3. a\n\n4. b\n   - c", [{ type: "list", ordered: true, start: 3, items: [
    [{ type: "paragraph", children: [text("a")] }],
    [
      { type: "paragraph", children: [text("b")] },
      { type: "list", ordered: false, start: 1, items: [[{ type: "paragraph", children: [text("c")] }]] },
    ],
  ] }]],
  ["1. run\n   ```\n   x\n   ```\n2. end", [{ type: "list", ordered: true, start: 1, items: [
    [{ type: "paragraph", children: [text("run")] }, { type: "code", language: "", text: "x" }],
    [{ type: "paragraph", children: [text("end")] }],
  ] }]],
  ["| a | b |\n|---|:-:|\n| 1 | `x` |", [{ type: "table", head: [[text("a")], [text("b")]], rows: [
    [[text("1")], [{ type: "code", text: "x" }]],
  ] }]],
  ["a | b", [{ type: "paragraph", children: [text("a | b")] }]],
];

for (const [source, blocks] of cases) {
  test(`blocks of ${JSON.stringify(source)}`, () => assert.deepEqual(parseMarkdown(source), blocks));
}

const inlineCases = [
  ["a **b `c`** d", [text("a "), { type: "strong", children: [text("b "), { type: "code", text: "c" }] }, text(" d")]],
  ["*i* and _j_", [{ type: "em", children: [text("i")] }, text(" and "), { type: "em", children: [text("j")] }]],
  ["snake_case_name and 2 * 3 * 4", [text("snake_case_name and 2 * 3 * 4")]],
  ["``a`b``", [{ type: "code", text: "a`b" }]],
  ["\\*no\\*", [text("*no*")]],
  ["~~x~~", [{ type: "del", children: [text("x")] }]],
  ["**unclosed", [text("**unclosed")]],
  ["[t](https://a.example/x_(y))", [{ type: "link", href: "https://a.example/x_(y)", children: [text("t")] }]],
  ["see https://a.example/b.", [
    text("see "),
    { type: "link", href: "https://a.example/b", children: [text("https://a.example/b")] },
    text("."),
  ]],
  ["[x](javascript:alert(1))", [text("[x](javascript:alert(1))")]],
  ["![p](https://a.example/p.png)", [text("!"), { type: "link", href: "https://a.example/p.png", children: [text("p")] }]],
  ["<img src=x onerror=alert(1)>", [text("<img src=x onerror=alert(1)>")]],
];

for (const [source, nodes] of inlineCases) {
  test(`inlines of ${JSON.stringify(source)}`, () => assert.deepEqual(parseInline(source), nodes));
}

test("only web and mail addresses become links", () => {
  for (const href of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x", "x y", ""]) {
    assert.equal(safeHref(href), undefined, href);
  }
  assert.equal(safeHref("mailto:a@b.example"), "mailto:a@b.example");
});

test("hostile text neither hangs nor overflows", () => {
  const start = performance.now();
  for (const piece of ["> ", "- ", "*", "**", "_", "`", "[", "](", "|-", "~~", "#", "a* ", "**a ", "`a ", "1. "]) {
    parseMarkdown(piece.repeat(4_000));
    parseMarkdown((piece + "\n").repeat(1_000));
  }
  assert.ok(performance.now() - start < 5_000, `${performance.now() - start} ms`);
});
