// The login: from the token in the address, or by hand.
import * as api from "./api.js";
import { byId } from "./dom.js";

/** The token of `#token=…` in an address, or in a login link that was pasted whole. */
export function tokenOf(text: string): string | undefined {
  const match = /#(?:.*&)?token=([^&\s]+)/.exec(text);
  if (!match?.[1]) return undefined;
  try {
    return decodeURIComponent(match[1]);
  } catch {
    return match[1];
  }
}

/** Takes the token out of the address bar, where it would stay in the history, and returns it. */
export function takeTokenFromAddress(): string | undefined {
  const token = tokenOf(location.hash);
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

/** Shows the form until a token is accepted. `message` explains why, when there is something to explain. */
export function askForToken(message = ""): Promise<void> {
  const view = byId("login");
  const form = byId<HTMLFormElement>("login-form");
  const input = byId<HTMLInputElement>("login-token");
  const error = byId("login-error");
  const submit = byId<HTMLButtonElement>("login-submit");
  const complain = (text: string) => {
    error.textContent = text;
    error.hidden = text === "";
    input.setAttribute("aria-invalid", String(text !== ""));
  };

  view.hidden = false;
  complain(message);
  input.focus();
  return new Promise((resolve) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      const text = input.value.trim();
      submit.disabled = true;
      try {
        await api.login(tokenOf(text) ?? text);
        input.value = "";
        view.hidden = true;
        resolve();
      } catch (failure) {
        complain(failure instanceof Error ? failure.message : String(failure));
        input.select();
      } finally {
        submit.disabled = false;
      }
    };
  });
}
