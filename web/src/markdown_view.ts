// Parsed Markdown as elements.
import { append, h } from "./dom.js";
import { icon } from "./icons.js";
import { parseMarkdown, type Block, type Inline } from "./markdown.js";

export function renderMarkdown(text: string): Node[] {
  return parseMarkdown(text).map(block);
}

function block(node: Block): HTMLElement {
  switch (node.type) {
    case "paragraph":
      return h("p", {}, ...inlines(node.children));
    case "heading":
      // The page's own headings are h1 and h2.
      return h(node.level <= 1 ? "h3" : node.level === 2 ? "h4" : "h5", {}, ...inlines(node.children));
    case "code":
      return codeBlock(node.language, node.text);
    case "quote":
      return h("blockquote", {}, ...node.blocks.map(block));
    case "rule":
      return h("hr");
    case "table":
      return table(node.head, node.rows);
    case "list": {
      const list = node.ordered ? h("ol", { start: node.start }) : h("ul");
      for (const item of node.items) append(list, h("li", {}, ...tight(item)));
      return list;
    }
  }
}

/** A list item of one paragraph needs no paragraph around it. */
function tight(blocks: Block[]): (Node | string)[] {
  const [first, ...rest] = blocks;
  if (first?.type === "paragraph" && rest.every((other) => other.type === "list")) {
    return [...inlines(first.children), ...rest.map(block)];
  }
  return blocks.map(block);
}

function codeBlock(language: string, text: string): HTMLElement {
  const copy = h(
    "button",
    {
      type: "button",
      class: "icon-button copy",
      "aria-label": "Copy the code",
      title: "Copy",
      onclick: async () => {
        // Absent on plain-http origins other than localhost.
        await navigator.clipboard?.writeText(text);
        copy.classList.add("done");
        setTimeout(() => copy.classList.remove("done"), 1200);
      },
    },
    icon("copy"),
  );
  const head = h("div", { class: "code-head" }, h("span", {}, language || "text"));
  if (navigator.clipboard) append(head, copy);
  return h("div", { class: "code-block" }, head, h("pre", { tabIndex: 0 }, h("code", {}, text)));
}

function table(head: Inline[][], rows: Inline[][][]): HTMLElement {
  return h(
    "div",
    { class: "table-scroll" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...head.map((cell) => h("th", {}, ...inlines(cell))))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, ...inlines(cell)))))),
    ),
  );
}

function inlines(nodes: Inline[]): (Node | string)[] {
  return nodes.map((node) => {
    switch (node.type) {
      case "text":
        return node.text;
      case "code":
        return h("code", {}, node.text);
      case "strong":
      case "em":
      case "del":
        return h(node.type, {}, ...inlines(node.children));
      case "link":
        return h(
          "a",
          { href: node.href, target: "_blank", rel: "noopener noreferrer" },
          ...inlines(node.children),
        );
      case "break":
        return h("br");
    }
  });
}
