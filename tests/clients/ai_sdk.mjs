// A program with the AI SDK's client: reads {"tools":true} or {"call":NAME,"args":{…}} per line, answers with a line each.
import { createInterface } from "node:readline";
import { createMCPClient } from "@ai-sdk/mcp";

const [url, authorization] = process.argv.slice(2);
const client = await createMCPClient({ transport: { type: "http", url, headers: { Authorization: authorization } } });
const tools = await client.tools();
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  // As a model's tool call does it: through the tool object that generateText() would be given.
  const answer = request.tools
    ? Object.entries(tools).map(([name, { description, inputSchema }]) => ({ name, description, inputSchema: inputSchema.jsonSchema }))
    : await tools[request.call].execute(request.args, { toolCallId: "call", messages: [] });
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await client.close();
