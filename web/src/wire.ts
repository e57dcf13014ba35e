// What the daemon sends, in the words of docs/protocol.md.

export interface State {
  version: string;
  model: { configured: boolean; name: string; base_url: string; missing: string[] };
  screen: { available: boolean; width: number; height: number; error: string };
  lab: boolean;
  tools: string[];
}

export interface Conversation {
  id: string;
  title: string;
  created_ms: number;
  updated_ms: number;
  running_job: string | null;
  /** What a run of it asks now. */
  approval?: { call_id: string; tool: string } | null;
  forked_from?: { conversation_id: string; seq: number } | null;
}

export interface FoundConversation extends Conversation {
  /** `seq` is null where the title has the words. */
  match: { seq: number | null; kind: string; excerpt: string };
}

export interface ConversationSearch {
  conversations: FoundConversation[];
  /** Events that were not searched yet. */
  unread: number;
}

export interface Fork extends Conversation {
  /** The message at which it was cut. */
  prompt: string;
}

export interface Rewound {
  to: number;
  prompt: string;
}

export interface Picture {
  sha256: string;
  mime: string;
  width: number;
  height: number;
}

/** What the planner looked at before it believed that a task is done. */
export interface Check {
  claim: string;
  holds: boolean;
  seen: string;
}

/** What a person says to a call that waits. */
export interface ApprovalAnswer {
  decision: "once" | "session" | "deny" | "edit";
  reason?: string;
  arguments?: Record<string, unknown>;
}

export type EndState = "succeeded" | "failed" | "cancelled" | "interrupted";

interface EventBase {
  /** Absent on transient events, which are neither stored nor repeated. */
  seq?: number;
  ts_ms: number;
  conversation_id: string;
  job_id: string;
}

export type ConversationEvent = EventBase &
  (
    | { kind: "user_message"; text: string; joined?: string }
    | { kind: "run_started"; model: string }
    | { kind: "text_delta"; text: string }
    | { kind: "reasoning_delta"; text: string }
    | { kind: "assistant_message"; text: string; reasoning?: string }
    | { kind: "action_intent"; call_id: string; tool: string; arguments: Record<string, unknown> }
    | {
        kind: "action_result";
        call_id: string;
        tool: string;
        ok: boolean;
        text: string;
        images?: Picture[];
        elapsed_ms: number;
      }
    | {
        kind: "approval_request";
        call_id: string;
        tool: string;
        arguments: Record<string, unknown>;
        why: string[];
        /** What an approval for the conversation covers. */
        session: string;
      }
    | ({ kind: "approval_answer"; call_id: string; by: string } & ApprovalAnswer)
    | { kind: "notice"; text: string; to_model?: boolean }
    | { kind: "summary"; text: string }
    | {
        kind: "run_finished";
        state: EndState;
        reason: string;
        reply: string;
        steps: number;
        elapsed_ms: number;
        outcome?: string;
        checks?: Check[];
        /** The run that has taken this prompt up. */
        joined?: string;
      }
    | { kind: "rewound"; to: number }
    | { kind: "forked"; from: string; at: number }
    | { kind: "caught_up" }
  );

export interface ChatAccepted {
  job_id: string;
  conversation_id: string;
}

export interface TerminalProcess {
  id: string;
  state: "running" | "exited" | "ended" | "lost";
  exit_code: number;
  signal: number;
  output_end: number;
  started_ms: number;
  ended_ms: number;
  command: string;
  cwd: string;
  terminal: boolean;
  client: string;
  session: string;
  /** What runs in it; "" when a shell waits for its next command, and when it has ended. Only where the list has it. */
  running?: string;
}

/** The text messages of a terminal's WebSocket. */
export type TerminalMessage =
  | ({ type: "attached"; offset: number } & TerminalProcess)
  | ({ type: "state" } & TerminalProcess)
  | { type: "missing"; begin: number; end: number }
  | { type: "size"; rows: number; columns: number }
  | { type: "error"; code: string; message: string };
