// POST /mcp: MCP's Streamable HTTP, both eras.
#pragma once

#include "mcp/server.h"
#include "net/http.h"

namespace selfagent {

/// Answers one POST. The body decides the era, the headers only cross-check it.
void serve_mcp_post(const HttpRequest& request, const ResponderPtr& responder, ToolCaller& caller,
                    const mcp::ServerIdentity& identity);

}  // namespace selfagent
