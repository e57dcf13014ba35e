// The fixtures of the official MCP conformance suite (--conformance): what its scenarios call, in
// the same registries and through the same code as everything else. Never part of a sandbox that
// somebody works with.
#pragma once

#include "mcp/server.h"
#include "tool/registry.h"

namespace selfagent::mcp {

/// Tools of one request: content of every kind, logging, progress, questions to a legacy client.
void add_conformance_tools(Registry& registry);

/// Tools that end with input_required. Source: MCP 2026-07-28, multi-round-trip requests.
void add_conformance_rounds(Registry& registry);

/// Tools that announce changed lists to the subscribers of `server`, which must outlive the
/// registry's use; resources, prompts and a completion.
void add_conformance_fixtures(Registry& registry, Server& server);

}  // namespace selfagent::mcp
