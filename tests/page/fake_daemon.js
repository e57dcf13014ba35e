// A daemon that does what the test says: the page's endpoints of docs/protocol.md, with events given by hand.
import { createServer } from "node:http";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { extname, join, normalize } from "node:path";
import { WebSocketServer } from "ws";
import { serveRfb } from "./fake_rfb.js";

const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain" };
const securityPolicy =
  "default-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws: wss:; style-src 'self' 'unsafe-inline'";

export class FakeDaemon {
  token = "secret";
  state = {
    version: "0.1.0",
    model: { configured: true, name: "test-model", base_url: "http://127.0.0.1:1/v1", missing: [] },
    screen: { available: true, width: 640, height: 400, error: "" },
    lab: false,
    tools: ["screenshot", "click", "shell"],
  };
  conversations = [];
  /** What the page has asked for: {method, path, body}. */
  requests = [];
  /** What reached the desktop. */
  desktop = [];
  /** Called with each prompt that was accepted: (conversationId, jobId, prompt). */
  onPrompt = () => {};
  onCancel = () => {};
  /** Called with each answer to a call that waits: (conversationId, callId, body). */
  onAnswer = () => {};
  /** When set, such an answer is refused with [status, code, message]. */
  refuseAnswer = undefined;
  /** When set, POST /api/chat is refused with [status, code, message]. */
  refuseChat = undefined;
  /** Ignores Last-Event-ID, as a proxy that drops the header would make it. */
  repeatsEverything = false;
  /** The unix socket of a real X server's RFB, instead of the fake one. */
  vncSocket = undefined;

  #blobs = new Map();
  #events = new Map();
  #listeners = new Set();
  #sockets = new Set();
  #server = undefined;
  #next = 1;

  constructor(dist) {
    this.dist = dist;
  }

  async start(port = this.port ?? 0) {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    const webSockets = new WebSocketServer({ noServer: true, handleProtocols: () => "binary" });
    this.#server.on("upgrade", (request, socket, head) => {
      if (request.url !== "/vnc" || !this.#loggedIn(request) || !this.state.screen.available) {
        socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n");
        return;
      }
      webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#vnc(webSocket));
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    await new Promise((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    this.port = this.#server.address().port;
    this.url = `http://127.0.0.1:${this.port}/`;
  }

  /** Drops every connection at once, like a crash; events and conversations stay, as on a disk. */
  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    this.#listeners.clear();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  addBlob(bytes, mime) {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.#blobs.set(sha256, { bytes, mime });
    return sha256;
  }

  addConversation(title, id = `c-${this.#next++}`) {
    const now = Date.now();
    this.conversations.unshift({ id, title, created_ms: now, updated_ms: now, running_job: null });
    this.#events.set(id, []);
    return id;
  }

  newJob() {
    return `j-${this.#next++}`;
  }

  /** Records an event and sends it; deltas are sent only. */
  emit(conversationId, jobId, kind, fields = {}) {
    const event = { ts_ms: Date.now(), kind, conversation_id: conversationId, job_id: jobId, ...fields };
    const conversation = this.conversations.find((candidate) => candidate.id === conversationId);
    if (!["text_delta", "reasoning_delta", "caught_up"].includes(kind)) {
      event.seq = this.#next++;
      this.#events.get(conversationId).push(event);
      conversation.updated_ms = event.ts_ms;
    }
    if (kind === "run_started") conversation.running_job = jobId;
    if (kind === "run_finished") conversation.running_job = null;
    for (const listener of this.#listeners) if (listener.id === conversationId) write(listener.response, event);
    return event.seq;
  }

  get listening() {
    return this.#listeners.size;
  }

  #loggedIn(request) {
    return (request.headers.cookie ?? "").includes(`selfagent=${this.token}`);
  }

  #vnc(webSocket) {
    if (!this.vncSocket) return serveRfb(webSocket, this.desktop);
    const x = connect(this.vncSocket);
    x.on("data", (bytes) => webSocket.send(bytes));
    x.on("close", () => webSocket.close());
    x.on("error", () => webSocket.close());
    webSocket.on("message", (bytes) => x.write(bytes));
    webSocket.on("close", () => x.destroy());
  }

  async #answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, "http://fake");
    let text = "";
    for await (const chunk of request) text += chunk;
    const body = text ? JSON.parse(text) : undefined;
    this.requests.push({ method: request.method, path: pathname, body });
    const json = (status, value, headers = {}) => {
      response.writeHead(status, { "Content-Type": "application/json", ...headers });
      response.end(JSON.stringify(value));
    };
    const refuse = (status, code, message) => json(status, { error: { code, message } });

