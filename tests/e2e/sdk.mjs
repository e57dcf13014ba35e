// The official SDK's clients, both generations, on every transport that they have.
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { WebSocketClientTransport as WsV1 } from "@modelcontextprotocol/sdk/client/websocket.js";
import WebSocket from "ws";
import { binary } from "./harness.mjs";

const auto = { versionNegotiation: { mode: "auto" } };
const http = (Transport) => (daemon, url = daemon.url) => new Transport(new URL(`${url}/mcp`), { requestInit: { headers: daemon.bearer } });
const stdio = (Transport) => (daemon) => new Transport({ command: binary, args: ["mcp", "--data-dir", daemon.dataDir], env: daemon.env, stderr: "pipe" });
function ws(daemon) {
  // The SDK's transport uses the global class and cannot send headers by itself.
  globalThis.WebSocket = class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols, { headers: daemon.bearer });
    }
  };
  return new WsV1(new URL(`ws://127.0.0.1:${daemon.port}/ws`));
}

/** name -> {v1, newest, connect(daemon, {capabilities, prepare(client), url}) -> a connected client}. */
export const sdkClients = Object.fromEntries([
  ["SDK v1 over http", ClientV1, http(HttpV1), {}],
  ["SDK v1 over ws", ClientV1, ws, {}],
  ["SDK v1 over stdio", ClientV1, stdio(StdioV1), {}],
  ["SDK v2 over http", ClientV2, http(HttpV2), {}],
  ["SDK v2 over http in revision 2026-07-28", ClientV2, http(HttpV2), auto],
  ["SDK v2 over stdio in revision 2026-07-28", ClientV2, stdio(StdioV2), auto],
].map(([name, Client, transport, options]) => [name, {
  v1: Client === ClientV1,
  newest: options === auto,
  connect: async (daemon, { capabilities = {}, prepare, url } = {}) => {
    const client = new Client({ name: "e2e", version: "1" }, { ...options, capabilities });
    prepare?.(client);
    await client.connect(transport(daemon, url));
    return client;
  },
}]));
