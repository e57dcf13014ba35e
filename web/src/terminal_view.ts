// One terminal: xterm.js on the output of one process.
//
// Programs ask a terminal what it is and where its cursor stands, and get the answer as if it were typed. Output that is
// shown again must not be answered again: the program of that time has its answer, and the one of now would take it for
// input. So questions are answered only when they are new, and only by a page that is looked at.
import type { FitAddon } from "@xterm/addon-fit";
import type { ITerminalOptions, Terminal } from "@xterm/xterm";
import type { ApiError } from "./api.js";
import { h } from "./dom.js";
import { size } from "./format.js";
import { stored } from "./stored.js";
import { TerminalConnection } from "./terminal_connection.js";
import { terminalTheme } from "./terminal_theme.js";
import type { TerminalProcess } from "./wire.js";

export interface TerminalViewActions {
  /** What status() says, or the title, may be another. */
  changed(): void;
  refused(message: string): void;
  gone(error: ApiError): void;
  /** The user leaves the terminal with the keyboard. */
  left(): void;
}

// Of a long output; about as much as the scrollback holds.
const tailBytes = 1 << 20;
const scrollbackLines = 10_000;

export type Library = typeof import("./xterm.js");
let library: Promise<Library> | undefined;

/** Loads xterm.js with its style sheet, once. */
export function loadLibrary(): Promise<Library> {
  library ??= (async () => {
    const sheet = h("link", { rel: "stylesheet", href: "xterm.css" });
    const styled = new Promise((resolve, reject) => {
      sheet.addEventListener("load", resolve);
      sheet.addEventListener("error", () => reject(new Error("The terminal's style sheet cannot be loaded.")));
    });
    document.head.append(sheet);
    const [loaded] = await Promise.all([import("./xterm.js"), styled]);
    return loaded;
  })();
  library.catch(() => (library = undefined)); // the next attempt may succeed
  return library;
}

