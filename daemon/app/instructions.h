// What an MCP client is told about the sandbox before its first call.
#pragma once

namespace selfagent {

/// Under 2 KB: the coordinates, and when to use which tool. Source: MCP, InitializeResult and
/// DiscoverResult, "instructions".
extern const char* const instructions;

}  // namespace selfagent
