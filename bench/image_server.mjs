// The peer for pictures: an MCP server of the official TypeScript SDK with one tool, which answers with the PNG of its
// command line. It is encoded once, before the first call: what is measured is the server.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";

const data = readFileSync(process.argv[2]).toString("base64");

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: "picture", version: "1" });
  server.registerTool("picture", { description: "Shows the picture." }, () => ({
    content: [{ type: "text", text: "a picture" }, { type: "image", data, mimeType: "image/png" }],
  }));
  return server;
});
const server = createServer(toNodeHandler(handler)).listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
