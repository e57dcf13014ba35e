// All conversations, in a panel over the chat, with a search over what was said and done in them.
import { ConversationRow, type ConversationActions } from "./conversation_row.js";
import { byId, h, setText } from "./dom.js";
import { moment } from "./format.js";
import type { Conversation, ConversationSearch, FoundConversation } from "./wire.js";

// Long enough that a word is not searched for letter by letter.
const searchDelayMs = 200;

export interface ListActions extends ConversationActions {
  /** Undefined if it failed, which the user has been told. */
  search(query: string): Promise<ConversationSearch | undefined>;
}

export class ConversationList {
  private readonly toggle = byId<HTMLButtonElement>("conversations-toggle");
  private readonly panel = byId("conversations");
  private readonly input = h("input", {
    type: "search",
    class: "conversation-search",
    placeholder: "Search titles, messages and results",
    "aria-label": "Search the conversations",
  });
  private readonly entries = h("div", { class: "conversation-entries" });
  private readonly note = h("p", { class: "conversations-none", role: "status" });
  private rows: ConversationRow[] = [];
  private conversations: Conversation[] = [];
  private currentId: string | undefined;
  private found: FoundConversation[] | undefined;
  private shown = "";
  private timer = 0;

  constructor(private readonly actions: ListActions) {
    this.panel.append(this.input, this.note, this.entries);
    this.toggle.addEventListener("click", () => this.open(this.panel.hidden));
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.search(), searchDelayMs);
    });
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
      const target = event.target as Element;
      const outside = !this.panel.contains(target) && !this.toggle.contains(target) && !target.closest(".menu");
      if (outside) this.open(false);
    });
  }

  show(conversations: Conversation[], currentId: string | undefined): void {
    this.conversations = conversations;
    this.currentId = currentId;
    this.draw();
  }

  /** An unchanged list keeps its elements, and with them the focus. */
  private draw(): void {
    if (this.rows.some((row) => row.busy)) return;
    const titles = new Map(this.conversations.map((known) => [known.id, known]));
    // What was found may have been renamed or deleted since.
    const found = this.found?.flatMap((hit) => ({ ...hit, ...titles.get(hit.id) })).filter((hit) => titles.has(hit.id));
    const list: (Conversation | FoundConversation)[] = found ?? this.conversations;
    const key = JSON.stringify([this.currentId, found !== undefined, list.map((c) => [c.id, c.title, c.running_job, c.approval?.call_id, moment(c.updated_ms), "match" in c && c.match])]);
    if (key === this.shown) return;
    this.shown = key;
    const focused = (document.activeElement as HTMLElement | null)?.dataset?.conversation;
    const none = found === undefined ? "No conversations yet." : "Nothing has all of these words.";
    setText(this.note, list.length === 0 ? none : "");
    this.note.hidden = list.length > 0;
    this.rows = list.map((conversation) => new ConversationRow(conversation, conversation.id === this.currentId, this.rowActions, () => this.draw()));
    this.entries.replaceChildren(...this.rows.map((row) => row.element));
    if (focused) this.entries.querySelector<HTMLElement>(`[data-conversation="${CSS.escape(focused)}"]`)?.focus();
  }

  private readonly rowActions: ConversationActions = {
    choose: (id, seq) => {
      this.open(false);
      this.actions.choose(id, seq);
    },
    rename: (id, title) => this.actions.rename(id, title),
    remove: (id) => this.actions.remove(id),
  };

  private async search(): Promise<void> {
    const query = this.input.value.trim();
    if (query === "") {
      this.found = undefined;
      return this.draw();
    }
    const result = await this.actions.search(query);
    // The user may have typed on meanwhile.
    if (!result || query !== this.input.value.trim()) return;
    this.found = result.conversations;
    this.draw();
    if (result.unread === 0) return;
    this.note.hidden = false;
    setText(this.note, `${result.unread} events are not searched yet: try again in a moment.`);
  }

  private open(open: boolean): void {
    if (this.panel.hidden === !open) return;
    this.panel.hidden = !open;
    this.toggle.setAttribute("aria-expanded", String(open));
    if (open) (this.panel.querySelector<HTMLElement>("[aria-current]") ?? this.input).focus();
  }

  /** The search box, then the conversations, round and round. */
  private arrow(event: KeyboardEvent): void {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    const places = [this.input, ...this.entries.querySelectorAll<HTMLElement>(".conversation")];
    const row = (document.activeElement as HTMLElement).closest(".conversation-row")?.querySelector<HTMLElement>(".conversation");
    const at = places.indexOf(row ?? (document.activeElement as HTMLElement));
    places[(at + (event.key === "ArrowDown" ? 1 : places.length - 1)) % places.length]?.focus();
  }
}
