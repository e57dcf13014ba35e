// The chat: commands without a model, and the main job with a scripted one.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe } from "node:test";
import { notesModel } from "./model.mjs";
import { startServer } from "./model_server/server.mjs";
import { decodePng, find, inkOf, test, until, useBox, within } from "./harness.mjs";

/** Starts a run and returns {job_id, conversation_id}. */
async function begin(box, prompt, conversation_id) {
  const { status, body, text } = await box.daemon.post("/api/chat", { prompt, wait: false, ...(conversation_id && { conversation_id }) });
  assert.equal(status, 202, text);
  return body;
}
const eventsOf = (box, { conversation_id }, done = (event) => event.kind === "run_finished", timeoutMs = 30_000) =>
  box.daemon.events(`/api/conversations/${conversation_id}/events`, done, { timeoutMs });

describe("without a model", () => {
  const box = useBox();

  test("/help lists the commands", async () => {
    const { body } = await box.daemon.post("/api/chat", { prompt: "/help" });
    for (const word of ["/click", "/type", "/key", "/shell", "/screenshot"]) assert.ok(body.reply.includes(word), body.reply);
  });

  test("/shell and /click run tools and are recorded", async () => {
    const started = await begin(box, "/shell echo $((6 * 7))");
    const events = await eventsOf(box, started);
    assert.deepEqual(events.map(({ kind }) => kind).filter((kind) => kind !== "caught_up" && kind !== "assistant_message"),
                     ["user_message", "run_started", "action_intent", "action_result", "run_finished"]);
    const by = Object.fromEntries(events.map((event) => [event.kind, event.data]));
    assert.equal(by.user_message.text, "/shell echo $((6 * 7))");
    assert.equal(by.run_started.model, "");
    assert.deepEqual([by.action_intent.tool, by.action_intent.arguments.command], ["shell", "echo $((6 * 7))"]);
    assert.equal(by.action_result.ok, true);
    assert.match(by.action_result.text, /42/);
    assert.equal(by.run_finished.state, "succeeded");
    assert.ok(events.every(({ data, kind }) => kind === "caught_up" || (data.conversation_id === started.conversation_id && data.ts_ms > 1e12)));

    await box.daemon.post("/api/chat", { prompt: "/click 100 200" });
    assert.match(await box.daemon.tool("screen_info"), /100, ?200/);
  });

  test("/screenshot leaves a picture that can be fetched", async () => {
    const events = await eventsOf(box, await begin(box, "/screenshot"));
    const [image] = events.find(({ kind }) => kind === "action_result").data.images;
    assert.deepEqual([image.mime, image.width, image.height], ["image/png", 1344, 896]);
    const response = await box.daemon.fetch(`/api/blobs/${image.sha256}`);
    assert.equal(response.headers.get("content-type"), "image/png");
    assert.match(response.headers.get("cache-control"), /immutable/);
    assert.equal((await decodePng(Buffer.from(await response.arrayBuffer()))).width, 1344);
    assert.equal((await box.daemon.fetch("/api/blobs/../token")).status, 404);
    assert.equal((await box.daemon.fetch(`/api/blobs/${"0".repeat(64)}`)).status, 404);
  });

  test("a wrong command is a sentence that helps", async () => {
    for (const [prompt, word] of [["/clikc 1 2", /clikc[\s\S]*click/], ["/click 1", /\by\b/], ["/click 5000 1", /5000[\s\S]*1344/]]) {
      const finished = (await eventsOf(box, await begin(box, prompt))).at(-1).data;
      assert.equal(finished.state, "failed", prompt);
      assert.match(finished.reason + finished.reply, word);
    }
  });

  test("a prompt says which variables to set", async () => {
    const finished = (await eventsOf(box, await begin(box, "open a terminal"))).at(-1).data;
    assert.equal(finished.state, "failed");
    assert.match(finished.reason, /LLM_API_BASE_URL/);
    assert.match(finished.reason, /LLM_MODEL/);
    const { body } = await box.daemon.get("/api/state");
    assert.equal(body.model.configured, false);
    assert.ok(body.model.missing.includes("LLM_API_BASE_URL") && body.model.missing.includes("LLM_MODEL"));
    assert.equal(body.screen.available, true);
  });

  test("bad requests are refused by name", async () => {
    for (const [body, code, word] of [[{}, 400, /prompt/], [{ prompt: 5 }, 400, /prompt/], [{ prompt: "x", colour: 1 }, 400, /colour/], [{ prompt: "/help", conversation_id: "c-none" }, 404, /c-none/]]) {
      const answer = await box.daemon.post("/api/chat", body);
      assert.equal(answer.status, code, answer.text);
      assert.match(answer.body.error.message, word);
    }
  });

  test("a command that hangs is stopped at once", async () => {
    const started = await begin(box, "/shell sleep 100");
    await eventsOf(box, started, ({ kind }) => kind === "action_intent");
    const start = performance.now();
    await box.daemon.post(`/cancel/${started.job_id}`, {});
    const finished = (await eventsOf(box, started)).at(-1).data;
    assert.ok(performance.now() - start < 15_000, `${performance.now() - start} ms`);
    assert.equal(finished.state, "cancelled");
  });
});

