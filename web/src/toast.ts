// Short messages about what went wrong; they leave by themselves.
import { byId, h } from "./dom.js";
import { icon } from "./icons.js";

const shownMs = 9_000;

export function toast(message: string): void {
  const holder = byId("toasts");
  for (const other of holder.children) if (other.textContent === message) return;
  const element = h("div", { class: "toast" }, icon("alert"), h("span", {}, message));
  const remove = () => element.remove();
  element.append(
    h("button", { type: "button", class: "icon-button", "aria-label": "Dismiss", onclick: remove }, icon("cross")),
  );
  holder.append(element);
  setTimeout(remove, shownMs);
}

export function toastError(error: unknown): void {
  toast(error instanceof Error ? error.message : String(error));
}