    if (pathname === "/api/login") {
      if (body.token !== this.token) return refuse(401, "unauthorized", "This token is not the daemon's token.");
      return json(200, { ok: true }, { "Set-Cookie": `selfagent=${this.token}; HttpOnly; SameSite=Strict; Path=/` });
    }
    if (!/^\/(api|cancel)\//.test(pathname)) return this.#file(pathname, response);
    if (!this.#loggedIn(request)) return refuse(401, "unauthorized", "Log in first.");
    if (pathname === "/api/logout") {
      return json(200, { ok: true }, { "Set-Cookie": "selfagent=; Max-Age=0; Path=/" });
    }
    if (pathname === "/api/state") return json(200, this.state);
    if (pathname === "/api/conversations" && searchParams.has("query")) {
      return json(200, { conversations: this.#search(searchParams.get("query")), unread: this.unread ?? 0 });
    }
    if (pathname === "/api/conversations") return json(200, { conversations: this.conversations });
    const whole = /^\/api\/conversations\/([^/]+)(\/fork|\/rewind)?$/.exec(pathname);
    if (whole) return this.#conversation(request.method, whole[1], whole[2], body, json, refuse, response);
    if (pathname === "/api/chat") {
      if (this.refuseChat) return refuse(...this.refuseChat);
      const id = body.conversation_id ?? this.addConversation(body.prompt);
      const jobId = this.newJob();
      json(202, { job_id: jobId, conversation_id: id });
      return this.onPrompt(id, jobId, body.prompt);
    }
    const answered = /^\/api\/conversations\/([^/]+)\/approvals\/([^/]+)$/.exec(pathname);
    if (answered) {
      if (this.refuseAnswer) return refuse(...this.refuseAnswer);
      json(200, { call_id: answered[2], ...body });
      return this.onAnswer(answered[1], answered[2], body);
    }
    const cancelled = /^\/cancel\/(.+)$/.exec(pathname);
    if (cancelled) {
      json(200, { job_id: cancelled[1], state: "running" });
      return this.onCancel(cancelled[1]);
    }
    const blob = this.#blobs.get(/^\/api\/blobs\/(.+)$/.exec(pathname)?.[1]);
    if (blob) {
      response.writeHead(200, { "Content-Type": blob.mime, "Cache-Control": "max-age=31536000, immutable" });
      return response.end(blob.bytes);
    }
    const events = this.#events.get(/^\/api\/conversations\/(.+)\/events$/.exec(pathname)?.[1]);
    if (!events) return refuse(404, "not_found", "There is no such conversation.");
    const after = this.repeatsEverything ? 0 : Number(request.headers["last-event-id"] ?? 0);
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    for (const event of events) if (event.seq > after) write(response, event);
    const id = /conversations\/(.+)\/events/.exec(pathname)[1];
    write(response, { ts_ms: Date.now(), kind: "caught_up", conversation_id: id, job_id: "" });
    const listener = { id, response };
    this.#listeners.add(listener);
    response.on("close", () => this.#listeners.delete(listener));
  }

  #search(query) {
    return this.conversations.flatMap((conversation) => {
      const hit = this.#events.get(conversation.id).findLast(({ text }) => text?.includes(query));
      return hit ? [{ ...conversation, match: { seq: hit.seq, kind: hit.kind, excerpt: `…${hit.text}` } }] : [];
    });
  }

  #conversation(method, id, action, body, json, refuse, response) {
    const conversation = this.conversations.find((known) => known.id === id);
    if (!conversation) return refuse(404, "not_found", "There is no such conversation.");
    if (method === "PATCH") return json(200, Object.assign(conversation, body));
    if (method === "DELETE") {
      if (conversation.running_job) return refuse(409, "conflict", "A run goes on in it.");
      this.conversations.splice(this.conversations.indexOf(conversation), 1);
      return response.writeHead(204).end();
    }
    const events = this.#events.get(id);
    const message = events.find(({ seq }) => seq === (body.at ?? body.to));
    const before = events.filter(({ seq }) => seq < message.seq);
    const last = before.at(-1)?.seq ?? 0;
    if (action === "/rewind") {
      this.emit(id, "", "rewound", { to: last });
      return json(200, { conversation_id: id, to: last, prompt: message.text });
    }
    const made = this.addConversation(`Fork of ${conversation.title}`);
    this.#events.set(made, before.map((event) => ({ ...event, seq: this.#next++, conversation_id: made })));
    this.emit(made, "", "forked", { from: id, at: last });
    return json(201, { ...this.conversations[0], prompt: message.kind === "user_message" ? message.text : "" });
  }

  async #file(pathname, response) {
    const path = normalize(pathname === "/" ? "/index.html" : pathname);
    try {
      const bytes = await readFile(join(this.dist, path));
      response.writeHead(200, {
        "Content-Type": types[extname(path)] ?? "application/octet-stream",
        "Content-Security-Policy": securityPolicy,
      });
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  }
}

function write(response, event) {
  if (event.seq !== undefined) response.write(`id: ${event.seq}\n`);
  response.write(`event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
}
