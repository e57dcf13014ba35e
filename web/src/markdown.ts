// The Markdown that models write, parsed into a tree. Knows no page: markdown_view.ts makes the nodes.
//
// Not CommonMark: HTML stays text, links go only to http, https and mailto, and nothing loads a picture, because
// the text may come from whatever the model has read.

export type Inline =
  | { type: "text"; text: string }
  | { type: "code"; text: string }
  | { type: "strong" | "em" | "del"; children: Inline[] }
  | { type: "link"; href: string; children: Inline[] }
  | { type: "break" };

export type Block =
  | { type: "paragraph"; children: Inline[] }
  | { type: "heading"; level: number; children: Inline[] }
  | { type: "code"; language: string; text: string }
  | { type: "quote"; blocks: Block[] }
  | { type: "list"; ordered: boolean; start: number; items: Block[][] }
  | { type: "table"; head: Inline[][]; rows: Inline[][][] }
  | { type: "rule" };

const fence = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const heading = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const rule = /^ {0,3}([-*_])(\s*\1){2,}\s*$/;
const quote = /^ {0,3}> ?/;
const listItem = /^( {0,3})([-*+]|(\d{1,9})[.)])(\s+(.*)|)$/;
const tableRule = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

// Quotes and lists nest by recursion; hostile text must not exhaust the stack.
const deepest = 12;

export function parseMarkdown(text: string, depth = 0): Block[] {
  const lines = text.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n");
  const blocks: Block[] = [];
  let at = 0;
  const line = (index: number) => lines[index] ?? "";

  while (at < lines.length) {
    const current = line(at);
    if (current.trim() === "") {
      at += 1;
      continue;
    }
    const fenced = fence.exec(current);
    if (fenced) {
      const [block, next] = codeBlock(lines, at, fenced[1] ?? "```", fenced[2] ?? "");
      blocks.push(block);
      at = next;
      continue;
    }
    const titled = heading.exec(current);
    if (titled) {
      blocks.push({
        type: "heading",
        level: (titled[1] ?? "#").length,
        children: parseInline(titled[2] ?? ""),
      });
      at += 1;
      continue;
    }
    if (rule.test(current)) {
      blocks.push({ type: "rule" });
      at += 1;
      continue;
    }
    if (depth < deepest && quote.test(current)) {
      const inner: string[] = [];
      while (at < lines.length && quote.test(line(at))) {
        inner.push(line(at).replace(quote, ""));
        at += 1;
      }
      blocks.push({ type: "quote", blocks: parseMarkdown(inner.join("\n"), depth + 1) });
      continue;
    }
    if (depth < deepest && listItem.test(current)) {
      const [block, next] = list(lines, at, depth);
      blocks.push(block);
      at = next;
      continue;
    }
    if (current.includes("|") && at + 1 < lines.length && isTableRule(line(at + 1))) {
      const rows: Inline[][][] = [];
      const head = cells(current);
      at += 2;
      while (at < lines.length && line(at).includes("|")) {
        rows.push(cells(line(at)));
        at += 1;
      }
      blocks.push({ type: "table", head, rows });
      continue;
    }
    const paragraph: string[] = [current];
    at += 1;
    while (at < lines.length && continuesParagraph(line(at), depth)) {
      paragraph.push(line(at));
      at += 1;
    }
    blocks.push({ type: "paragraph", children: parseInline(paragraph.join("\n").trim()) });
  }
  return blocks;
}

function isTableRule(text: string): boolean {
  return text.includes("-") && text.includes("|") && tableRule.test(text);
}

function continuesParagraph(text: string, depth: number): boolean {
  return (
    text.trim() !== "" &&
    !fence.test(text) &&
    !heading.test(text) &&
    !rule.test(text) &&
    (depth >= deepest || (!quote.test(text) && !listItem.test(text)))
  );
}

/** An unclosed fence reaches to the end, so that code is code while it still streams. */
function codeBlock(lines: string[], at: number, mark: string, language: string): [Block, number] {
  const body: string[] = [];
  const closing = new RegExp(`^ {0,3}\\${mark[0]}{${mark.length},}\\s*$`);
  let next = at + 1;
  while (next < lines.length && !closing.test(lines[next] ?? "")) {
    body.push(lines[next] ?? "");
    next += 1;
  }
  return [{ type: "code", language, text: body.join("\n") }, next + 1];
}

