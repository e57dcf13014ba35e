// Clients hand tasks to the planner, whose questions reach the person at the client, in both eras.
import assert from "node:assert/strict";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { startServer } from "./model_server/server.mjs";
import { test, textOf, until, useBox } from "./harness.mjs";
import { sdkClients } from "./sdk.mjs";

const box = useBox({
  prepare: async (own) => {
    own.model = await startServer({ script: { model: "scripted-tasks", runs: [
      { match: "Paint the door", turns: [{ calls: [{ name: "ask_user", arguments: { question: "Which colour?", options: ["red", "blue"] } }] }] },
      { match: "^red", turns: [
        { calls: [{ name: "shell", arguments: { command: "echo red >> doors" } }] },
        { calls: [{ name: "done", arguments: { summary: "The door is red.", checks: [{ claim: "it is red", file: "doors", contains: "red" }] } }] },
      ] },
      { match: "Wait for ever", turns: [{ calls: [{ name: "shell", arguments: { command: "sleep 1000", timeout_ms: 600_000 } }] }] },
    ] } });
    return { env: own.model.env };
  },
});
const without = useBox({ windowManager: false });

for (const [name, sdk] of Object.entries(sdkClients)) {
  test(`${name}: a question of the planner is asked of its person, and the task goes on with the answer`, async () => {
    const asked = [];
    const client = await sdk.connect(box.daemon, {
      capabilities: { elicitation: {} },
      prepare: (own) => own.setRequestHandler(sdk.v1 ? ElicitRequestSchema : "elicitation/create", ({ params }) => {
        asked.push(params.message);
        return { action: "accept", content: { answer: "red" } };
      }),
    });
    try {
      const result = await client.callTool({ name: "run_task", arguments: { task: "Paint the door" } });
      assert.deepEqual(asked, ["Which colour?\n- red\n- blue"]);
      assert.notEqual(result.isError, true, textOf(result));
      assert.match(textOf(result), /is done \(succeeded_verified\)\nThe door is red\./);
      assert.equal(result.structuredContent.outcome, "succeeded_verified");
    } finally {
      await client.close();
    }
  });
}

test("where nobody can be asked, the question is the result and the answer the next task", async () => {
  const { result } = await box.daemon.rpc("run_task", { task: "Paint the door" });
  assert.match(textOf(result), /asks the user:\nWhich colour\?[^]*Answer with run_task, conversation_id "c-/);
  const { result: done } = await box.daemon.rpc("run_task", { task: "red", conversation_id: result.structuredContent.conversation_id });
  assert.equal(done.structuredContent.state, "succeeded", textOf(done));
  assert.equal(done.structuredContent.conversation_id, result.structuredContent.conversation_id);
});

test("a long task is waited for by its id, and stopped", async () => {
  const { result } = await box.daemon.rpc("run_task", { task: "Wait for ever", wait_ms: 0 });
  const { job_id, state } = result.structuredContent;
  assert.match(state, /queued|running/);
  await until("it works", async () => /is still running \(shell\)/.test(textOf((await box.daemon.rpc("run_task", { job_id, wait_ms: 1500 })).result)));
  const { result: stopped } = await box.daemon.rpc("run_task", { job_id, cancel: true });
  assert.equal(stopped.structuredContent.state, "cancelled");
  const { result: unknown } = await box.daemon.rpc("run_task", { job_id: "j-none" });
  assert.equal(unknown.isError, true);
});

test("the planner's own model does not have it, nor a daemon without a model", async () => {
  const [{ body }] = box.model.requests;
  assert.ok(body.tools.length > 20 && !body.tools.some((tool) => tool.function.name === "run_task"));
  const { result } = await without.daemon.rpc("tools/list", {});
  assert.ok(result.tools.length > 20 && !result.tools.some((tool) => tool.name === "run_task"));
});
