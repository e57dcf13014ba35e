// The chat: which conversation is open, its events, and what the user asks of it.
import * as api from "./api.js";
import { Composer } from "./composer.js";
import { ConversationList } from "./conversation_list.js";
import { byId, setText } from "./dom.js";
import { EventStream } from "./event_stream.js";
import { ticking } from "./format.js";
import { openQuestion, Timeline } from "./timeline.js";
import { toast, toastError } from "./toast.js";
import { Transcript } from "./transcript.js";
import { showModelBanner, showWelcome } from "./welcome.js";
import type { ApprovalAnswer, Conversation, State } from "./wire.js";

export interface ChatHost {
  /** Something happened that the list of conversations or the connection state should show. */
  changed(): void;
  /** The daemon wants a login. */
  unauthorized(): void;
}

const fragment = /^#conversation=(.+)$/;

export class Chat {
  private conversationId: string | undefined;
  private conversations: Conversation[] = [];
  private state: State | undefined;
  private stream: EventStream | undefined;
  private timeline = new Timeline();
  private chosen = false;
  private wantedSeq: number | undefined;
  private readonly composer = new Composer((prompt) => this.send(prompt));
  private readonly list = new ConversationList({
    choose: (id, seq) => this.openAt(id, seq),
    rename: (id, title) => this.attempt(() => api.rename(id, title)),
    remove: (id) => this.attempt(() => this.remove(id)),
    search: (query) => this.attempt(() => api.searchConversations(query)),
  });
  private readonly transcript = new Transcript(
    {
      cancel: (jobId) => void this.cancel(jobId),
      answer: (callId, given) => this.answer(callId, given),
      fork: (seq) => void this.attempt(() => this.fork(seq)),
      rewind: (seq) => void this.attempt(() => this.rewind(seq)),
    },
    () => this.showRun(),
  );

  constructor(private readonly host: ChatHost) {
    byId("conversation-new").addEventListener("click", () => {
      this.open(undefined);
      this.composer.focus();
    });
    byId("stop").addEventListener("click", () => {
      const run = this.timeline.active;
      if (run) void this.cancel(run.jobId);
    });
    addEventListener("hashchange", () => {
      const id = this.idInAddress();
      if (id && id !== this.conversationId) this.open(id);
    });
  }

  setState(state: State): void {
    this.state = state;
    showModelBanner(state);
    this.showEmpty();
  }

  /** The newest list; the first one decides which conversation opens. */
  setConversations(conversations: Conversation[]): void {
    this.conversations = conversations;
    if (!this.chosen) {
      const wanted = this.idInAddress();
      const known = conversations.find((conversation) => conversation.id === wanted);
      const running = conversations.find((conversation) => conversation.running_job);
      this.open((known ?? running ?? conversations[0])?.id);
    }
    this.showList();
  }

  /** Opens the stream anew: after an outage the old connection may be dead without knowing it. */
  reconnect(): void {
    this.stream?.reconnect();
  }

  close(): void {
    this.stream?.close();
    this.stream = undefined;
    this.chosen = false;
  }

  focus(): void {
    this.composer.focus();
  }

  private idInAddress(): string | undefined {
    const match = fragment.exec(location.hash);
    return match?.[1] ? decodeURIComponent(match[1]) : undefined;
  }

  private open(id: string | undefined): void {
    if (this.chosen && id === this.conversationId && (id === undefined || this.stream)) return;
    this.chosen = true;
    this.stream?.close();
    this.stream = undefined;
    this.conversationId = id;
    this.timeline = new Timeline();
    this.transcript.show(this.timeline);
    const address = location.pathname + location.search + (id ? `#conversation=${encodeURIComponent(id)}` : "");
    history.replaceState(null, "", address);
    if (id) this.listen(id);
    this.showEmpty();
    this.showList();
    this.showRun();
  }

  /** Opens a conversation where a search has found something. */
  private openAt(id: string, seq: number | undefined): void {
    this.wantedSeq = seq;
    this.open(id);
    if (this.timeline.caughtUp) this.showWanted();
  }

  private showWanted(): void {
    const seq = this.wantedSeq;
    this.wantedSeq = undefined;
    const run = seq === undefined ? undefined : this.timeline.runs.findLast((known) => known.seq > 0 && known.seq <= seq);
    if (run) this.transcript.reveal(run);
  }

  private listen(id: string): void {
    const timeline = this.timeline;
    this.stream = new EventStream(id, {
      event: (event) => {
        const run = timeline.apply(event);
        if (event.kind === "rewound") {
          this.transcript.show(timeline);
          this.showEmpty();
        }
        if (run) this.transcript.update(run);
        // What earlier runs ask may be closed by it.
        if (event.kind === "user_message") for (const known of timeline.runs) this.transcript.update(known);
        if (event.kind === "caught_up") {
          for (const known of timeline.runs) this.transcript.update(known);
          this.showEmpty();
          this.showWanted();
        }
        const listed = ["user_message", "run_started", "run_finished", "approval_request", "approval_answer"].includes(event.kind);
        if (listed && timeline.caughtUp) this.host.changed();
        if (listed) this.showEmpty();
      },
      interrupted: () => {
        timeline.interrupted();
        for (const run of timeline.runs) this.transcript.update(run);
        this.host.changed();
      },
      refused: (error) => {
        if (error.status === 401) return this.host.unauthorized();
        toast(error.message);
        this.open(undefined);
      },
    });
  }

