// The events of one conversation, without gaps or repetitions, across restarts of the daemon.
//
// fetch() rather than EventSource: EventSource gives up for good after any answer that is not 200 (a proxy's 502
// while the daemon restarts) and hides the status, so a lost login could not be told from a lost network.
import * as api from "./api.js";
import { Backoff } from "./backoff.js";
import { SseParser, type SseMessage } from "./sse.js";
import type { ConversationEvent } from "./wire.js";

export interface EventStreamListener {
  event(event: ConversationEvent): void;
  /** The connection was lost; transient events may be missing from here on. */
  interrupted(): void;
  /** The daemon refuses for a reason that waiting does not cure (401, 404). */
  refused(error: api.ApiError): void;
}

// The daemon writes a comment every 15 s. A connection that is silent for much longer is dead, as after a laptop's
// sleep, and would stay open for ever: the page never writes on it.
const silentMs = 50_000;

export class EventStream {
  private lastSeq = 0;
  private closed = false;
  private connection = new AbortController();
  private wake: () => void = () => {};
  private readonly backoff = new Backoff(300, 5_000);

  constructor(
    private readonly conversationId: string,
    private readonly listener: EventStreamListener,
  ) {
    void this.run();
  }

  close(): void {
    this.closed = true;
    this.connection.abort();
    this.wake();
  }

  /** Drops the connection, which may be dead without knowing it, and opens a new one at once. */
  reconnect(): void {
    this.backoff.reset();
    this.connection.abort();
    this.wake();
  }

  private async run(): Promise<void> {
    while (!this.closed) {
      this.connection = new AbortController();
      try {
        await this.read();
      } catch (error) {
        if (this.closed) return;
        if (error instanceof api.ApiError && (error.status === 401 || error.status === 404)) {
          this.closed = true;
          this.listener.refused(error);
          return;
        }
      }
      if (this.closed) return;
      this.listener.interrupted();
      await this.pause(this.backoff.next());
    }
  }

  private async read(): Promise<void> {
    const response = await api.events(this.conversationId, this.lastSeq, this.connection.signal);
    if (!response.body) return;
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parser = new SseParser();
    const { connection } = this;
    for (;;) {
      const silence = setTimeout(() => connection.abort(), silentMs);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done || this.closed) return;
      this.backoff.reset();
      for (const message of parser.push(decoder.decode(value, { stream: true }))) this.deliver(message);
    }
  }

  private deliver(message: SseMessage): void {
    let event: ConversationEvent;
    try {
      event = JSON.parse(message.data) as ConversationEvent;
    } catch {
      return;
    }
    if (message.id !== "") {
      const seq = Number(message.id);
      if (seq <= this.lastSeq) return;
      this.lastSeq = seq;
    }
    this.listener.event({ ...event, kind: event.kind ?? message.event } as ConversationEvent);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
