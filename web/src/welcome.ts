// What stands where no conversation is yet, and what to do when there is no model.
import { append, byId, h } from "./dom.js";
import { icon } from "./icons.js";
import type { State } from "./wire.js";

const prompts = [
  "Take a screenshot and tell me what is on the desktop",
  "Open a terminal and show how much disk space is left",
  "Write a small Python script that draws a spiral, and run it",
];
const commands = ["/screenshot", "/shell uname -a", "/help"];

const examples: Record<string, string> = {
  LLM_API_BASE_URL: "http://127.0.0.1:11434/v1",
  LLM_MODEL: "your-model",
  LLM_API_KEY: "your-key",
};

/** Fills the empty state; `send` is called with the prompt of a chosen example. */
export function showWelcome(state: State | undefined, send: (prompt: string) => void): void {
  const holder = byId("empty");
  const configured = state?.model.configured ?? true;
  const key = JSON.stringify([configured, state?.model.name]);
  if (holder.dataset.shown === key) return;
  holder.dataset.shown = key;
  const buttons = (configured ? prompts : commands).map((prompt) =>
    h(
      "button",
      { type: "button", class: configured ? "example" : "example command", onclick: () => send(prompt) },
      prompt,
    ),
  );
  holder.replaceChildren();
  append(
    holder,
    h("h3", {}, configured ? "What should happen on this desktop?" : "Work the desktop with commands"),
    h(
      "p",
      {},
      configured
        ? "Say what you want in your own words. The model looks at the screen, uses mouse, keyboard and shell, " +
            "and reports here. You can watch, step in or stop it at any time."
        : "Commands that begin with / run a tool directly and need no model. Try one:",
    ),
    h("div", { class: "examples" }, ...buttons),
    configured && !!state?.model.name && h("p", { class: "fine" }, "Model: ", h("code", {}, state.model.name)),
  );
}

/** The banner above the prompt box while no model is configured. */
export function showModelBanner(state: State): void {
  const holder = byId("no-model");
  holder.hidden = state.model.configured;
  const key = state.model.missing.join(" ");
  if (holder.hidden || holder.dataset.shown === key) return;
  holder.dataset.shown = key;
  const missing = state.model.missing;
  const lines = missing.map((name) => `${name}=${examples[name] ?? "…"}`).join("\n");
  holder.replaceChildren(
    h(
      "details",
      { open: true },
      h(
        "summary",
        {},
        icon("info"),
        h("span", {}, h("strong", {}, "No model is configured."), " Slash commands work already."),
        icon("chevron"),
      ),
      h(
        "p",
        {},
        missing.length > 0
          ? "To chat in plain words, set these variables in the file .env or the environment, and start the daemon again:"
          : "To chat in plain words, configure a model and start the daemon again.",
      ),
      missing.length > 0 && h("pre", { tabIndex: 0 }, lines),
    ),
  );
}
