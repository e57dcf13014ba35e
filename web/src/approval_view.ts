// A call that waits for a person: what it would do, why that is asked, and the answer.
import { h, setText } from "./dom.js";
import { argumentDetail } from "./format.js";
import { icon } from "./icons.js";
import type { ApprovalItem } from "./timeline.js";
import type { ApprovalAnswer } from "./wire.js";

/** Resolves to "" once the answer is stored, otherwise to why it is not. */
export type Answer = (callId: string, answer: ApprovalAnswer) => Promise<string>;

const verdicts: Record<ApprovalAnswer["decision"], string> = {
  once: "Approved",
  session: "Approved for this conversation",
  edit: "Approved with other arguments",
  deny: "Denied",
};

export class ApprovalView {
  readonly element: HTMLElement;
  private readonly body = h("div", { class: "approval-body" });
  private readonly problem = h("p", { class: "approval-problem", role: "alert", hidden: true });
  private shown = "";
  private sending = false;

  constructor(
    private readonly item: ApprovalItem,
    private readonly answer: Answer,
  ) {
    this.element = h(
      "section",
      { class: "approval", role: "group", "aria-label": `Approval of ${item.tool}` },
      h("p", { class: "approval-title" }, icon("question"), h("strong", {}, `May ${item.tool} be called?`)),
      h("ul", { class: "approval-why" }, ...item.why.map((reason) => h("li", {}, reason))),
      h("pre", { class: "call-detail", tabIndex: 0 }, argumentDetail(item.args)),
      this.body,
      this.problem,
    );
  }

  update(): void {
    if (this.shown === this.item.state) return;
    this.shown = this.item.state;
    this.element.dataset.state = this.item.state;
    // A focused button that vanishes would drop the focus at the top of the page.
    const focused = this.element.contains(document.activeElement);
    this.problem.hidden = true;
    if (this.item.state === "open") this.showChoices();
    else this.body.replaceChildren(...this.verdict());
    if (focused && this.item.state !== "open") document.getElementById("prompt")?.focus();
  }

  private verdict(): HTMLElement[] {
    const { item } = this;
    if (!item.answer) return [h("p", { class: "approval-verdict" }, "Not answered; it was not run.")];
    const { decision, reason, by } = item.answer;
    const words = [verdicts[decision], by ? `by ${by}` : "", reason ? `: ${reason}` : ""];
    const text = words.filter((word) => word !== "").join(" ").replace(" :", ":");
    const denied = decision === "deny";
    const parts: HTMLElement[] = [h("p", { class: "approval-verdict", "data-denied": String(denied) }, icon(denied ? "cross" : "check"), text)];
    if (decision === "session") parts.push(h("p", { class: "approval-covers" }, `Covers ${item.covers}.`));
    if (decision === "edit") parts.push(h("pre", { class: "call-detail", tabIndex: 0 }, argumentDetail(item.answer.arguments ?? {})));
    return parts;
  }

  private showChoices(focus?: string): void {
    const { item } = this;
    const session = button("For this conversation", () => this.send({ decision: "session" }));
    session.title = `Covers ${item.covers}`;
    const choices = [
      button("Approve", () => this.send({ decision: "once" }), "primary"),
      session,
      button("Edit", () => this.showEditor()),
      button("Deny", () => this.showReason()),
    ];
    this.body.replaceChildren(
      h("div", { class: "approval-choices" }, ...choices),
      h("p", { class: "approval-covers" }, `“For this conversation” covers ${item.covers}.`),
    );
    choices.find(({ textContent }) => textContent === focus)?.focus();
  }

  private showEditor(): void {
    const text = h("textarea", {
      class: "approval-edit",
      "aria-label": "Arguments as JSON",
      spellcheck: false,
      rows: 6,
      value: JSON.stringify(this.item.args, null, 2),
    });
    this.body.replaceChildren(
      text,
      h(
        "div",
        { class: "approval-choices" },
        button("Approve as edited", () => this.sendEdited(text.value), "primary"),
        button("Back", () => this.showChoices("Edit")),
      ),
    );
    text.focus();
  }

  private showReason(): void {
    const reason = h("input", { class: "approval-reason", type: "text", maxLength: 1000, "aria-label": "Why not", placeholder: "Why not? (told to the model)" });
    const deny = () => void this.send({ decision: "deny", ...(reason.value.trim() ? { reason: reason.value.trim() } : {}) });
    this.body.replaceChildren(
      h(
        "form",
        {
          class: "approval-choices",
          onsubmit: (event: Event) => {
            event.preventDefault();
            deny();
          },
        },
        reason,
        h("button", { type: "submit", class: "button approval-deny" }, "Deny"),
        button("Back", () => this.showChoices("Deny")),
      ),
    );
    reason.focus();
  }

  private async sendEdited(text: string): Promise<void> {
    let edited: unknown;
    try {
      edited = JSON.parse(text);
    } catch (error) {
      return this.complain(`This is not JSON: ${(error as Error).message}`);
    }
    if (typeof edited !== "object" || edited === null || Array.isArray(edited)) return this.complain("The arguments are one JSON object, { … }.");
    await this.send({ decision: "edit", arguments: edited as Record<string, unknown> });
  }

  private async send(answer: ApprovalAnswer): Promise<void> {
    // Not by disabling the button, which would take the focus from it.
    if (this.sending) return;
    this.sending = true;
    const problem = await this.answer(this.item.callId, answer);
    this.sending = false;
    this.complain(problem);
  }

  private complain(problem: string): void {
    setText(this.problem, problem);
    this.problem.hidden = problem === "";
  }
}

function button(label: string, action: () => unknown, more = ""): HTMLButtonElement {
  return h("button", { type: "button", class: `button ${more}`.trim(), onclick: () => void action() }, label);
}
