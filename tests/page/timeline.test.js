import assert from "node:assert/strict";
import { test } from "node:test";
import { Timeline } from "../../web/src/timeline.ts";

function timelineOf(events) {
  const timeline = new Timeline();
  events.forEach((event) => timeline.apply({ ts_ms: 1000, job_id: "j-1", conversation_id: "c-1", ...event }));
  return timeline;
}

const started = [
  { kind: "user_message", text: "hello" },
  { kind: "run_started", model: "m" },
];

test("a run is its prompt, its items in order and its end", () => {
  const timeline = timelineOf([
    ...started,
    { kind: "assistant_message", text: "I look.", reasoning: "hm" },
    { kind: "action_intent", call_id: "a", tool: "screenshot", arguments: { cursor: true } },
    { kind: "action_result", call_id: "a", tool: "screenshot", ok: true, text: "seen", images: [], elapsed_ms: 9 },
    { kind: "notice", text: "again" },
    { kind: "notice", text: "you repeat yourself", to_model: true },
    { kind: "assistant_message", text: "Done." },
    { kind: "run_finished", state: "succeeded", reason: "", reply: "Done.", steps: 2, elapsed_ms: 50 },
  ]);
  const [run] = timeline.runs;
  assert.equal(run.prompt, "hello");
  assert.deepEqual(run.items.map((item) => item.type), ["assistant", "call", "notice", "notice", "assistant"]);
  assert.equal(run.items[1].state, "ok");
  assert.deepEqual([run.items[2].text, run.items[3].text], ["again", "Told the model: you repeat yourself"]);
  assert.deepEqual(run.items[1].args, { cursor: true });
  assert.deepEqual([run.state, run.steps, run.elapsedMs, run.reply], ["succeeded", 2, 50, ""]);
  assert.equal(timeline.active, undefined);
});

test("a summary of earlier steps is an item of its own", () => {
  const [run] = timelineOf([
    ...started,
    { kind: "assistant_message", text: "I look." },
    { kind: "summary", text: "## Verified\nThe code.", through_seq: 3, replaced_bytes: 900 },
    { kind: "assistant_message", text: "Done." },
  ]).runs;
  assert.deepEqual(run.items.map((item) => item.type), ["assistant", "summary", "assistant"]);
  assert.equal(run.items[1].text, "## Verified\nThe code.");
});

test("a prompt that a run has taken up is shown there, and no longer as a run of its own", () => {
  const timeline = timelineOf(started);
  timeline.accepted("j-2", "no, blue");
  assert.equal(timeline.runs[1].joined, false);
  timeline.apply({ job_id: "j-1", kind: "user_message", text: "no, blue", joined: "j-2" });
  timeline.apply({ job_id: "j-2", kind: "run_finished", state: "succeeded", reason: "", reply: "", steps: 0, elapsed_ms: 0, joined: "j-1" });
  assert.deepEqual(timeline.runs[0].items, [{ type: "user", text: "no, blue" }]);
  assert.equal(timeline.runs[1].joined, true);
  assert.equal(timeline.active, timeline.runs[0]);
});

test("what a conversation was rewound over is gone, and what comes then is not", () => {
  const timeline = timelineOf([
    { kind: "user_message", text: "one", seq: 1 },
    { kind: "run_finished", state: "succeeded", reply: "", seq: 2 },
    { kind: "user_message", text: "two", job_id: "j-2", seq: 3 },
    { kind: "run_finished", state: "succeeded", reply: "", job_id: "j-2", seq: 4 },
    { kind: "rewound", to: 2, job_id: "", seq: 5 },
    { kind: "user_message", text: "three", job_id: "j-3", seq: 6 },
  ]);
  assert.deepEqual(timeline.runs.map((run) => [run.prompt, run.seq]), [["one", 1], ["three", 6]]);
  assert.match(timeline.runs[0].items.at(-1).text, /Rewound to here/);
  timeline.apply({ kind: "rewound", to: 0, job_id: "", seq: 7, ts_ms: 1 });
  assert.deepEqual(timeline.runs, []);
});

test("the whole message replaces the deltas in place", () => {
  const timeline = timelineOf([
    ...started,
    { kind: "reasoning_delta", text: "th" },
    { kind: "text_delta", text: "a" },
    { kind: "text_delta", text: "b" },
  ]);
  const [draft] = timeline.runs[0].items;
  assert.deepEqual([draft.text, draft.reasoning, draft.final], ["ab", "th", false]);
  timeline.apply({ job_id: "j-1", kind: "assistant_message", seq: 7, text: "abc", reasoning: "thought" });
  assert.deepEqual(timeline.runs[0].items, [{ type: "assistant", text: "abc", reasoning: "thought", final: true, seq: 7 }]);
  timeline.apply({ job_id: "j-1", kind: "text_delta", text: "next" });
  assert.equal(timeline.runs[0].items.length, 2);
});

