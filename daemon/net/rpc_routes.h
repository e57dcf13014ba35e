// The JSON-RPC doors: /mcp (MCP Streamable HTTP), /rpc (plain JSON-RPC) and /ws (WebSocket, both).
#pragma once

#include "mcp/server.h"
#include "net/mcp_http.h"
#include "net/router.h"

namespace selfagent {

/// Adds the three doors to `router`. `server` and `mcp` must outlive it.
void add_rpc_routes(Router& router, mcp::Server& server, McpEndpoint& mcp);

}  // namespace selfagent
