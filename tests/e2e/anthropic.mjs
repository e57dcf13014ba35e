// A model that does what the test says: an Anthropic Messages endpoint for Claude Code, which calls one tool at a time.
import { createServer } from "node:http";

export class PuppetModel {
  static async start() {
    const model = new PuppetModel();
    model.waiting = [];
    model.asked = [];
    model.server = createServer((request, response) => model.serve(request, response));
    await new Promise((resolve) => model.server.listen(0, "127.0.0.1", resolve));
    model.url = `http://127.0.0.1:${model.server.address().port}`;
    return model;
  }

  /** Resolves to the next request of the conversation, which waits for call() or finish(). */
  async asks() {
    if (!this.asked.length) await new Promise((resolve) => this.waiting.push(resolve));
    return this.asked.shift();
  }

  async serve(request, response) {
    let text = "";
    for await (const piece of request.setEncoding("utf8")) text += piece;
    const body = text && JSON.parse(text);
    if (!request.url.startsWith("/v1/messages?") && request.url !== "/v1/messages") {
      response.writeHead(404, { "Content-Type": "application/json" }).end('{"type":"error","error":{"type":"not_found_error","message":"not here"}}');
    } else if (!body.tools?.some(({ name }) => name.startsWith("mcp__"))) {
      answer(response, body, { type: "text", text: "" }, { type: "text_delta", text: "nothing" }); // what it asks on the side
    } else {
      this.asked.push({ body, response });
      this.waiting.shift()?.();
    }
  }

  /** Answers a request with a tool call. */
  call({ body, response }, name, args) {
    const id = `toolu_${body.messages.length}`;
    answer(response, body, { type: "tool_use", id, name, input: {} }, { type: "input_json_delta", partial_json: JSON.stringify(args) });
  }

  finish({ body, response }, text) {
    answer(response, body, { type: "text", text: "" }, { type: "text_delta", text });
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

function answer(response, { model, messages }, block, delta) {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  const send = (type, data) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  const usage = { input_tokens: 1, output_tokens: 1 };
  send("message_start", { message: {
    id: `msg_${messages.length}`, type: "message", role: "assistant", model, content: [], stop_reason: null, stop_sequence: null, usage,
  } });
  send("content_block_start", { index: 0, content_block: block });
  send("content_block_delta", { index: 0, delta });
  send("content_block_stop", { index: 0 });
  send("message_delta", { delta: { stop_reason: block.type === "tool_use" ? "tool_use" : "end_turn", stop_sequence: null }, usage });
  send("message_stop", {});
  response.end();
}