test("a lost connection takes the unfinished text with it, which would have a gap", () => {
  const timeline = timelineOf([
    ...started,
    { kind: "assistant_message", text: "first" },
    { kind: "text_delta", text: "sec" },
  ]);
  timeline.interrupted();
  assert.deepEqual(timeline.runs[0].items.map((item) => item.text), ["first"]);
});

test("an action without a result is unknown once the run is over", () => {
  const timeline = timelineOf([
    ...started,
    { kind: "action_intent", call_id: "a", tool: "shell", arguments: {} },
    { kind: "run_finished", state: "interrupted", reason: "The daemon stopped.", reply: "", steps: 1, elapsed_ms: 1 },
  ]);
  assert.equal(timeline.runs[0].items[0].state, "unknown");
  assert.equal(timeline.runs[0].reason, "The daemon stopped.");
});

test("a prompt that waits stands apart from the run that goes on", () => {
  const timeline = timelineOf(started);
  timeline.accepted("j-2", "second");
  timeline.apply({ job_id: "j-1", kind: "notice", text: "still the first", ts_ms: 1 });
  assert.deepEqual(timeline.runs.map((run) => [run.prompt, run.state]), [["hello", "running"], ["second", "queued"]]);
  assert.equal(timeline.active.jobId, "j-1");
  timeline.apply({ job_id: "j-2", kind: "user_message", text: "second", ts_ms: 1 });
  assert.equal(timeline.runs[1].items.length, 0);
});

test("the reply is shown only when nothing else has said it", () => {
  const finished = { kind: "run_finished", state: "succeeded", reason: "", steps: 0, elapsed_ms: 1 };
  assert.equal(timelineOf([...started, { ...finished, reply: "Commands: …" }]).runs[0].reply, "Commands: …");
  const call = { kind: "action_result", call_id: "a", tool: "shell", ok: true, text: "out\n", elapsed_ms: 1 };
  assert.equal(timelineOf([...started, call, { ...finished, reply: "out" }]).runs[0].reply, "");
});

test("the daemon's clock may differ", () => {
  const timeline = new Timeline();
  timeline.apply({ kind: "notice", text: "stored", ts_ms: 1_000 }, 65_000);
  assert.equal(timeline.clockOffsetMs, 0);
  timeline.apply({ kind: "caught_up" }, 65_000);
  timeline.apply({ kind: "notice", text: "slow", ts_ms: 5_000 }, 66_000);
  timeline.apply({ kind: "notice", text: "quick", ts_ms: 7_000 }, 67_000);
  assert.equal(timeline.clockOffsetMs, 60_000);
});

test("unknown kinds are passed over", () => {
  assert.equal(timelineOf([...started, { kind: "something_new" }]).runs[0].items.length, 0);
});

test("how a run with a model ended comes with what was checked", () => {
  const checks = [{ claim: "the file exists", holds: true, seen: "exit code 0" }];
  const end = { kind: "run_finished", state: "succeeded", reason: "", reply: "It is there.", steps: 3, elapsed_ms: 9 };
  const timeline = timelineOf([...started, { ...end, outcome: "succeeded_verified", checks }]);
  const [run] = timeline.runs;
  assert.deepEqual([run.outcome, run.checks, run.reply], ["succeeded_verified", checks, "It is there."]);
  const older = timelineOf([...started, end]).runs[0];
  assert.deepEqual([older.outcome, older.checks], ["", []]);
});

test("a question is open until it is answered, its run is stopped, or the conversation goes on", () => {
  const request = { kind: "approval_request", call_id: "a", tool: "shell", arguments: { command: "rm x" }, why: ["it deletes"], session: "that" };
  const item = (timeline) => timeline.runs[0].items[0];
  const answered = timelineOf([...started, request, { kind: "approval_answer", call_id: "a", decision: "deny", reason: "no", by: "owner" }]);
  assert.deepEqual([item(answered).state, item(answered).answer.decision, item(answered).answer.reason], ["answered", "deny", "no"]);
  const stopped = timelineOf([...started, request, { kind: "run_finished", state: "cancelled", reply: "" }]);
  assert.equal(item(stopped).state, "closed");
  const late = timelineOf([...started, request, { kind: "run_finished", state: "failed", outcome: "needs_user", reply: "May it?" }]);
  assert.equal(item(late).state, "open");
  late.apply({ kind: "user_message", text: "/screenshot", job_id: "j-2", ts_ms: 1 });
  assert.equal(item(late).state, "open", "a command is not an answer");
  late.apply({ kind: "user_message", text: "/home/a.txt is fine", job_id: "j-3", ts_ms: 1 });
  assert.equal(item(late).state, "closed");
});
