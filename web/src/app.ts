// The page's start: log in, then wire desktop, chat and the watch over the daemon together.
import * as api from "./api.js";
import { Chat } from "./chat.js";
import { DaemonWatch } from "./daemon_watch.js";
import { Desktop } from "./desktop.js";
import { byId, setText } from "./dom.js";
import { placeIcons } from "./icons.js";
import { startLayout } from "./layout.js";
import { askForToken, takeTokenFromAddress } from "./login_view.js";
import { TerminalPanel } from "./terminal_panel.js";
import { startTheme } from "./theme.js";
import { toastError } from "./toast.js";

placeIcons(document);
startTheme();

const desktop = new Desktop(() => watch.soon());
const chat = new Chat({
  changed: () => watch.soon(),
  unauthorized: () => void logIn(""),
});
const terminals = new TerminalPanel(() => void logIn(""));
let terminalsAreOpen = false;
startLayout((focus) => {
  terminalsAreOpen = true;
  // Before the login there is nothing to show: showApp() comes back to it.
  if (!byId("app").hidden) void terminals.open().then(() => focus && terminals.focus());
});
const watch = new DaemonWatch({
  answered(state, conversations) {
    showConnection("good", "Connected");
    chat.setState(state);
    chat.setConversations(conversations);
    desktop.setScreen(state.screen);
    byId("lab").hidden = !state.lab;
    desktop.start();
    showApp();
  },
  recovered() {
    chat.reconnect();
    desktop.retryNow();
    terminals.reconnect();
  },
  unreachable(error) {
    showConnection("bad", "Reconnecting…", error.message);
    showApp();
  },
  unauthorized: () => void logIn(""),
});

function showConnection(state: "good" | "bad", text: string, title = ""): void {
  const indicator = byId("connection");
  indicator.dataset.state = state;
  indicator.title = title;
  if (indicator.lastElementChild) setText(indicator.lastElementChild, text);
}

function showApp(): void {
  const app = byId("app");
  if (!app.hidden) return;
  app.hidden = false;
  // A keyboard that pops up over half of a small screen is no welcome.
  if (matchMedia("(hover: hover)").matches) chat.focus();
  if (terminalsAreOpen) void terminals.open();
}

let loggingIn = false;

/** Shows the login form until it succeeds, then starts over. */
async function logIn(message: string): Promise<void> {
  if (loggingIn) return;
  loggingIn = true;
  watch.stop();
  chat.close();
  desktop.stop();
  terminals.close();
  byId("app").hidden = true;
  await askForToken(message);
  loggingIn = false;
  watch.start();
}

async function start(): Promise<void> {
  const token = takeTokenFromAddress();
  if (token) {
    try {
      await api.login(token);
    } catch (error) {
      if (error instanceof api.ApiError && error.status === 401) return logIn(error.message);
      toastError(error);
    }
  }
  watch.start();
}

byId("logout").addEventListener("click", async () => {
  try {
    await api.logout();
  } catch (error) {
    return toastError(error);
  }
  await logIn("");
});

// A login link that is opened in a tab which has the page already changes only the fragment.
addEventListener("hashchange", () => {
  if (/[#&]token=/.test(location.hash)) location.reload();
});

void start();