describe("with a scripted model", () => {
  const box = useBox({
    prepare: async (own) => {
      own.model = await notesModel();
      return { env: own.model.env };
    },
  });

  test("notes: the file is on disk, its text is on the screen, the reply streams", async () => {
    const started = await begin(box, "open a terminal, write today's notes into a file, show it");
    const events = await eventsOf(box, started, undefined, 60_000);
    const finished = events.at(-1).data;
    assert.equal(finished.state, "succeeded", JSON.stringify(finished));
    assert.ok(finished.steps >= 3, `${finished.steps} steps`);
    const { file, lines, reply } = box.model.script.about;
    const path = file.startsWith("/") ? file : join(box.daemon.workspace, file);
    const text = readFileSync(path, "utf8");
    for (const line of lines) assert.ok(text.includes(line), text);

    const intents = events.filter(({ kind }) => kind === "action_intent");
    const results = events.filter(({ kind }) => kind === "action_result");
    assert.deepEqual(results.map(({ data }) => data.call_id).sort(), intents.map(({ data }) => data.call_id).sort());
    assert.ok(results.every(({ data }) => data.ok), JSON.stringify(results.filter(({ data }) => !data.ok)));
    assert.ok(results.some(({ data }) => data.images.length > 0), "the model saw a picture");
    assert.match(finished.reply, new RegExp(reply));

    // Only what is written while someone listens is streamed: the deltas of the last answer make up its text.
    const deltas = events.filter(({ kind }) => kind === "text_delta").map(({ data }) => data.text);
    assert.ok(deltas.length > 1, "the answer came in pieces");
    assert.ok(events.filter(({ kind }) => kind === "text_delta").every(({ id }) => id === undefined), "deltas are transient");
    assert.ok(deltas.join("").includes(events.filter(({ kind }) => kind === "assistant_message").at(-1).data.text));

    // The terminal shows each line: it has the pixels that another terminal draws for it.
    let shot;
    for (const line of lines) {
      const ink = await inkOf(box, line);
      await until(`"${line}" is on the screen`, async () => {
        shot = await decodePng(await box.daemon.screenshot({ cursor: false }));
        return find(shot, ink);
      });
    }
    assert.ok(!find(shot, await inkOf(box, "this was never written 12345")), "the comparison can fail");
  });

  test("what the model was sent: tools, system text, results, pictures after the results", async () => {
    const requests = box.model.requests;
    assert.ok(requests.length >= 3);
    const first = requests[0].body;
    assert.equal(first.stream, true);
    assert.equal(first.model, "scripted-notes");
    assert.ok(first.tools.some((tool) => tool.type === "function" && tool.function.name === "click"));
    assert.equal(first.messages[0].role, "system");
    assert.match(JSON.stringify(first.messages), /today's notes/);
    const last = requests.at(-1).body.messages;
    const calls = last.flatMap((message) => message.tool_calls ?? []).map(({ id }) => id);
    assert.deepEqual(last.filter(({ role }) => role === "tool").map((message) => message.tool_call_id), calls);
    for (const message of last) {
      if (message.role === "tool") assert.equal(typeof message.content, "string");
      else if (Array.isArray(message.content) && message.content.some(({ type }) => type === "image_url")) assert.equal(message.role, "user");
    }
    assert.match(JSON.stringify(last), /data:image\/(png|jpeg);base64,/);
    assert.ok(requests.every(({ headers }) => headers.authorization === "Bearer sk-scripted"));
  });

  test("every request was well formed, and had what the script expected", () => {
    assert.deepEqual(box.model.requests.flatMap(({ problems }) => problems), []);
  });

  test("the next prompt of the conversation remembers the first", async () => {
    const { body } = await box.daemon.get("/api/conversations");
    const { body: answer } = await box.daemon.post("/api/chat", { prompt: "what did we do?", conversation_id: body.conversations[0].id });
    assert.match(answer.reply, /You asked me to write notes/);
    assert.match(JSON.stringify(box.model.requests.at(-1).body.messages), /Buy bread and milk/);
  });

  test("a prompt job over /schedule runs the planner too", async () => {
    const { body } = await box.daemon.post("/schedule", { task: "what did we do?" });
    const done = await box.daemon.finished(body.job_id);
    assert.equal(done.state, "succeeded", JSON.stringify(done));
    assert.match(done.reply, /You asked me/);
    const events = await box.daemon.events(`/jobs/${body.job_id}/events`, ({ kind }) => kind === "caught_up");
    assert.ok(events.some(({ kind }) => kind === "run_finished"));
  });

  test("Stop ends a tool of the model too", async () => {
    const started = await begin(box, "wait in the shell");
    await eventsOf(box, started, ({ kind, data }) => kind === "action_intent" && data.tool === "shell");
    const start = performance.now();
    await box.daemon.post(`/cancel/${started.job_id}`, {});
    assert.equal((await eventsOf(box, started)).at(-1).data.state, "cancelled");
    assert.ok(performance.now() - start < 15_000, `${performance.now() - start} ms`);
  });

  test("the conversation is listed with its title", async () => {
    const { body } = await box.daemon.get("/api/conversations");
    const notes = body.conversations.find(({ title }) => /open a terminal/.test(title));
    assert.ok(notes, JSON.stringify(body));
    assert.equal(notes.running_job, null);
  });
});

describe("with a model that says when it is done", () => {
  const done = (args) => ({ name: "done", arguments: args });
  const box = useBox({
    prepare: async (own) => {
      own.model = await startServer({ script: { model: "scripted-done", runs: [
        { match: "write it", turns: [
          { calls: [done({ summary: "Written.", checks: [{ claim: "the file is there", file: "out's \"file\".txt" }] })] },
          { expect: ["1 of 1 checks do not hold"], calls: [{ name: "write_file", arguments: { path: "out's \"file\".txt", content: "one\n$HOME two\n" } }] },
          { calls: [{ name: "launch", arguments: { command: `xterm -T checked-${process.pid}` } }] },
          { calls: [done({ summary: "Written and shown.", checks: [
            { claim: "the file has the line", file: "out's \"file\".txt", contains: "$HOME two" },
            { claim: "the home is a folder", file: "~/" },
            { claim: "nothing else was written", command: "test -e other.txt", exit_code: 1 },
            { claim: "a terminal runs", process: `xterm.*checked-${process.pid}` },
            { claim: "its window is open", window: `^checked-${process.pid}$` },
          ] })] },
        ] },
      ] } });
      return { env: own.model.env };
    },
  });

  test("the checks are made in the sandbox, and one that does not hold sends it on", async () => {
    const finished = (await eventsOf(box, await begin(box, "write it"), undefined, 60_000)).at(-1).data;
    assert.equal(finished.outcome, "succeeded_verified", JSON.stringify(finished));
    assert.equal(finished.state, "succeeded");
    assert.equal(finished.reply, "Written and shown.");
    assert.deepEqual(finished.checks.map(({ claim, holds }) => `${holds} ${claim}`),
                     ["true the file has the line", "true the home is a folder", "true nothing else was written", "true a terminal runs", "true its window is open"]);
    assert.match(finished.checks[0].seen, /2:\$HOME two/);
    assert.deepEqual(box.model.requests.flatMap(({ problems }) => problems), []);
  });
});

/** A model server that answers every completion with `answer(request, response, body)`. */
async function oddModel(answer) {
  const seen = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (piece) => { text += piece; });
    request.on("end", () => {
      // How large its window is, it does not tell.
      if (!request.url.endsWith("/chat/completions")) return response.writeHead(404).end();
      const entry = { gone: false };
      seen.push(entry);
      response.on("close", () => { entry.gone = !response.writableFinished; });
      answer(request, response, text);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    seen,
    env: { LLM_API_BASE_URL: `http://127.0.0.1:${server.address().port}/v1`, LLM_MODEL: "odd-model", LLM_API_KEY: "sk-odd" },
    stop: () => { server.closeAllConnections(); server.close(); },
  };
}

describe("with a model server that has hiccups", () => {
  const box = useBox({
    prepare: async (own) => {
      own.model = await startServer({ script: "faults" });
      return { env: own.model.env };
    },
  });

  for (const [prompt, reply] of [
    ["openrouter", /Größe 😀/], ["plain body", /All at once\./], ["gemini", /Seen\./],
  ]) {
    test(`"${prompt}" ends well`, async () => {
      const finished = (await eventsOf(box, await begin(box, prompt), undefined, 50_000)).at(-1).data;
      assert.equal(finished.state, "succeeded", JSON.stringify(finished));
      assert.match(finished.reply, reply);
    });
  }
});

describe("with a model server that fails", () => {
  let mode = "";
  const box = useBox({
    prepare: async (own) => {
      own.model = await oddModel((request, response) => {
        if (mode === "500") response.writeHead(400, { "Content-Type": "application/json" }).end(JSON.stringify({ error: { message: "the flux capacitor is cold", type: "server_error" } }));
        else if (mode === "401") response.writeHead(401, { "Content-Type": "application/json" }).end(JSON.stringify({ error: { message: "Incorrect API key provided: sk-odd" } }));
        else if (mode === "html") response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><html><head><title>Welcome to nginx!</title></head><body><h1>Welcome</h1></body></html>");
        else if (mode === "cut") {
          response.writeHead(200, { "Content-Type": "text/event-stream" });
          response.write('data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"half a sen"},"finish_reason":null}]}\n\n');
          setImmediate(() => response.destroy());
        } else if (mode === "stream") {
          response.writeHead(200, { "Content-Type": "text/event-stream" });
          response.write('data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"I am thinking"},"finish_reason":null}]}\n\n');
        }
        // "silent": nothing is ever answered.
      });
      return { env: own.model.env };
    },
  });

  const failure = async (name) => {
    mode = name;
    const finished = (await eventsOf(box, await begin(box, `mode ${name}`), undefined, 45_000)).at(-1).data;
    assert.equal(finished.state, "failed", JSON.stringify(finished));
    return finished.reason;
  };

  test("its own message reaches the user", async () => {
    assert.match(await failure("500"), /the flux capacitor is cold/);
  });

  test("a refused key says which variable to check, and is not shown", async () => {
    const reason = await failure("401");
    assert.match(reason, /LLM_API_KEY/);
    assert.doesNotMatch(reason, /sk-odd/);
  });

  test("HTML says that the URL is probably wrong", async () => {
    const reason = await failure("html");
    assert.match(reason, /HTML|LLM_API_BASE_URL/);
  });

  test("an answer that always breaks off fails after the retries, which are told", { timeout: 90_000 }, async () => {
    mode = "cut";
    const events = await eventsOf(box, await begin(box, "mode cut"), undefined, 80_000);
    assert.ok(events.some(({ kind }) => kind === "notice"), "the user sees that it is tried again");
    const finished = events.at(-1).data;
    assert.equal(finished.state, "failed");
    assert.ok(finished.reason.length > 20, finished.reason);
  });

  for (const name of ["silent", "stream"]) {
    test(`Stop ends a run while the model is ${name === "silent" ? "silent" : "in the middle of its answer"}`, async () => {
      mode = name;
      const before = box.model.seen.length;
      // Pieces of text are not repeated: someone must listen before they come.
      const conversation = (await box.daemon.post("/api/chat", { prompt: "/help" })).body.conversation_id;
      const streaming = name === "stream" && eventsOf(box, { conversation_id: conversation }, ({ kind }) => kind === "text_delta");
      const started = await begin(box, `hang ${name}`, conversation);
      await until("the model was asked", () => box.model.seen.length > before);
      if (name === "stream") await streaming;
      const ended = eventsOf(box, started, ({ kind, data }) => kind === "run_finished" && data.job_id === started.job_id);
      const start = performance.now();
      const { status } = await box.daemon.post(`/cancel/${started.job_id}`, {});
      assert.equal(status, 200);
      const finished = (await ended).at(-1).data;
      const elapsed = performance.now() - start;
      assert.equal(finished.state, "cancelled");
      assert.ok(elapsed < 10_000, `${elapsed} ms`);
      await until("the connection to the model is closed", () => box.model.seen.at(-1).gone, 20_000);
    });
  }

  test("POST /api/chat waits for the end, or streams when asked", async () => {
    mode = "500";
    const waited = await box.daemon.post("/api/chat", { prompt: "mode 500 again" });
    assert.match(waited.text, /flux capacitor/);
    const response = await within(20_000, "the stream ends", box.daemon.fetch("/api/chat", {
      method: "POST", headers: { "Content-Type": "application/json", Accept: "text/event-stream" }, body: JSON.stringify({ prompt: "/shell echo streamed" }),
    }).then((stream) => stream.text()));
    assert.match(response, /event: run_finished/);
    assert.match(response, /streamed/);
  });
});

describe("with a fallback model", () => {
  const box = useBox({
    prepare: async (own) => {
      own.model = await notesModel();
      const { LLM_API_BASE_URL, LLM_MODEL, LLM_API_KEY } = own.model.env;
      return { env: { LLM_API_BASE_URL: "http://127.0.0.1:9/v1", LLM_MODEL: "nobody", LLM_FALLBACK_API_BASE_URL: LLM_API_BASE_URL,
                      LLM_FALLBACK_MODEL: LLM_MODEL, LLM_FALLBACK_API_KEY: LLM_API_KEY } };
    },
  });

  test("it goes on when the first one is not there, and the user is told", { timeout: 90_000 }, async () => {
    const events = await eventsOf(box, await begin(box, "what did we do?"), undefined, 80_000);
    assert.equal(events.at(-1).data.state, "succeeded", JSON.stringify(events.at(-1).data));
    assert.match(events.at(-1).data.reply, /You asked me/);
    assert.match(events.filter(({ kind }) => kind === "notice").at(-1).data.text, /127\.0\.0\.1:9.*scripted-notes goes on/);
    assert.equal(box.model.requests.length, 1);
  });
});

describe("with a model server that is not there", () => {
  const box = useBox({ env: { LLM_API_BASE_URL: "http://127.0.0.1:9/v1", LLM_MODEL: "nobody", LLM_API_KEY: "sk-none" } });

  test("its address is named, and Stop does not wait for the retries", { timeout: 90_000 }, async () => {
    const started = await begin(box, "hello");
    const events = await eventsOf(box, started, ({ kind }) => kind === "run_finished" || kind === "notice", 60_000);
    const last = events.at(-1).data;
    assert.match(last.text ?? last.reason, /127\.0\.0\.1:9/);
    const start = performance.now();
    await box.daemon.post(`/cancel/${started.job_id}`, {});
    const finished = (await eventsOf(box, started)).at(-1).data;
    assert.ok(["cancelled", "failed"].includes(finished.state), finished.state);
    assert.ok(performance.now() - start < 10_000, `${performance.now() - start} ms`);
  });
});
