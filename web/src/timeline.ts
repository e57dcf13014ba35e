// What a conversation looks like: the events folded into runs. Knows no page and no network.
//
// Events are grouped by job, because a prompt that waits in the queue is recorded while another run still goes on.
import type { ApprovalAnswer, Check, ConversationEvent, EndState, Picture } from "./wire.js";

export interface AssistantItem {
  type: "assistant";
  text: string;
  reasoning: string;
  /** False while it is still made of deltas. */
  final: boolean;
  /** Of the whole message, 0 before it. */
  seq: number;
}

export interface CallItem {
  type: "call";
  callId: string;
  tool: string;
  args: Record<string, unknown>;
  /** unknown: the run ended without a result, so the action may or may not have happened. */
  state: "running" | "ok" | "failed" | "unknown";
  startedMs: number;
  elapsedMs: number;
  text: string;
  images: Picture[];
}

export interface NoteItem {
  /** summary: what the model is told instead of earlier steps, in Markdown. */
  type: "notice" | "user" | "summary";
  text: string;
}

/** A call that is not made before a person says so. */
export interface ApprovalItem {
  type: "approval";
  callId: string;
  tool: string;
  args: Record<string, unknown>;
  why: string[];
  covers: string;
  /** closed: nobody has answered, and nobody can any more. */
  state: "open" | "answered" | "closed";
  answer: (ApprovalAnswer & { by: string }) | undefined;
}

export type Item = AssistantItem | CallItem | ApprovalItem | NoteItem;

export interface Run {
  jobId: string;
  /** Of its first event; 0 until that was recorded. */
  seq: number;
  prompt: string;
  /** True once the daemon has recorded the prompt. */
  recorded: boolean;
  model: string;
  state: "queued" | "running" | EndState;
  /** The user has asked for it to stop. */
  stopping: boolean;
  items: Item[];
  startedMs: number;
  elapsedMs: number;
  steps: number;
  reason: string;
  reply: string;
  /** How a run with a model ended, more exactly than its state; "" for a command. */
  outcome: string;
  checks: Check[];
  /** Another run has taken the prompt up, and shows it. */
  joined: boolean;
}

export class Timeline {
  readonly runs: Run[] = [];
  caughtUp = false;
  private offsetMs: number | undefined;

  /** Local clock minus the daemon's, in ms: the least that a live event has shown, as its way takes time too. */
  get clockOffsetMs(): number {
    return this.offsetMs ?? 0;
  }

  /** The oldest run that is going on, if any. */
  get running(): Run | undefined {
    return this.runs.find((run) => run.state === "running");
  }

  /** The run that a stop button stops: the running one, else the one that waits longest. */
  get active(): Run | undefined {
    return this.running ?? this.runs.find((run) => run.state === "queued");
  }

  find(jobId: string): Run | undefined {
    return this.runs.find((run) => run.jobId === jobId);
  }

  /** Shows a prompt that the daemon has accepted but not recorded yet. */
  accepted(jobId: string, prompt: string): Run {
    const run = this.runOf(jobId);
    if (!run.recorded) run.prompt = prompt;
    return run;
  }

  /** Transient text was lost with the connection: forget the rest of it, the whole message follows. */
  interrupted(): void {
    this.caughtUp = false;
    for (const run of this.runs) {
      run.items = run.items.filter((item) => item.type !== "assistant" || item.final);
    }
  }

  /** Returns the run that the event changes. */
  apply(event: ConversationEvent, nowMs = Date.now()): Run | undefined {
    if (event.kind === "caught_up") {
      this.caughtUp = true;
      this.compareClocks(event.ts_ms, nowMs);
      return undefined;
    }
    if (this.caughtUp) this.compareClocks(event.ts_ms, nowMs);
    if (event.kind === "rewound" || event.kind === "forked") return this.cut(event);
    const run = this.runOf(event.job_id ?? "");
    if (event.kind === "user_message" && !run.recorded && !isCommand(event.text)) this.leaveQuestions(run);
    if (run.seq === 0) run.seq = event.seq ?? 0;
    // What a run does shows that it runs, should its start be missing.
    if (run.state === "queued" && event.kind !== "user_message" && event.kind !== "notice") {
      run.state = "running";
      run.startedMs = event.ts_ms;
    }
    switch (event.kind) {
      case "user_message":
        if (run.recorded) run.items.push({ type: "user", text: event.text });
        else run.prompt = event.text;
        run.recorded = true;
        break;
      case "run_started":
        run.state = "running";
        run.model = event.model;
        run.startedMs = event.ts_ms;
        break;
      case "text_delta":
        draft(run).text += event.text;
        break;
      case "reasoning_delta":
        draft(run).reasoning += event.text;
        break;
      case "assistant_message":
        Object.assign(draft(run), {
          text: event.text,
          reasoning: event.reasoning ?? "",
          final: true,
          seq: event.seq ?? 0,
        });
        break;
      case "action_intent":
        run.items.push({
          type: "call",
          callId: event.call_id,
          tool: event.tool,
          args: event.arguments ?? {},
          state: "running",
          startedMs: event.ts_ms,
          elapsedMs: 0,
          text: "",
          images: [],
        });
        break;
      case "action_result":
        Object.assign(call(run, event.call_id, event.tool, event.ts_ms), {
          state: event.ok ? "ok" : "failed",
          text: event.text ?? "",
          images: event.images ?? [],
          elapsedMs: event.elapsed_ms,
        });
        break;
      case "approval_request":
        run.items.push({
          type: "approval",
          callId: event.call_id,
          tool: event.tool,
          args: event.arguments ?? {},
          why: event.why ?? [],
          covers: event.session ?? "",
          state: "open",
          answer: undefined,
        });
        break;
      case "approval_answer":
        for (const item of run.items) {
          if (item.type === "approval" && item.callId === event.call_id) Object.assign(item, { state: "answered", answer: event });
        }
        break;
      case "notice":
        run.items.push({ type: "notice", text: event.to_model ? `Told the model: ${event.text}` : event.text });
        break;
      case "summary":
        run.items.push({ type: "summary", text: event.text });
        break;
      case "run_finished":
        finish(run, event);
        break;
      default:
        return undefined; // A kind that a newer daemon has added.
    }
    return run;
  }

