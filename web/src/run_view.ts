// One run: the prompt, everything that happened for it, and how it ended.
import { ApprovalView, type Answer } from "./approval_view.js";
import { CallView } from "./call_view.js";
import { h, setText } from "./dom.js";
import { duration } from "./format.js";
import { icon, type IconName } from "./icons.js";
import { openMenu } from "./menu.js";
import { renderMarkdown } from "./markdown_view.js";
import type { Check } from "./wire.js";
import { openQuestion, type AssistantItem, type Item, type NoteItem, type Run } from "./timeline.js";

interface ItemView {
  readonly element: HTMLElement;
  update(nowMs: number): void;
  tick?(nowMs: number): void;
}

export interface RunActions {
  cancel(jobId: string): void;
  answer: Answer;
  /** At the prompt of the run. */
  fork(seq: number): void;
  rewind(seq: number): void;
}

export class RunView {
  readonly element = h("section", { class: "run" });
  private readonly prompt = h("div", { class: "user" });
  private readonly more: HTMLButtonElement = h(
    "button",
    {
      type: "button",
      class: "icon-button user-more",
      "aria-label": "Actions for this message",
      title: "Fork or rewind",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      onclick: () => this.menu(),
    },
    icon("more"),
  );
  private readonly turn = h("div", { class: "user-turn" }, this.more, this.prompt);
  private readonly items = h("div", { class: "items" });
  private readonly pending = h("p", { class: "pending" });
  private readonly end = h("div", { class: "run-end" });
  private readonly views = new Map<Item, ItemView>();
  private ended = "";

  constructor(
    private readonly run: Run,
    private readonly actions: RunActions,
  ) {
    this.element.append(this.turn, this.items, this.pending, this.end);
  }

  update(nowMs: number): void {
    const { run } = this;
    this.element.dataset.state = run.state;
    this.element.hidden = run.joined;
    this.turn.hidden = run.prompt === "";
    this.more.hidden = !run.recorded || run.seq === 0;
    this.prompt.classList.toggle("command", run.prompt.startsWith("/"));
    setText(this.prompt, run.prompt);
    this.updateItems(nowMs);
    this.updatePending();
    this.updateEnd();
  }

  private menu(): void {
    openMenu(this.more, "Message", [
      { label: "Fork from here", action: () => this.actions.fork(this.run.seq) },
      { label: "Rewind to here", action: () => this.actions.rewind(this.run.seq) },
    ]);
  }

  tick(nowMs: number): void {
    for (const view of this.views.values()) view.tick?.(nowMs);
  }

  private updateItems(nowMs: number): void {
    for (const [item, view] of this.views) {
      if (this.run.items.includes(item)) continue;
      view.element.remove();
      this.views.delete(item);
    }
    for (const item of this.run.items) {
      let view = this.views.get(item);
      if (!view) {
        view = this.viewOf(item);
        this.views.set(item, view);
        this.items.append(view.element);
      }
      view.update(nowMs);
    }
  }

  private viewOf(item: Item): ItemView {
    if (item.type === "call") return new CallView(item);
    if (item.type === "approval") return new ApprovalView(item, this.actions.answer);
    if (item.type !== "assistant") return noteView(item);
    // Before the first answer there is only the prompt, which has its own menu.
    const first = this.run.items.find(({ type }) => type === "assistant") === item;
    return new AssistantView(item, first ? undefined : (seq) => this.actions.fork(seq));
  }

  private updatePending(): void {
    const { run } = this;
    const last = run.items.at(-1);
    const busy =
      (last?.type === "call" && last.state === "running") ||
      (last?.type === "assistant" && !last.final && last.text !== "");
    const text =
      run.state === "queued"
        ? run.stopping
          ? "Stopping…"
          : "Waiting for its turn"
        : run.state === "running" && run.stopping
          ? "Stopping…"
          : run.state === "running" && openQuestion(run)
            ? "Waiting for your answer"
            : run.state === "running" && !busy
              ? run.model === "" ? "Working" : "Thinking"
              : "";
    this.pending.hidden = text === "";
    if (this.pending.dataset.text === text) return;
    this.pending.dataset.text = text;
    this.pending.replaceChildren(
      h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
      h("span", {}, text),
    );
    if (run.state === "queued" && !run.stopping) {
      this.pending.append(
        h(
          "button",
          { type: "button", class: "link-button", onclick: () => this.actions.cancel(run.jobId) },
          "Remove",
        ),
      );
    }
  }

