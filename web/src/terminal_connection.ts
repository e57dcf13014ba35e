// The bytes of one process, both ways: every byte of its output once, across lost connections and restarts of the daemon.
import * as api from "./api.js";
import { Backoff } from "./backoff.js";
import type { TerminalMessage, TerminalProcess } from "./wire.js";

export interface TerminalListener {
  attached(process: TerminalProcess, offset: number): void;
  /** `end` is the offset behind the last of `bytes`: for taken(), when they are shown. */
  output(bytes: Uint8Array, error: boolean, end: number): void;
  /** Bytes that are no longer in the log. */
  missing(begin: number, end: number): void;
  state(process: TerminalProcess): void;
  /** Another page has given the terminal this size. */
  resized(rows: number, columns: number): void;
  refused(message: string): void;
  interrupted(): void;
  /** It cannot be shown any more: the daemon does not know it, or nobody is logged in. */
  gone(error: api.ApiError): void;
}

// The daemon sends 1 MiB ahead of what was taken: a word now and then is enough for it never to wait.
const takenEveryBytes = 64 * 1024;

// A long paste is several messages: the daemon takes at most 1 MiB in one.
const mostTypedBytes = 512 * 1024;

export class TerminalConnection {
  private socket: WebSocket | undefined;
  private next: number | undefined;
  private told = 0;
  private closed = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly backoff = new Backoff(200, 5_000);
  private readonly encoder = new TextEncoder();

  /** Begins `tail` bytes before the end. */
  constructor(
    private readonly id: string,
    private readonly tail: number,
    private readonly listener: TerminalListener,
  ) {
    this.connect();
  }

  get open(): boolean {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  /** False if there is no connection: nothing is kept for later, when the screen may be another. */
  type(text: string | Uint8Array): boolean {
    if (!this.open) return false;
    const bytes = typeof text === "string" ? this.encoder.encode(text) : text;
    for (let at = 0; at < bytes.length; at += mostTypedBytes) this.socket?.send(bytes.slice(at, at + mostTypedBytes));
    return true;
  }

  resize(rows: number, columns: number): void {
    this.order({ type: "resize", rows, columns });
  }

  /** Everything before `offset` is on the screen. */
  taken(offset: number): void {
    if (offset - this.told < takenEveryBytes) return;
    this.told = offset;
    this.order({ type: "taken", offset });
  }

  /** Drops the connection, which may be dead without knowing it, and opens a new one at once. */
  reconnect(): void {
    if (this.closed) return;
    this.backoff.reset();
    this.drop();
    void this.connectAgain();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.drop();
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
  }

  private order(order: unknown): void {
    if (this.open) this.socket?.send(JSON.stringify(order));
  }

  private connect(): void {
    const from = this.next === undefined ? `tail=${this.tail}` : `offset=${this.next}`;
    const socket = new WebSocket(api.terminalUrl(this.id, from));
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (this.socket !== socket) return;
      if (typeof data === "string") this.hear(JSON.parse(data) as TerminalMessage);
      else this.output(data);
    });
    socket.addEventListener("close", ({ code }) => {
      if (this.socket !== socket) return;
      this.socket = undefined;
      if (code === 1000) this.closed = true; // all output of a process that has ended is here
      else this.later();
    });
  }

  private later(): void {
    this.listener.interrupted();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.connectAgain(), this.backoff.next());
  }

  // A WebSocket does not tell why it was refused; a request does.
  private async connectAgain(): Promise<void> {
    clearTimeout(this.timer);
    try {
      await api.terminal(this.id);
    } catch (error) {
      if (this.closed || this.socket) return;
      if (error instanceof api.ApiError && (error.status === 401 || error.status === 404)) {
        this.closed = true;
        return this.listener.gone(error);
      }
      return this.later();
    }
    if (!this.closed && !this.socket) this.connect();
  }

  private hear(message: TerminalMessage): void {
    switch (message.type) {
      case "attached":
        this.backoff.reset();
        this.next = message.offset;
        this.told = message.offset;
        return this.listener.attached(message, message.offset);
      case "missing":
        this.next = message.end;
        return this.listener.missing(message.begin, message.end);
      case "state":
        return this.listener.state(message);
      case "size":
        return this.listener.resized(message.rows, message.columns);
      case "error":
        return this.listener.refused(message.message);
    }
  }

  private output(data: ArrayBuffer): void {
    const head = new DataView(data).getBigUint64(0);
    const error = head >> 63n === 1n;
    const bytes = new Uint8Array(data, 8);
    this.next = Number(head & ((1n << 63n) - 1n)) + bytes.length;
    this.listener.output(bytes, error, this.next);
  }
}