  /** The conversation goes on: what runs that have ended still ask is no longer open. */
  private leaveQuestions(next: Run): void {
    for (const run of this.runs) {
      if (run !== next && run.state !== "running" && run.state !== "queued") closeQuestions(run);
    }
  }

  /** Returns the run that ends where the conversation was cut. */
  private cut(event: ConversationEvent & { kind: "rewound" | "forked" }): Run | undefined {
    if (event.kind === "rewound") {
      const kept = this.runs.filter((run) => run.seq <= event.to);
      this.runs.splice(0, this.runs.length, ...kept);
    } else {
      for (const run of this.runs) closeQuestions(run);
    }
    const last = this.runs.at(-1);
    const text =
      event.kind === "forked"
        ? "Forked here from another conversation."
        : "Rewound to here. Files and the desktop stay as they were.";
    last?.items.push({ type: "notice", text });
    return last;
  }

  private compareClocks(daemonMs: number | undefined, nowMs: number): void {
    if (!daemonMs) return;
    this.offsetMs = Math.min(this.offsetMs ?? Infinity, nowMs - daemonMs);
  }

  private runOf(jobId: string): Run {
    const known = this.find(jobId);
    if (known) return known;
    const run: Run = {
      jobId,
      seq: 0,
      prompt: "",
      recorded: false,
      model: "",
      state: "queued",
      stopping: false,
      items: [],
      startedMs: 0,
      elapsedMs: 0,
      steps: 0,
      reason: "",
      reply: "",
      outcome: "",
      checks: [],
      joined: false,
    };
    this.runs.push(run);
    return run;
  }
}

function draft(run: Run): AssistantItem {
  const last = run.items.findLast((item) => item.type === "assistant");
  if (last?.type === "assistant" && !last.final) return last;
  const item: AssistantItem = { type: "assistant", text: "", reasoning: "", final: false, seq: 0 };
  run.items.push(item);
  return item;
}

function call(run: Run, callId: string, tool: string, tsMs: number): CallItem {
  for (const item of run.items) if (item.type === "call" && item.callId === callId) return item;
  const item: CallItem = {
    type: "call",
    callId,
    tool,
    args: {},
    state: "running",
    startedMs: tsMs,
    elapsedMs: 0,
    text: "",
    images: [],
  };
  run.items.push(item);
  return item;
}

/** As the daemon tells commands from sentences that begin with a path. */
function isCommand(prompt: string): boolean {
  return /^\/[^/\s]*(\s|$)/.test(prompt);
}

function closeQuestions(run: Run): void {
  for (const item of run.items) if (item.type === "approval" && item.state === "open") item.state = "closed";
}

/** The question of the run that waits for an answer. */
export function openQuestion(run: Run): ApprovalItem | undefined {
  return run.items.find((item): item is ApprovalItem => item.type === "approval" && item.state === "open");
}

function finish(run: Run, event: ConversationEvent & { kind: "run_finished" }): void {
  run.state = event.state;
  run.joined = event.joined !== undefined;
  run.stopping = false;
  run.reason = event.reason ?? "";
  run.outcome = event.outcome ?? "";
  run.checks = event.checks ?? [];
  run.steps = event.steps ?? 0;
  run.elapsedMs = event.elapsed_ms ?? 0;
  for (const item of run.items) {
    if (item.type === "call" && item.state === "running") item.state = "unknown";
    if (item.type === "assistant") item.final = true;
  }
  if (run.state === "cancelled") closeQuestions(run);
  // A chat command may answer with its reply alone; a model's last message is the reply already.
  const reply = (event.reply ?? "").trim();
  const shown = run.items.some(
    (item) =>
      (item.type === "assistant" || item.type === "call") && item.text.trim().includes(reply),
  );
  run.reply = reply === "" || shown ? "" : reply;
}