function textOptions(): ITerminalOptions {
  return { fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"), fontSize: 13.5 };
}

/** The size of a terminal in `stage`: a program that starts with it need not draw itself again at once. */
export function sizeIn({ Terminal: XTerm, FitAddon: Fit }: Library, stage: HTMLElement): { rows: number; cols: number } {
  const element = h("div", { class: "terminal-view", "aria-hidden": "true" });
  stage.append(element);
  const terminal = new XTerm(textOptions());
  const fitting = new Fit();
  terminal.loadAddon(fitting);
  terminal.open(element);
  const { rows, cols } = fitting.proposeDimensions() ?? {};
  terminal.dispose();
  element.remove();
  return rows && cols ? { rows, cols } : { rows: 24, cols: 80 };
}

export class TerminalView {
  readonly element: HTMLElement;
  title = "";
  connected = false;
  private readonly terminal: Terminal;
  private readonly fitting: FitAddon;
  private readonly connection: TerminalConnection;
  private replayEnd = Infinity; // output before this offset is shown again
  private shown = 0;
  private replaced = false; // the size is another page's

  constructor(
    { Terminal: XTerm, FitAddon: Fit }: Library,
    public process: TerminalProcess,
    private readonly actions: TerminalViewActions,
  ) {
    this.element = h("div", { class: "terminal-view", role: "tabpanel", id: `terminal-view-${process.id}` });
    this.terminal = new XTerm({
      ...textOptions(),
      scrollback: scrollbackLines,
      convertEol: !process.terminal,
      disableStdin: !process.terminal,
      cursorInactiveStyle: process.terminal ? "outline" : "none",
      minimumContrastRatio: 4.5,
      screenReaderMode: stored("terminal-screen-reader") === "on",
      theme: terminalTheme(),
    });
    this.fitting = new Fit();
    this.terminal.loadAddon(this.fitting);
    this.answerOnlyWhatIsNew();
    this.terminal.attachCustomKeyEventHandler((event) => this.takeKey(event));
    this.terminal.onTitleChange((title) => {
      this.title = title;
      actions.changed();
    });
    this.connection = new TerminalConnection(process.id, tailBytes, {
      attached: (now, offset) => this.attached(now, offset),
      output: (bytes, error, end) => this.output(bytes, error, end),
      missing: (begin, end) => this.missing(begin, end),
      state: (now) => this.setProcess(now),
      resized: (rows, columns) => {
        this.replaced = true;
        this.terminal.resize(columns, rows);
      },
      refused: (message) => actions.refused(message),
      interrupted: () => {
        this.connected = false;
        actions.changed();
      },
      gone: (error) => actions.gone(error),
    });
    this.terminal.onData((data) => this.connection.type(data));
    this.terminal.onBinary((data) => this.connection.type(Uint8Array.from(data, (unit) => unit.charCodeAt(0))));
    new ResizeObserver(() => this.fit()).observe(this.element);
  }

  /** Puts the terminal into its element, which is in the document and visible. */
  show(): void {
    if (!this.terminal.element) {
      this.terminal.open(this.element);
      this.terminal.textarea?.setAttribute("aria-label", `Terminal: ${this.process.command}`);
      // Who types here wants to see it in this window's size.
      this.terminal.textarea?.addEventListener("focus", () => {
        if (this.replaced) this.fit();
      });
    }
    this.fit();
  }

  focus(): void {
    this.terminal.focus();
  }

  paint(): void {
    this.terminal.options.theme = terminalTheme();
  }

  setScreenReader(on: boolean): void {
    this.terminal.options.screenReaderMode = on;
  }

  reconnect(): void {
    this.connection.reconnect();
  }

  dispose(): void {
    this.connection.close();
    this.terminal.dispose();
    this.element.remove();
  }

  hasEnded(): boolean {
    return this.process.state === "ended" || this.process.state === "lost";
  }

  /** How it is, for the line below it. */
  status(): string {
    const { state, signal, exit_code: code } = this.process;
    if (state === "lost") return "Lost: it ended with the machine";
    const how = signal ? `killed by signal ${signal}` : `exit code ${code}`;
    if (state === "ended") return `Ended, ${how}`;
    if (!this.connected) return "Reconnecting…";
    if (state === "exited") return `Ended, ${how}; what it started still runs`;
    return this.process.terminal ? "" : "Running; without a terminal: read only";
  }

  private attached(now: TerminalProcess, offset: number): void {
    this.connected = true;
    if (this.replayEnd === Infinity) {
      this.replayEnd = now.output_end;
      if (offset > 0) this.note(`the first ${size(offset)} are not shown`);
    }
    this.setProcess(now);
    // Whoever looks at it last decides on its size.
    if (this.terminal.element && this.process.terminal) this.connection.resize(this.terminal.rows, this.terminal.cols);
  }

  private setProcess(now: TerminalProcess): void {
    this.process = now;
    if (this.hasEnded()) this.terminal.options.disableStdin = true;
    this.actions.changed();
  }

  private output(bytes: Uint8Array, error: boolean, end: number): void {
    if (error) this.terminal.write("\x1b[31m");
    this.terminal.write(bytes, () => {
      this.shown = end;
      this.connection.taken(end);
    });
    if (error) this.terminal.write("\x1b[39m");
  }

  private missing(begin: number, end: number): void {
    this.note(`bytes ${begin.toLocaleString("en")} to ${end.toLocaleString("en")} were dropped from the log`);
    this.terminal.write("", () => {
      this.shown = end;
      this.connection.taken(end);
    });
  }

  private note(text: string): void {
    this.terminal.write(`\r\n\x1b[2m[${text}]\x1b[22m\r\n`);
  }

  private fit(): void {
    if (!this.terminal.element || this.element.clientHeight === 0) return;
    const wanted = this.fitting.proposeDimensions();
    if (!wanted || !(wanted.cols > 0 && wanted.rows > 0)) return;
    const same = wanted.cols === this.terminal.cols && wanted.rows === this.terminal.rows;
    if (same && !this.replaced) return;
    this.replaced = false;
    if (!same) this.terminal.resize(wanted.cols, wanted.rows);
    if (this.process.terminal) this.connection.resize(wanted.rows, wanted.cols);
  }

  // Source: XTerm Control Sequences; what xterm.js answers: device attributes, status reports, modes, keyboard, colours.
  private answerOnlyWhatIsNew(): void {
    const silent = () => this.shown < this.replayEnd || document.hidden;
    const { parser } = this.terminal;
    for (const id of [
      { final: "c" }, { prefix: ">", final: "c" }, { prefix: "=", final: "c" },
      { final: "n" }, { prefix: "?", final: "n" },
      { intermediates: "$", final: "p" }, { prefix: "?", intermediates: "$", final: "p" },
      { prefix: "?", final: "u" }, { prefix: ">", final: "q" }, { final: "t" },
    ]) {
      parser.registerCsiHandler(id, silent);
    }
    parser.registerDcsHandler({ intermediates: "$", final: "q" }, silent);
    for (const color of [4, 10, 11, 12]) parser.registerOscHandler(color, (data) => data.includes("?") && silent());
  }

  /** False for the keys that are not the program's. */
  private takeKey(event: KeyboardEvent): boolean {
    const modifier = ["Control", "Alt", "AltGraph", "Meta", "Shift"].includes(event.key);
    if (modifier && event.ctrlKey && event.shiftKey && (event.altKey || event.key === "Meta")) {
      event.preventDefault();
      if (event.type === "keydown") this.actions.left();
      return false;
    }
    if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return true;
    if (event.code === "KeyC") {
      event.preventDefault(); // browsers open their inspector
      // Not navigator.clipboard: it exists only on https and localhost. The terminal fills in its selection.
      if (event.type === "keydown" && this.terminal.hasSelection()) document.execCommand("copy");
      return false;
    }
    return event.code !== "KeyV"; // the browser itself pastes
  }
}
