// What the panel asks before a terminal is closed in which something runs.
import { h } from "./dom.js";

export interface Answer {
  label: string;
  danger?: boolean;
  action?: () => void;
}

/** Shows the question in `holder` until one of `answers` is chosen; Escape chooses the last one, which has the focus. */
export function ask(holder: HTMLElement, question: string, answers: readonly Answer[]): void {
  const textId = "terminal-question-text";
  const choose = (answer: Answer | undefined) => {
    holder.replaceChildren();
    holder.hidden = true;
    answer?.action?.();
  };
  const buttons = answers.map((answer) =>
    h(
      "button",
      { type: "button", class: answer.danger ? "button small danger" : "button small", onclick: () => choose(answer) },
      answer.label,
    ),
  );
  const box = h("div", { class: "terminal-question", role: "alertdialog", "aria-labelledby": textId }, h("p", { id: textId }, question), ...buttons);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    choose(answers.at(-1));
  });
  holder.replaceChildren(box);
  holder.hidden = false;
  buttons.at(-1)?.focus();
}
