// One entry of the list of conversations: opens it, and offers to rename, export and delete it.
import * as api from "./api.js";
import { h } from "./dom.js";
import { moment } from "./format.js";
import { icon } from "./icons.js";
import { openMenu } from "./menu.js";
import type { Conversation, FoundConversation } from "./wire.js";

export interface ConversationActions {
  /** `seq`: the event to show first. */
  choose(id: string, seq?: number): void;
  /** Both resolve when it is done or the user was told why not. */
  rename(id: string, title: string): Promise<void>;
  remove(id: string): Promise<void>;
}

export class ConversationRow {
  readonly element: HTMLElement;
  /** True while the user writes a title or is asked whether to delete. */
  busy = false;
  private readonly content: HTMLElement[];
  private readonly more: HTMLButtonElement;

  constructor(
    private readonly conversation: Conversation | FoundConversation,
    current: boolean,
    private readonly actions: ConversationActions,
    private readonly released: () => void,
  ) {
    const title = conversation.title || "Untitled";
    const running = conversation.running_job !== null && conversation.running_job !== undefined;
    const match = "match" in conversation && conversation.match.kind !== "title" ? conversation.match.excerpt : "";
    const open = h(
      "button",
      {
        type: "button",
        class: "conversation",
        "aria-current": current ? "true" : undefined,
        onclick: () => actions.choose(conversation.id, "match" in conversation ? (conversation.match.seq ?? undefined) : undefined),
      },
      h(
        "span",
        { class: "conversation-text" },
        h("span", { class: "conversation-title" }, title),
        match !== "" && h("span", { class: "conversation-match" }, match),
      ),
      conversation.approval
        ? h("span", { class: "conversation-asks" }, "asks you")
        : running
          ? h("span", { class: "conversation-running" }, h("i", { "aria-hidden": "true" }), "running")
          : h("span", { class: "conversation-time" }, moment(conversation.updated_ms)),
    );
    open.dataset.conversation = conversation.id;
    this.more = h(
      "button",
      {
        type: "button",
        class: "icon-button conversation-more",
        "aria-label": `Actions for ${title}`,
        title: "Rename, export, delete",
        "aria-haspopup": "menu",
        "aria-expanded": "false",
        onclick: () => this.menu(),
      },
      icon("more"),
    );
    this.content = [open, this.more];
    this.element = h("div", { class: "conversation-row" }, ...this.content);
  }

  private menu(): void {
    const { id } = this.conversation;
    openMenu(this.more, "Conversation", [
      { label: "Rename", action: () => this.rename() },
      { label: "Export as JSONL", href: api.exportUrl(id, "jsonl") },
      { label: "Export as ATIF", href: api.exportUrl(id, "atif") },
      { label: "Export as OSWorld", href: api.exportUrl(id, "osworld") },
      { label: "Delete", danger: true, action: () => this.askToDelete() },
    ]);
  }

  private rename(): void {
    const input = h("input", {
      type: "text",
      class: "conversation-input",
      value: this.conversation.title,
      maxLength: 200,
      "aria-label": "Title",
    });
    const form = h("form", { class: "conversation-form" }, input, this.button("submit", "Save"), this.cancel());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const title = input.value.trim();
      if (title === "" || title === this.conversation.title) return this.restore();
      void this.settle(this.actions.rename(this.conversation.id, title));
    });
    this.replace(form);
    input.select();
  }

  private askToDelete(): void {
    const remove = this.button("button", "Delete", "danger");
    remove.addEventListener("click", () => void this.settle(this.actions.remove(this.conversation.id)));
    const question = h(
      "div",
      { class: "conversation-form", role: "alertdialog", "aria-label": "Delete this conversation?" },
      h("span", { class: "conversation-question" }, `Delete “${this.conversation.title || "Untitled"}” for good?`),
      remove,
      this.cancel(),
    );
    this.replace(question);
    remove.focus();
  }

  private button(type: "submit" | "button", label: string, look = ""): HTMLButtonElement {
    return h("button", { type, class: `button small ${look}` }, label);
  }

  private cancel(): HTMLButtonElement {
    const button = this.button("button", "Cancel");
    button.addEventListener("click", () => this.restore());
    return button;
  }

  private replace(content: HTMLElement): void {
    this.busy = true;
    content.addEventListener("keydown", (event) => {
      // The list goes through its entries with the arrow keys, and closes with Escape.
      if (event.key === "ArrowDown" || event.key === "ArrowUp") event.stopPropagation();
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.restore();
    });
    this.element.replaceChildren(content);
    content.querySelector("input")?.focus();
  }

  private async settle(done: Promise<void>): Promise<void> {
    await done;
    this.restore();
  }

  private restore(): void {
    this.busy = false;
    this.element.replaceChildren(...this.content);
    this.more.focus();
    this.released();
  }
}
