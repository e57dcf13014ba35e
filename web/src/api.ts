// The only place that knows the daemon's endpoints (docs/protocol.md).
import type { ApprovalAnswer, ChatAccepted, Conversation, ConversationSearch, Fork, Rewound, State, TerminalProcess } from "./wire.js";

/** A refused or failed request. `status` is 0 when the daemon could not be reached at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

// An answer that takes longer means that the daemon is gone or stuck: say so instead of waiting on.
const requestTimeoutMs = 15_000;

/** Relative to the page, so that a reverse proxy may put it under a prefix. */
function endpoint(path: string): URL {
  return new URL(path, document.baseURI.replace(/[?#].*$/, ""));
}

async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(endpoint(path), { credentials: "same-origin", cache: "no-store", ...init });
  } catch (error) {
    if (init.signal?.aborted && init.signal.reason?.name !== "TimeoutError") throw error;
    throw new ApiError(0, "unreachable", "The daemon does not answer. Is it running?");
  }
  if (response.ok) return response;
  throw await refusal(response);
}

async function refusal(response: Response): Promise<ApiError> {
  const fallback = `The daemon answered ${response.status} ${response.statusText}`.trim() + ".";
  try {
    const { error } = (await response.json()) as { error?: { code?: string; message?: string } };
    return new ApiError(response.status, error?.code ?? "", error?.message || fallback);
  } catch {
    return new ApiError(response.status, "", fallback);
  }
}

async function getJson<T>(path: string): Promise<T> {
  const response = await request(path, { signal: AbortSignal.timeout(requestTimeoutMs) });
  return (await response.json()) as T;
}

function sendJson(method: string, path: string, body: unknown): Promise<Response> {
  return request(path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
}

async function postJson<T>(path: string, body: unknown): Promise<T> {
  return (await (await sendJson("POST", path, body)).json()) as T;
}

/** Trades the token for the login cookie. Throws ApiError 401 for a wrong token. */
export async function login(token: string): Promise<void> {
  await postJson("api/login", { token });
}

export async function logout(): Promise<void> {
  await postJson("api/logout", {});
}

export function state(): Promise<State> {
  return getJson("api/state");
}

/** Newest first. */
export async function conversations(): Promise<Conversation[]> {
  return (await getJson<{ conversations: Conversation[] }>("api/conversations")).conversations;
}

function conversationPath(id: string): string {
  return `api/conversations/${encodeURIComponent(id)}`;
}

export function searchConversations(query: string): Promise<ConversationSearch> {
  return getJson(`api/conversations?query=${encodeURIComponent(query)}`);
}

export async function rename(id: string, title: string): Promise<void> {
  await sendJson("PATCH", conversationPath(id), { title });
}

export async function remove(id: string): Promise<void> {
  await request(conversationPath(id), { method: "DELETE", signal: AbortSignal.timeout(requestTimeoutMs) });
}

/** A new conversation with what came before the event `at`. */
export function fork(id: string, at: number): Promise<Fork> {
  return postJson(`${conversationPath(id)}/fork`, { at });
}

/** Leaves out what came from the event `to` on. */
export function rewind(id: string, to: number): Promise<Rewound> {
  return postJson(`${conversationPath(id)}/rewind`, { to });
}

/** Throws ApiError, for example 400 for arguments that the tool refuses. */
export async function answer(id: string, callId: string, given: ApprovalAnswer): Promise<void> {
  await postJson(`${conversationPath(id)}/approvals/${encodeURIComponent(callId)}`, given);
}

export function exportUrl(id: string, format: "jsonl" | "atif" | "osworld"): string {
  return endpoint(`${conversationPath(id)}/export?format=${format}`).href;
}

/** Queues a prompt and returns at once; without a conversation a new one is made. */
export function chat(prompt: string, conversationId: string | undefined): Promise<ChatAccepted> {
  return postJson("api/chat", {
    prompt,
    ...(conversationId ? { conversation_id: conversationId } : {}),
    wait: false,
  });
}

export async function cancel(jobId: string): Promise<void> {
  await postJson(`cancel/${encodeURIComponent(jobId)}`, {});
}

/** Opens the events of a conversation after `after` (0: all of them); the body is Server-Sent Events. */
export function events(conversationId: string, after: number, signal: AbortSignal): Promise<Response> {
  return request(`${conversationPath(conversationId)}/events`, {
    headers: { Accept: "text/event-stream", ...(after > 0 ? { "Last-Event-ID": String(after) } : {}) },
    signal,
  });
}

export function blobUrl(sha256: string): string {
  return endpoint(`api/blobs/${encodeURIComponent(sha256)}`).href;
}

function webSocketUrl(path: string): string {
  const url = endpoint(path);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

export function desktopUrl(): string {
  return webSocketUrl("vnc");
}

/** The daemon's processes, the newest first. */
export async function terminals(): Promise<TerminalProcess[]> {
  return (await getJson<{ terminals: TerminalProcess[] }>("api/terminals")).terminals;
}

export function terminal(id: string): Promise<TerminalProcess> {
  return getJson(`api/terminals/${encodeURIComponent(id)}`);
}

/** Starts a shell on a terminal of this size. */
export function newTerminal(rows: number, columns: number): Promise<TerminalProcess> {
  return postJson("api/terminals", { rows, columns });
}

/** Ends the process and all that it has started. */
export async function endTerminal(id: string): Promise<void> {
  await request(`api/terminals/${encodeURIComponent(id)}`, { method: "DELETE", signal: AbortSignal.timeout(requestTimeoutMs) });
}

/** `from` is "offset=N" or "tail=N". */
export function terminalUrl(id: string, from: string): string {
  return webSocketUrl(`api/terminals/${encodeURIComponent(id)}?${from}`);
}
