// The terminals below the desktop: a tab for each, new ones, and every other process of the daemon to look at.
//
// A tab is a process of the daemon, not of the page: closing the page ends nothing, and this browser remembers which it
// showed. Those that were opened elsewhere and still run are shown as well.
import * as api from "./api.js";
import { byId, h, setText } from "./dom.js";
import { moment } from "./format.js";
import { icon } from "./icons.js";
import { openMenu, type MenuItem } from "./menu.js";
import { stored, store } from "./stored.js";
import { ask } from "./terminal_question.js";
import { onThemeChange } from "./terminal_theme.js";
import { loadLibrary, sizeIn, TerminalView, type Library } from "./terminal_view.js";
import { toast, toastError } from "./toast.js";
import type { TerminalProcess } from "./wire.js";

const ownClient = "page";
const mostInMenu = 30;

interface Tab {
  view: TerminalView;
  element: HTMLElement;
  button: HTMLButtonElement;
}

export class TerminalPanel {
  private tabs: Tab[] = [];
  private selected: Tab | undefined;
  private library: Library | undefined;
  private loading: Promise<void> | undefined;
  private closedHere = new Set<string>();

  private readonly panel = byId("terminal-panel");
  private readonly list = byId("terminal-tabs");
  private readonly stage = byId("terminal-stage");
  private readonly status = byId("terminal-status");
  private readonly question = byId("terminal-question");
  private readonly more = byId<HTMLButtonElement>("terminal-more");

  constructor(private readonly unauthorized: () => void) {
    byId("terminal-new").addEventListener("click", () => void this.add());
    this.more.addEventListener("click", () => void this.showMenu());
    this.list.addEventListener("keydown", (event) => this.walk(event));
    onThemeChange(() => this.tabs.forEach(({ view }) => view.paint()));
  }

  /** Shows the terminals of before, or a new one if there are none. */
  async open(): Promise<void> {
    this.loading ??= this.restore();
    try {
      await this.loading;
    } catch (error) {
      this.loading = undefined;
      return this.fail(error);
    }
    if (this.tabs.length === 0) await this.add();
    else this.select(this.selected, false);
  }

  focus(): void {
    this.selected?.view.focus();
  }

  /** After a lost connection to the daemon. */
  reconnect(): void {
    for (const { view } of this.tabs) if (!view.hasEnded()) view.reconnect();
    if (!this.panel.hidden && !this.loading) void this.open(); // they could not be asked for before
  }

  /** Forgets everything that is shown: somebody else may log in. */
  close(): void {
    for (const { view, element } of this.tabs) {
      view.dispose();
      element.remove();
    }
    this.tabs = [];
    this.selected = undefined;
    this.loading = undefined;
    this.showStatus();
  }

  private async restore(): Promise<void> {
    const [library, processes] = await Promise.all([loadLibrary(), api.terminals()]);
    this.library = library;
    const remembered = (stored("terminals") ?? "").split(" ");
    const known = new Map(processes.map((process) => [process.id, process]));
    const running = processes.filter(({ client, state }) => client === ownClient && state === "running").reverse();
    const ids = new Set([...remembered, ...running.map(({ id }) => id)]);
    for (const id of ids) {
      const process = known.get(id);
      if (process && !this.closedHere.has(id)) this.show(process);
    }
    const before = this.tabs.find(({ view }) => view.process.id === stored("terminal"));
    this.selected = before ?? this.tabs[0];
  }