function list(lines: string[], at: number, depth: number): [Block, number] {
  const first = listItem.exec(lines[at] ?? "");
  const ordered = first?.[3] !== undefined;
  const items: Block[][] = [];
  let next = at;
  while (next < lines.length) {
    const match = listItem.exec(lines[next] ?? "");
    if (!match || (match[3] !== undefined) !== ordered || rule.test(lines[next] ?? "")) break;
    const indent = (match[1] ?? "").length + (match[2] ?? "").length + 1;
    const body = [match[5] ?? ""];
    next += 1;
    while (next < lines.length) {
      const text = lines[next] ?? "";
      const depthOfLine = text.length - text.trimStart().length;
      if (text.trim() === "") {
        // A blank line belongs to the item only when something indented follows it.
        const after = lines.slice(next + 1).find((candidate) => candidate.trim() !== "") ?? "";
        if (after.length - after.trimStart().length < 2) break;
        body.push("");
      } else if (depthOfLine >= 2) {
        body.push(text.slice(Math.min(depthOfLine, indent)));
      } else if (!continuesParagraph(text, depth) || body.at(-1) === "") {
        break;
      } else {
        body.push(text);
      }
      next += 1;
    }
    items.push(parseMarkdown(body.join("\n"), depth + 1));
    while ((lines[next] ?? "x").trim() === "" && listItem.test(lines[next + 1] ?? "")) next += 1;
  }
  return [{ type: "list", ordered, start: Number(first?.[3] ?? 1), items }, next];
}

function cells(line: string): Inline[][] {
  const trimmed = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return trimmed.split(/(?<!\\)\|/).map((cell) => parseInline(cell.trim().replace(/\\\|/g, "|")));
}

/** The address if a click may follow it, else undefined. */
export function safeHref(href: string): string | undefined {
  try {
    const url = new URL(href);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
}

// In this order: the first that matches at a position wins.
const inlinePattern = new RegExp(
  [
    /\\([!-/:-@[-`{-~])/, // 1 escape
    /(`+)([^`]|[^`][\s\S]*?[^`])\2(?!`)/, // 2, 3 code
    /\[([^[\]\n]{1,500})\]\(\s*<?([^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*)>?(?:\s+"[^"]*")?\s*\)/, // 4, 5 link
    /(https?:\/\/[^\s<>"'`]*[^\s<>"'`.,:;!?)\]}*_~])/, // 6 bare address
    /\*\*(?=\S)([\s\S]*?\S)\*\*/, // 7 strong
    /(?<!\w)__(?=\S)([\s\S]*?\S)__(?!\w)/, // 8 strong
    /~~(?=\S)([\s\S]*?\S)~~/, // 9 del
    /\*(?=[^\s*])([^*]*[^\s*])\*(?!\*)/, // 10 em
    /(?<!\w)_(?=[^\s_])([^_]*[^\s_])_(?!\w)/, // 11 em
    /( {2,}\n|\n)/, // 12 break
  ]
    .map((part) => part.source)
    .join("|"),
  "g",
);

export function parseInline(text: string, depth = 0): Inline[] {
  if (depth > deepest) return [{ type: "text", text }];
  const result: Inline[] = [];
  const plain = (piece: string) => {
    const last = result.at(-1);
    if (piece === "") return;
    if (last?.type === "text") last.text += piece;
    else result.push({ type: "text", text: piece });
  };
  const inner = (piece: string) => parseInline(piece, depth + 1);
  let from = 0;
  for (const match of text.matchAll(inlinePattern)) {
    plain(text.slice(from, match.index));
    from = (match.index ?? 0) + match[0].length;
    const strong = match[7] ?? match[8];
    const em = match[10] ?? match[11];
    if (match[1] !== undefined) plain(match[1]);
    else if (match[3] !== undefined) {
      result.push({ type: "code", text: match[3].replace(/\n/g, " ").replace(/^ (.*\S.*) $/, "$1") });
    } else if (match[4] !== undefined) {
      const href = safeHref(match[5] ?? "");
      if (href) result.push({ type: "link", href, children: inner(match[4]) });
      else plain(match[0]);
    } else if (match[6] !== undefined) {
      const href = safeHref(match[6]);
      if (href) result.push({ type: "link", href, children: [{ type: "text", text: match[6] }] });
      else plain(match[6]);
    } else if (strong !== undefined) result.push({ type: "strong", children: inner(strong) });
    else if (match[9] !== undefined) result.push({ type: "del", children: inner(match[9]) });
    else if (em !== undefined) result.push({ type: "em", children: inner(em) });
    else result.push({ type: "break" });
  }
  plain(text.slice(from));
  return result;
}
