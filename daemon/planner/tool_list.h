// Which tools the model is told of, and in how many words: as many as its context window bears.
//
// All of them take about 47,000 bytes, 12,000 tokens. A window that has no room for that gets them
// with the first sentence of each text and without the rarer parameters (which still work), about
// 19,000 bytes; a window of 8,192 tokens gets the most needed ones in that form, and `more_tools`,
// which describes and calls the others. The list is the same throughout a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "tool/registry.h"

namespace selfagent {

inline constexpr const char* more_tools_name = "more_tools";

/// What the tools may take of a window of `tokens` beside instructions of `prompt_bytes`; no limit
/// if `tokens` is 0.
size_t tool_bytes_for(int64_t tokens, size_t prompt_bytes);

/// `definitions` (chat completions format) in a form of at most `bytes`, or the smallest that a run
/// can do with. The order of those that stay is that of `definitions`.
Json fit_tools(const Json& definitions, size_t bytes);

/// The tool `more_tools` as far as it describes others; calls are read by inner_call(). `find`
/// finds every tool of the run and must be valid as long as the tool.
Tool more_tools_tool(std::function<const Tool*(const std::string&)> find, Annotations annotations);

struct InnerCall {
  std::string tool;
  Json arguments;
};
/// The call that `arguments` of more_tools ask for; nothing if they ask for a description.
std::optional<InnerCall> inner_call(const Json& arguments);

}  // namespace selfagent