  /** Starts a shell in a tab of its own. */
  private async add(): Promise<void> {
    try {
      this.library ??= await loadLibrary();
      const { rows, cols } = sizeIn(this.library, this.stage);
      const process = await api.newTerminal(rows, cols);
      this.select(this.show(process), true);
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    if (error instanceof api.ApiError && error.status === 401) this.unauthorized();
    else toastError(error);
  }

  private show(process: TerminalProcess): Tab {
    const view = new TerminalView(this.library as Library, process, {
      changed: () => this.update(tab),
      refused: toast,
      gone: (error) => {
        if (error.status === 401) return this.unauthorized();
        toast(`${process.id} is shown no longer: ${error.message}`);
        this.remove(tab);
      },
      left: () => tab.button.focus(),
    });
    const { id } = process;
    const button = h("button", { type: "button", role: "tab", id: `terminal-tab-${id}`, "aria-controls": `terminal-view-${id}` });
    view.element.setAttribute("aria-labelledby", button.id);
    const cross = h("button", { type: "button", class: "icon-button terminal-tab-close", tabIndex: -1 }, icon("cross"));
    const tab: Tab = { view, button, element: h("div", { class: "terminal-tab", role: "presentation" }, button, cross) };
    button.addEventListener("click", () => this.select(tab, true));
    button.addEventListener("auxclick", (event) => {
      if (event.button === 1) void this.askToClose(tab);
    });
    cross.addEventListener("click", () => void this.askToClose(tab));
    this.tabs.push(tab);
    this.list.append(tab.element);
    this.stage.append(view.element);
    this.update(tab);
    this.remember();
    return tab;
  }

  private select(tab: Tab | undefined, focus: boolean): void {
    this.selected = tab;
    for (const each of this.tabs) {
      each.view.element.hidden = each !== tab;
      each.button.setAttribute("aria-selected", String(each === tab));
      each.button.tabIndex = each === tab ? 0 : -1;
      each.element.classList.toggle("selected", each === tab);
    }
    this.question.hidden = true;
    this.showStatus();
    if (!tab) return;
    store("terminal", tab.view.process.id);
    if (this.panel.hidden || this.stage.clientHeight === 0) return;
    tab.view.show();
    tab.element.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (focus) tab.view.focus();
  }

  private update(tab: Tab): void {
    const { process } = tab.view;
    const name = tab.view.title || process.command.split("\n", 1)[0] || process.id;
    const ended = process.state !== "running";
    setText(tab.button, name);
    tab.button.title = `${name} (${process.id}${process.client === ownClient ? "" : `, started by ${process.client}`})`;
    tab.element.classList.toggle("ended", ended);
    tab.element.lastElementChild?.setAttribute("aria-label", `Close ${name}`);
    tab.button.setAttribute("aria-label", ended ? `${name}, ended` : name);
    if (tab === this.selected) this.showStatus();
  }

  private showStatus(): void {
    setText(this.status, this.selected?.view.status() ?? "No terminal is open.");
    this.panel.classList.toggle("reconnecting", this.selected?.view.connected === false && !this.selected.view.hasEnded());
  }

  /** Ends its process, after a question if something runs in it; of others' processes only if that is wanted. */
  private async askToClose(tab: Tab): Promise<void> {
    let { process } = tab.view;
    try {
      if (!tab.view.hasEnded()) process = await api.terminal(process.id);
    } catch (error) {
      if (!(error instanceof api.ApiError && error.status === 404)) return this.fail(error);
    }
    if (process.state === "ended" || process.state === "lost") return this.remove(tab);
    if (process.client === ownClient && process.state === "running" && !process.running) return this.end(tab);
    this.select(tab, false);
    const back = { label: "Cancel", action: () => tab.view.focus() };
    const end = { label: "End it", danger: true, action: () => void this.end(tab) };
    if (process.client === ownClient) {
      const what = process.state === "running" ? process.running || process.command : "A program in the background";
      return ask(this.question, `${what} still runs in this terminal. End it?`, [end, back]);
    }
    const leave = { label: "Let it run", action: () => this.remove(tab) };
    ask(this.question, `This process was started by ${process.client} and still runs. End it as well?`, [end, leave, back]);
  }

  private async end(tab: Tab): Promise<void> {
    try {
      await api.endTerminal(tab.view.process.id);
    } catch (error) {
      // It has ended by itself meanwhile.
      if (!(error instanceof api.ApiError && error.status === 409)) return this.fail(error);
    }
    this.remove(tab);
  }

  private remove(tab: Tab): void {
    const at = this.tabs.indexOf(tab);
    if (at < 0) return;
    this.tabs.splice(at, 1);
    this.closedHere.add(tab.view.process.id);
    tab.view.dispose();
    tab.element.remove();
    this.remember();
    if (this.selected !== tab) return;
    const next = this.tabs[Math.min(at, this.tabs.length - 1)];
    this.select(next, false);
    (next?.button ?? byId("terminal-new")).focus();
  }

  private remember(): void {
    store("terminals", this.tabs.map(({ view }) => view.process.id).join(" "));
  }

  private walk(event: KeyboardEvent): void {
    const at = this.tabs.findIndex(({ button }) => button === document.activeElement);
    const tab = this.tabs[at];
    if (!tab) return;
    if (event.key === "Delete") return void this.askToClose(tab);
    const to: Record<string, number> = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: this.tabs.length - 1 };
    const index = to[event.key];
    if (index === undefined) return;
    event.preventDefault();
    const next = this.tabs[(index + this.tabs.length) % this.tabs.length];
    this.select(next, false);
    next?.button.focus();
  }

  private async showMenu(): Promise<void> {
    let processes: TerminalProcess[];
    try {
      processes = await api.terminals();
      this.library ??= await loadLibrary();
    } catch (error) {
      return this.fail(error);
    }
    const shown = new Set(this.tabs.map(({ view }) => view.process.id));
    const others = processes.filter(({ id }) => !shown.has(id));
    others.sort((a, b) => Number(b.state === "running") - Number(a.state === "running"));
    const items: MenuItem[] = others.slice(0, mostInMenu).map((process) => ({
      label: menuLabel(process),
      action: () => this.select(this.show(process), true),
    }));
    const reader = stored("terminal-screen-reader") === "on";
    items.push({
      label: reader ? "Screen reader support: turn off" : "Screen reader support: turn on",
      action: () => {
        store("terminal-screen-reader", reader ? "off" : "on");
        this.tabs.forEach(({ view }) => view.setScreenReader(!reader));
        this.focus();
      },
    });
    openMenu(this.more, "Other processes", items);
  }
}

function menuLabel(process: TerminalProcess): string {
  const { state, signal, exit_code: code } = process;
  const how = state === "running" ? "running" : state === "lost" ? "lost" : signal ? `signal ${signal}` : `exit ${code}`;
  const command = process.command.split("\n", 1)[0] ?? "";
  const short = command.length > 48 ? `${command.slice(0, 47)}…` : command;
  return `${process.id}  ${short}  (${process.client}, ${how}, ${moment(process.started_ms)}${process.terminal ? "" : ", no terminal"})`;
}
