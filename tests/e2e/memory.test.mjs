// The planner's memory, with the real tools: a long task in a context window of 8,192 tokens, which the server tells and
// which is never overflowed.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { describe } from "node:test";
import { test, useBox } from "./harness.mjs";

const windowTokens = 8192;
const steps = 300;
const pictureTokens = 1200;

/** About what a tokenizer counts: 4 bytes a token, a picture apart. */
function tokensOf({ messages, tools }) {
  const text = JSON.stringify({ messages, tools }, (key, value) => (key === "image_url" ? "" : value));
  const pictures = JSON.stringify(messages).split('"image_url":{').length - 1;
  return text.length / 4 + pictures * pictureTokens;
}

/** A llama.cpp with a slot of 8,192 tokens: it refuses what is longer, and works by the shell, the mouse and more_tools. */
async function tinyModel() {
  const model = { asked: [], overflows: [], summaries: 0, steps: 0, tools: new Set() };
  const answer = (body) => {
    if (!body.tools) {
      model.summaries += 1;
      return { content: `## Next steps\nGo on, says summary ${model.summaries}.` };
    }
    model.tools.add(JSON.stringify(body.tools.map(({ function: { name } }) => name)));
    const step = ++model.steps;
    if (step > steps) return { content: "All pages are read." };
    const call = (name, args) => ({ content: null, tool_calls: [{ id: `call_${step}`, type: "function", function: { name, arguments: JSON.stringify(args) } }] });
    if (step === 5) return call("write_file", { path: "findings.txt", content: "the code is K7919\n" });
    if (step % 25 === 0) return call("more_tools", { tool: "list_files", arguments: { path: "." } });
    if (step % 10 === 0) return call("click", { x: step, y: 300, settle_ms: 0, screenshot: true });
    return call("shell", { command: `echo page ${step}; seq ${(step % 7) * 300}` });
  };
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const piece of request) text += piece;
    const json = (status, body) => response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    model.asked.push(`${request.method} ${request.url}`);
    if (request.url === "/props") return json(200, { default_generation_settings: { n_ctx: windowTokens }, total_slots: 1 });
    if (!request.url.endsWith("/chat/completions")) return json(404, {});
    const body = JSON.parse(text);
    const tokens = tokensOf(body);
    if (tokens > windowTokens) {
      model.overflows.push(tokens);
      return json(400, { error: { code: 400, message: "the request exceeds the available context size", type: "exceed_context_size_error", n_ctx: windowTokens } });
    }
    model.last = body;
    const message = answer(body);
    json(200, { choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: message.tool_calls ? "tool_calls" : "stop" }],
                usage: { prompt_tokens: Math.round(tokens), completion_tokens: 20 } });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  model.env = { LLM_API_BASE_URL: `http://127.0.0.1:${server.address().port}/v1`, LLM_MODEL: "tiny", LLM_COORDINATES: "absolute" };
  model.stop = () => { server.closeAllConnections(); server.close(); };
  return model;
}

describe("with a model of 8,192 tokens", () => {
  const box = useBox({
    prepare: async (own) => {
      own.model = await tinyModel();
      return { env: own.model.env };
    },
    args: ["--max-steps", String(steps + 10)],
  });

  test(`a task of ${steps} steps passes without one overflow, and its facts are in sight at the end`, async () => {
    const { model, daemon } = box;
    const { body: { reply, state } } = await daemon.post("/api/chat", { prompt: "Read all the pages and note the codes" });
    assert.deepEqual([state, reply, model.overflows], ["succeeded", "All pages are read.", []]);
    assert.equal(model.asked.indexOf("GET /props") < model.asked.indexOf("POST /v1/chat/completions"), true, "asked first");
    assert.equal(model.tools.size, 1, "the list of tools is the same throughout");
    const prompt = JSON.stringify(model.last.messages);
    for (const words of ["Read all the pages and note the codes", "findings.txt", "is left out; recall", `says summary ${model.summaries}`]) {
      assert.ok(prompt.includes(words), `the last prompt has no "${words}"`);
    }
    assert.ok(model.summaries > 5 && model.summaries <= steps / 10, `${model.summaries} summaries`);
  });
});