  /** What `work` gives, or undefined when it failed, which the user is told. */
  private async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      this.host.changed();
      return result;
    } catch (error) {
      if (error instanceof api.ApiError && error.status === 401) this.host.unauthorized();
      else toastError(error);
      return undefined;
    }
  }

  private async remove(id: string): Promise<void> {
    await api.remove(id);
    this.conversations = this.conversations.filter((conversation) => conversation.id !== id);
    if (id === this.conversationId) this.open(undefined);
    else this.showList();
  }

  private async fork(seq: number): Promise<void> {
    if (!this.conversationId) return;
    const made = await api.fork(this.conversationId, seq);
    this.open(made.id);
    this.composer.propose(made.prompt);
  }

  private async rewind(seq: number): Promise<void> {
    if (!this.conversationId) return;
    const { prompt } = await api.rewind(this.conversationId, seq);
    this.composer.propose(prompt);
  }

  private async send(prompt: string): Promise<boolean> {
    const askedIn = this.conversationId;
    try {
      const accepted = await api.chat(prompt, askedIn);
      // The user may have switched to another conversation meanwhile.
      if (this.conversationId === askedIn) {
        if (accepted.conversation_id !== askedIn) this.open(accepted.conversation_id);
        this.transcript.update(this.timeline.accepted(accepted.job_id, prompt));
        this.transcript.follow();
        this.showEmpty();
      }
      this.host.changed();
      return true;
    } catch (error) {
      if (error instanceof api.ApiError && error.status === 401) this.host.unauthorized();
      else toastError(error);
      return false;
    }
  }

  private async cancel(jobId: string): Promise<void> {
    const timeline = this.timeline;
    const run = timeline.find(jobId);
    if (!run || run.stopping) return;
    run.stopping = true;
    this.transcript.update(run);
    this.showRun();
    try {
      await api.cancel(jobId);
    } catch (error) {
      run.stopping = false;
      this.transcript.update(run);
      if (error instanceof api.ApiError && error.status === 401) this.host.unauthorized();
      else toastError(error);
    }
    this.host.changed();
  }

  /** Why the answer is not stored, "" if it is. */
  private async answer(callId: string, given: ApprovalAnswer): Promise<string> {
    if (!this.conversationId) return "";
    try {
      await api.answer(this.conversationId, callId, given);
      this.host.changed();
      return "";
    } catch (error) {
      if (error instanceof api.ApiError && error.status === 401) this.host.unauthorized();
      return error instanceof Error ? error.message : String(error);
    }
  }

  private showRun(): void {
    const run = this.timeline.active;
    const status = byId("run-status");
    const stop = byId<HTMLButtonElement>("stop");
    status.hidden = !run;
    // A focused button that vanishes would drop the focus at the top of the page.
    if (!run && document.activeElement === stop) this.composer.focus();
    stop.hidden = !run;
    document.title = (run ? "● " : "") + this.title() + " · selfagent";
    if (!run) return;
    stop.disabled = run.stopping;
    setText(byId("stop-text"), run.stopping ? "Stopping…" : "Stop");
    const elapsed = ticking(Date.now() - this.timeline.clockOffsetMs - run.startedMs);
    const calls = run.items.filter((item) => item.type === "call").length;
    const words = [
      run.stopping ? "Stopping…" : run.state === "queued" ? "Waiting for its turn" : openQuestion(run) ? "Waiting for you" : "Working",
      run.state === "running" ? elapsed : "",
      calls > 0 ? `${calls} ${calls === 1 ? "action" : "actions"}` : "",
    ];
    setText(byId("run-status-text"), words.filter((word) => word !== "").join(" · "));
  }

  private showEmpty(): void {
    const empty = this.timeline.runs.length === 0 && (!this.conversationId || this.timeline.caughtUp);
    byId("empty").hidden = !empty;
    byId("transcript").hidden = empty;
    if (empty) showWelcome(this.state, (prompt) => void this.composer.submit(prompt));
  }

  private title(): string {
    if (!this.conversationId) return "New conversation";
    const listed = this.conversations.find((conversation) => conversation.id === this.conversationId)?.title;
    return listed || this.timeline.runs[0]?.prompt.slice(0, 80) || "Conversation";
  }

  private showList(): void {
    this.list.show(this.conversations, this.conversationId);
    setText(byId("conversation-title"), this.title());
  }
}
