// One tool call as a card: what was asked, what came back, how long it took.
import * as api from "./api.js";
import { h, setText } from "./dom.js";
import { argumentDetail, argumentSummary, duration, ticking } from "./format.js";
import { icon, type IconName } from "./icons.js";
import { openLightbox } from "./lightbox.js";
import type { CallItem } from "./timeline.js";
import type { Picture } from "./wire.js";

const clampedLines = 10;
const clampedCharacters = 900;

const marks: Record<CallItem["state"], { icon?: IconName; word: string }> = {
  running: { word: "running" },
  ok: { icon: "check", word: "succeeded" },
  failed: { icon: "cross", word: "failed" },
  unknown: { icon: "question", word: "has no result" },
};

export class CallView {
  readonly element: HTMLElement;
  private readonly mark = h("span", { class: "call-mark" });
  private readonly word = h("span", { class: "visually-hidden" });
  private readonly tool = h("span", { class: "call-tool" });
  private readonly summary = h("span", { class: "call-args" });
  private readonly elapsed = h("span", { class: "call-elapsed" });
  private readonly head = h("div", { class: "call-head" });
  private readonly body = h("div", { class: "call-body" });
  private shown = "";

  constructor(private readonly item: CallItem) {
    this.head.append(this.mark, this.tool, this.summary, this.word, this.elapsed);
    this.element = h("article", { class: "call", "aria-label": `Tool call ${item.tool}` }, this.head, this.body);
  }

  update(nowMs: number): void {
    this.tick(nowMs);
    if (this.shown === this.item.state) return;
    this.shown = this.item.state;
    const mark = marks[this.item.state];
    this.element.dataset.state = this.item.state;
    this.mark.replaceChildren(
      mark.icon ? icon(mark.icon) : h("span", { class: "spinner", "aria-hidden": "true" }),
    );
    setText(this.word, mark.word);
    this.renderArguments();
    this.renderResult();
  }

  /** Advances the clock of a call that runs. */
  tick(nowMs: number): void {
    const { state, startedMs, elapsedMs } = this.item;
    const text = state === "running" ? ticking(nowMs - startedMs) : elapsedMs > 0 ? duration(elapsedMs) : "";
    setText(this.elapsed, text);
  }

  private renderArguments(): void {
    const { text, complete } = argumentSummary(this.item.args);
    setText(this.tool, this.item.tool);
    setText(this.summary, text);
    this.head.querySelector(".call-more")?.remove();
    this.element.querySelector(".call-detail")?.remove();
    if (complete) return;
    const detail = h("pre", { class: "call-detail", hidden: true, tabIndex: 0 }, argumentDetail(this.item.args));
    const more = h(
      "button",
      {
        type: "button",
        class: "icon-button call-more",
        "aria-expanded": "false",
        "aria-label": "All arguments",
        title: "All arguments",
        onclick: () => {
          detail.hidden = !detail.hidden;
          more.setAttribute("aria-expanded", String(!detail.hidden));
        },
      },
      icon("chevron"),
    );
    this.elapsed.before(more);
    this.head.after(detail);
  }

  private renderResult(): void {
    const { state, text, images } = this.item;
    this.body.replaceChildren();
    if (state === "unknown") {
      this.body.append(
        h("p", { class: "call-note" }, "It ended without a recorded result; it may or may not have happened."),
      );
    }
    if (text.trim() !== "") this.body.append(...resultText(text.replace(/\s+$/, "")));
    if (images.length > 0) {
      this.body.append(h("div", { class: "thumbs" }, ...images.map((image) => this.thumbnail(image))));
    }
  }

  private thumbnail(picture: Picture): HTMLElement {
    const url = api.blobUrl(picture.sha256);
    const caption = `${this.item.tool} · ${picture.width}×${picture.height}`;
    const image = h("img", {
      loading: "lazy",
      decoding: "async",
      alt: "",
      width: picture.width,
      height: picture.height,
      src: url,
    });
    const button = h(
      "button",
      {
        type: "button",
        class: "thumb",
        "aria-label": `Open the picture: ${caption}`,
        onclick: () => {
          const all = [...document.querySelectorAll<HTMLElement>(".transcript .thumb")];
          const pictures = all.map((thumb) => ({
            url: thumb.dataset.url ?? "",
            caption: thumb.dataset.caption ?? "",
          }));
          openLightbox(pictures, Math.max(0, all.indexOf(button)));
        },
      },
      image,
    );
    button.dataset.url = url;
    button.dataset.caption = caption;
    image.addEventListener("error", () => {
      button.classList.add("broken");
      button.disabled = true;
      button.replaceChildren("This picture is gone");
    });
    return button;
  }
}

function resultText(text: string): HTMLElement[] {
  const lines = text.split("\n").length;
  const pre = h("pre", { class: "call-text" }, text);
  if (lines <= clampedLines && text.length <= clampedCharacters) return [pre];
  pre.classList.add("clamped");
  pre.tabIndex = 0;
  const size = lines > clampedLines ? `all ${lines} lines` : `all ${text.length} characters`;
  const toggle = h(
    "button",
    {
      type: "button",
      class: "link-button",
      "aria-expanded": "false",
      onclick: () => {
        const clamped = pre.classList.toggle("clamped");
        toggle.setAttribute("aria-expanded", String(!clamped));
        toggle.textContent = clamped ? `Show ${size}` : "Show less";
      },
    },
    `Show ${size}`,
  );
  return [pre, toggle];
}
