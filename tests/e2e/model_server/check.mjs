// What a strict model server would refuse in a request, and what its prompt cache would have saved.

/** The text of a message, whatever form its content has. */
export function textOf({ content }) {
  if (typeof content === "string") return content;
  return (content ?? []).map((part) => part.text ?? "").join("\n");
}

const images = ({ content }) => (Array.isArray(content) ? content.filter(({ type }) => type === "image_url") : []);

/** Sentences about what is wrong with the body of a chat completions request; none if it is right. */
export function problemsOf(body) {
  const problems = [];
  const messages = body.messages ?? [];
  if (body.stream !== true) problems.push("stream is not true");
  if (typeof body.model !== "string") problems.push("model is missing");
  if (messages[0]?.role !== "system") problems.push("the first message is not the system message");
  if (messages.filter(({ role }) => role === "system").length > 1) problems.push("there are several system messages");
  const known = new Set((body.tools ?? []).map((tool) => tool.function?.name));
  let open = [];
  let previous = "";
  for (const [index, message] of messages.entries()) {
    const at = `message ${index}`;
    if (message.role === "tool") {
      if (typeof message.content !== "string") problems.push(`${at}: the content of a tool message is not a string`);
      if (message.tool_call_id !== open[0]) problems.push(`${at}: answers ${message.tool_call_id}, expected ${open[0]}`);
      open.shift();
    } else if (open.length) {
      problems.push(`${at}: must be followed by tool messages responding to each tool_call_id, ${open.join(", ")} is open`);
      open = [];
    }
    if (message.role !== "user" && images(message).length) problems.push(`${at}: a picture in a message of role ${message.role}`);
    if (message.role === "user" && previous === "user") problems.push(`${at}: two user messages after each other`);
    if (message.role === "user" && textOf(message) === "" && !images(message).length) problems.push(`${at}: an empty user message`);
    for (const { image_url } of images(message)) {
      if (!/^data:image\/(png|jpeg);base64,[A-Za-z0-9+/]+=*$/.test(image_url?.url ?? "")) problems.push(`${at}: a picture that is no data: URL`);
    }
    if (message.role === "assistant") {
      if (typeof message.content !== "string" && !message.tool_calls) problems.push(`${at}: an assistant message without content`);
      for (const call of message.tool_calls ?? []) {
        open.push(call.id);
        if (!known.has(call.function?.name)) problems.push(`${at}: a call of the unknown tool ${call.function?.name}`);
        try {
          if (typeof JSON.parse(call.function.arguments) !== "object") throw new Error("no object");
        } catch {
          problems.push(`${at}: invalid tool call arguments ${call.function?.arguments}`);
        }
      }
    }
    previous = message.role;
  }
  if (open.length) problems.push(`the end: ${open.join(", ")} is not answered`);
  if (messages.at(-1)?.role === "assistant") problems.push("the last message is the assistant's");
  return problems;
}

const tokensOf = (message) => {
  const pictures = images(message).length;
  const text = textOf(message).length + JSON.stringify(message.tool_calls ?? "").length + (message.reasoning_content ?? "").length;
  return Math.ceil(text / 4) + 1200 * pictures + 4;
};

/** The usage that a server with a prefix cache over whole messages would report. */
export function promptTokens(requests, body) {
  const head = JSON.stringify(body.tools ?? []);
  const mine = body.messages.map((message) => JSON.stringify(message));
  let cached = 0;
  for (const { body: earlier } of requests) {
    if (JSON.stringify(earlier.tools ?? []) !== head) continue;
    let same = 0;
    while (same < mine.length && same < earlier.messages.length && JSON.stringify(earlier.messages[same]) === mine[same]) same++;
    cached = Math.max(cached, body.messages.slice(0, same).reduce((sum, message) => sum + tokensOf(message), 0));
  }
  const all = body.messages.reduce((sum, message) => sum + tokensOf(message), 0);
  const tools = Math.ceil(head.length / 4);
  return { prompt_tokens: all + tools, completion_tokens: 40, prompt_tokens_details: { cached_tokens: cached + (cached ? tools : 0) } };
}
