// Asks the daemon how it is: regularly, soon after an event, and ever more patiently while it is away.
import * as api from "./api.js";
import { Backoff } from "./backoff.js";
import type { Conversation, State } from "./wire.js";

export interface DaemonListener {
  answered(state: State, conversations: Conversation[]): void;
  /** The first answer after an outage; `answered` follows. */
  recovered(): void;
  unreachable(error: api.ApiError): void;
  unauthorized(error: api.ApiError): void;
}

const idleMs = 10_000;
const runningMs = 4_000;
// Several events at once are one question.
const soonMs = 120;

export class DaemonWatch {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking = false;
  private again = false;
  private away = false;
  private stopped = true;
  private readonly backoff = new Backoff(500, 4_000);

  constructor(private readonly listener: DaemonListener) {
    addEventListener("online", () => this.soon());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.soon();
    });
  }

  start(): void {
    this.stopped = false;
    void this.ask();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  soon(): void {
    if (this.stopped) return;
    if (this.asking) this.again = true;
    else this.schedule(soonMs);
  }

  private schedule(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ask(), ms);
  }

  private async ask(): Promise<void> {
    if (this.asking || this.stopped) return;
    this.asking = true;
    this.again = false;
    let pauseMs = idleMs;
    try {
      const [state, conversations] = await Promise.all([api.state(), api.conversations()]);
      if (this.stopped) return;
      this.backoff.reset();
      if (this.away) this.listener.recovered();
      this.away = false;
      this.listener.answered(state, conversations);
      if (conversations.some((conversation) => conversation.running_job)) pauseMs = runningMs;
    } catch (error) {
      if (this.stopped) return;
      const failure = error instanceof api.ApiError ? error : new api.ApiError(0, "", String(error));
      if (failure.status === 401) {
        this.stop();
        this.listener.unauthorized(failure);
        return;
      }
      this.away = true;
      this.listener.unreachable(failure);
      pauseMs = this.backoff.next();
    } finally {
      this.asking = false;
    }
    this.schedule(this.again ? soonMs : pauseMs);
  }
}
