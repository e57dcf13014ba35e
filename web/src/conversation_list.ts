// All conversations, in a panel over the chat.
import { byId, h } from "./dom.js";
import { moment } from "./format.js";
import type { Conversation } from "./wire.js";

export class ConversationList {
  private readonly toggle = byId<HTMLButtonElement>("conversations-toggle");
  private readonly panel = byId("conversations");
  private shown = "";

  constructor(private readonly choose: (id: string) => void) {
    this.toggle.addEventListener("click", () => this.open(this.panel.hidden));
    const closeOnEscape = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || this.panel.hidden) return;
      event.preventDefault();
      this.open(false);
      this.toggle.focus();
    };
    this.toggle.addEventListener("keydown", closeOnEscape);
    this.panel.addEventListener("keydown", (event) => {
      closeOnEscape(event);
      this.arrow(event);
    });
    document.addEventListener("pointerdown", (event) => {
      const target = event.target as Node;
      if (!this.panel.contains(target) && !this.toggle.contains(target)) this.open(false);
    });
  }

  /** Draws the list; an unchanged list keeps its elements, and with them the focus. */
  show(conversations: Conversation[], currentId: string | undefined): void {
    const key = JSON.stringify([currentId, conversations.map((c) => [c.id, c.title, c.running_job, moment(c.updated_ms)])]);
    if (key === this.shown) return;
    this.shown = key;
    const focused = (document.activeElement as HTMLElement | null)?.dataset?.conversation;
    if (conversations.length === 0) {
      this.panel.replaceChildren(h("p", { class: "conversations-none" }, "No conversations yet."));
      return;
    }
    this.panel.replaceChildren(
      ...conversations.map((conversation) => {
        const running = conversation.running_job !== null && conversation.running_job !== undefined;
        const button = h(
          "button",
          {
            type: "button",
            class: "conversation",
            "aria-current": conversation.id === currentId ? "true" : undefined,
            onclick: () => {
              this.open(false);
              this.choose(conversation.id);
            },
          },
          h("span", { class: "conversation-title" }, conversation.title || "Untitled"),
          running
            ? h("span", { class: "conversation-running" }, h("i", { "aria-hidden": "true" }), "running")
            : h("span", { class: "conversation-time" }, moment(conversation.updated_ms)),
        );
        button.dataset.conversation = conversation.id;
        return button;
      }),
    );
    if (focused) this.panel.querySelector<HTMLElement>(`[data-conversation="${CSS.escape(focused)}"]`)?.focus();
  }

  private open(open: boolean): void {
    this.panel.hidden = !open;
    this.toggle.setAttribute("aria-expanded", String(open));
    if (open) {
      (this.panel.querySelector<HTMLElement>("[aria-current]") ?? this.panel.querySelector("button"))?.focus();
    }
  }

  private arrow(event: KeyboardEvent): void {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    const buttons = [...this.panel.querySelectorAll<HTMLElement>("button")];
    const at = buttons.indexOf(document.activeElement as HTMLElement);
    buttons[(at + (event.key === "ArrowDown" ? 1 : buttons.length - 1)) % buttons.length]?.focus();
  }
}