  private updateEnd(): void {
    const { run } = this;
    if (run.state === "queued" || run.state === "running" || this.ended === run.state) return;
    this.ended = run.state;
    this.end.replaceChildren();
    if (run.reply !== "") this.end.append(h("div", { class: "prose" }, ...renderMarkdown(run.reply)));
    const facts = [
      run.steps > 0 ? `${run.steps} ${run.steps === 1 ? "step" : "steps"}` : "",
      run.elapsedMs > 0 ? duration(run.elapsedMs) : "",
      run.model,
    ].filter((fact) => fact !== "");
    this.element.dataset.outcome = run.outcome;
    const [name, word] = outcomes[run.outcome] ?? endings[run.state];
    this.end.append(
      h(
        "div",
        { class: "outcome" },
        icon(name),
        h(
          "div",
          {},
          h("p", { class: "outcome-facts" }, h("strong", {}, word), ...facts.map((fact) => h("span", {}, fact))),
          run.reason !== "" && h("p", { class: "outcome-reason" }, run.reason),
          run.checks.length > 0 && h("ul", { class: "checks" }, ...run.checks.map(checkView)),
        ),
      ),
    );
  }
}

const endings: Record<Exclude<Run["state"], "queued" | "running">, [IconName, string]> = {
  succeeded: ["check", "Done"],
  failed: ["alert", "Failed"],
  cancelled: ["stop", "Cancelled"],
  interrupted: ["question", "Interrupted"],
};

const outcomes: Record<string, [IconName, string]> = {
  succeeded_verified: ["check", "Done and checked"],
  blocked: ["alert", "Blocked"],
  needs_user: ["question", "Asks you"],
  out_of_budget: ["alert", "Out of budget"],
};

function checkView(check: Check): HTMLElement {
  return h(
    "li",
    { "data-holds": String(check.holds), title: check.seen },
    icon(check.holds ? "check" : "alert"),
    h("span", {}, check.claim),
    !check.holds && h("span", { class: "check-missed" }, "does not hold"),
  );
}

function noteView(item: NoteItem): ItemView {
  if (item.type === "summary") return { element: summaryView(item.text), update() {} };
  const element =
    item.type === "user"
      ? h("div", { class: "user" }, item.text)
      : h("p", { class: "notice" }, icon("info"), h("span", {}, item.text));
  return { element, update() {} };
}

function summaryView(text: string): HTMLElement {
  return h(
    "details",
    { class: "reasoning" },
    h("summary", { title: "The model no longer sees them, but this summary. They are all kept." }, icon("chevron"), h("span", {}, "Earlier steps were summarised")),
    h("div", { class: "summarised prose" }, ...renderMarkdown(text)),
  );
}

class AssistantView implements ItemView {
  private readonly reasoningText = h("div", { class: "reasoning-text" });
  private readonly reasoningTitle = h("span");
  private readonly reasoning = h(
    "details",
    { class: "reasoning" },
    h("summary", {}, icon("chevron"), this.reasoningTitle),
    this.reasoningText,
  );
  private readonly text = h("div", { class: "prose" });
  private readonly more: HTMLButtonElement = h(
    "button",
    {
      type: "button",
      class: "icon-button step-more",
      "aria-label": "Actions for this step",
      title: "Fork",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      onclick: () => openMenu(this.more, "Step", [{ label: "Fork from before this step", action: () => this.fork?.(this.item.seq) }]),
    },
    icon("more"),
  );
  readonly element = h("div", { class: "assistant" }, this.more, this.reasoning, this.text);
  private shown = "";

  constructor(
    private readonly item: AssistantItem,
    private readonly fork: ((seq: number) => void) | undefined,
  ) {}

  update(): void {
    const { text, reasoning, final } = this.item;
    // A screen reader waits with what still grows.
    this.element.setAttribute("aria-busy", String(!final));
    this.element.hidden = text === "" && reasoning === "";
    this.more.hidden = !this.fork || this.item.seq === 0;
    this.reasoning.hidden = reasoning === "";
    setText(this.reasoningTitle, final || text !== "" ? "Reasoning" : "Reasoning…");
    setText(this.reasoningText, reasoning.trim());
    if (this.shown === text) return;
    this.shown = text;
    this.text.replaceChildren(...renderMarkdown(text));
  }
}
