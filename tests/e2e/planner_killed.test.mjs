// kill -9 of the daemon at random moments while the planner works: the run goes on with the next daemon, also with the
// command that was running, or waits where nobody can know whether that was begun; nothing confirmed is lost, nothing is
// done twice.
//
// KILLS (200) is how often, SEED (random, printed) what happens when.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { seededRandom, test, until, useBox } from "./harness.mjs";

const kills = Number(process.env.KILLS ?? 200);
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
const steps = 12; // of one run

const random = seededRandom(seed);
const between = (least, most) => least + Math.floor(random() * (most - least + 1));

/**
 * What a careful model says. The task "count in NAME" is to add the lines 1 to 12 to a file, the odd ones by a command, which
 * must not be repeated blindly, and to write a file of its own for each even one. After an action of which the outcome is
 * unknown it reads the file first.
 */
function careful(messages) {
  const said = (message) => (typeof message.content === "string" ? message.content : (message.content ?? []).map(({ text }) => text ?? "").join("\n"));
  const task = messages.map((message) => (message.role === "user" ? /count in (\w+)/.exec(said(message))?.[1] : undefined)).findLast((name) => name);
  const results = new Map(messages.filter(({ role }) => role === "tool").map((message) => [message.tool_call_id, said(message)]));
  let next = 1;
  let unsure = false;
  for (const call of messages.flatMap((message) => message.tool_calls ?? [])) {
    const words = call.function.arguments;
    if (!words.includes(task)) continue;
    const result = results.get(call.id) ?? "";
    if (call.function.name === "read_file") {
      if (result.startsWith("[")) continue; // not read: unsure as before
      next = 1 + Math.max(0, ...[...result.matchAll(/line (\d+)/g)].map(([, number]) => Number(number)));
      unsure = false;
    } else if (result.startsWith("[outcome unknown")) {
      unsure = true;
    } else if (!result.startsWith("[not run")) {
      next += 1;
    }
  }
  const command = { name: "shell", arguments: { command: `echo line ${next} >> ${task}` } };
  if (unsure) return { name: "read_file", arguments: { path: task } };
  if (next > steps) return { text: `Counted in ${task}.` };
  if (next % 2 === 1) return command;
  return { name: "shell", arguments: { command: `echo line ${next} >> ${task}; echo ${next} > ${task}-${next}` } };
}

async function serveModel(request, response) {
  let body = "";
  for await (const piece of request) body += piece;
  if (!request.url.endsWith("/chat/completions")) return response.writeHead(404).end(); // what its window is
  const { messages } = JSON.parse(body);
  const { text, name, arguments: given } = careful(messages);
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  const send = (delta, finish_reason = null) => response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
  await pause(between(0, 10));
  if (text) {
    send({ content: text });
  } else {
    const words = JSON.stringify(given);
    const middle = between(1, words.length - 1);
    send({ tool_calls: [{ index: 0, id: `call_${messages.length}`, type: "function", function: { name, arguments: words.slice(0, middle) } }] });
    await pause(between(0, 5));
    send({ tool_calls: [{ index: 0, function: { arguments: words.slice(middle) } }] });
  }
  send({}, text ? "stop" : "tool_calls");
  response.write(`data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 1000, completion_tokens: 20 } })}\n\n`);
  response.end("data: [DONE]\n\n");
}

const box = useBox({
  desktop: false,
  prepare: async (started) => {
    const server = createServer((request, response) => void serveModel(request, response).catch(() => response.destroy()));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    started.model = {
      stop: () => {
        server.close();
        server.closeAllConnections();
      },
    };
    return { env: { LLM_API_BASE_URL: `http://127.0.0.1:${server.address().port}/v1`, LLM_MODEL: "careful" } };
  },
});

/** The job once it has ended; throws as soon as the daemon does not answer. */
async function endOf(job) {
  for (;;) {
    const { body } = await box.daemon.get(`/status/${job}`);
    if (!["queued", "running"].includes(body.state)) return body;
    await pause(5);
  }
}

const storedEvents = (conversation) => box.daemon.events(`/api/conversations/${conversation}/events`, ({ kind }) => kind === "caught_up");

/** The events of the conversation that were there before are there still, as they were. */
async function nothingLost(run) {
  const events = await storedEvents(run.conversation);
  // What has no place in the log, such as a piece of an answer that is just coming, need not stay.
  const stored = events.filter(({ data }) => data.seq > 0).map(({ kind, data }) => JSON.stringify([kind, data]));
  assert.deepEqual(stored.slice(0, run.seen.length), run.seen, `${run.name}: what was told is there`);
  run.seen = stored;
  return events;
}

test(`${kills} times kill -9 while the planner works, SEED=${seed}`, { timeout: 120_000 + kills * 6_000 }, async (t) => {
  t.diagnostic(`KILLS=${kills} SEED=${seed}`);
  const told = { runs: 0, "went on": 0, "in a command": 0, waited: 0 };
  let run;

  /** Follows the run, saying "go on" where it waits, until the daemon is killed; true once it has ended. */
  const follow = async (most = Infinity) => {
    for (let ended = 0; ended < most; ended += 1) {
      run ??= { name: `file${(told.runs += 1)}`, seen: [], messages: 0 };
      if (!run.asked) {
        const prompt = run.conversation === undefined ? `Please count in ${run.name}` : "Go on.";
        const key = `${run.name} ${run.messages}`; // the answer may get lost, the job must not come twice
        const { body } = await box.daemon.post("/schedule", { prompt, idempotency_key: key, ...(run.conversation && { conversation_id: run.conversation }) });
        run.conversation ??= (await box.daemon.get(`/status/${body.job_id}`)).body.conversation_id;
        run.job = body.job_id;
        run.asked = true;
      }
      const job = await endOf(run.job);
      if (job.state === "interrupted") {
        told.waited += 1;
        run.asked = false;
        run.messages += 1;
        ended -= 1;
        continue;
      }
      assert.equal(job.state, "succeeded", JSON.stringify(job));
      assert.equal(job.reply, `Counted in ${run.name}.`);
      const events = await nothingLost(run);
      told["went on"] += events.filter(({ kind, data }) => kind === "notice" && data.restarted).length;
      told["in a command"] += events.filter(({ kind, data }) => kind === "action_result" && /\n\[the daemon was killed during this call/.test(data.text)).length;
      assert.equal(events.filter(({ kind }) => kind === "run_finished").length, events.filter(({ kind }) => kind === "user_message").length, "each message has one end");
      const lines = readFileSync(join(box.daemon.workspace, run.name), "utf8");
      assert.equal(lines, Array.from({ length: steps }, (_, i) => `line ${i + 1}\n`).join(""), `${run.name}: every line once`);
      for (let step = 2; step <= steps; step += 2) assert.ok(existsSync(join(box.daemon.workspace, `${run.name}-${step}`)));
      run = undefined;
    }
  };

  for (let round = 1; round <= kills; round += 1) {
    let failure;
    let dead = false;
    const ended = follow().catch((error) => {
      if (!dead) failure = error;
    });
    await pause(between(0, 250));
    assert.equal(failure, undefined, `round ${round}, SEED=${seed}: ${failure?.stack}`);
    dead = true;
    box.daemon.child.process.kill("SIGKILL");
    await box.daemon.child.exited;
    await ended;
    await box.daemon.start(`127.0.0.1:${box.daemon.port}`);
    if (run?.conversation) await nothingLost(run);
  }
  await follow(1);
  t.diagnostic(JSON.stringify(told));
  assert.ok(kills < 100 || (told.runs > 5 && told["went on"] > 20 && told["in a command"] > 0), JSON.stringify(told));
});
