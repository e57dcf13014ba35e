// A tool call as a person types it: `click 100 200`, `key ctrl+l`, `type "hello\n"`, `shell ls
// -la`.
//
// Chat commands, gui scripts and the command line share these rules:
// - Words without a name go to the tool's parameters in the order of its schema, required ones
// first.
// - `name=value` goes to the parameter of that name: `click 10 10 count=2`.
// - "double quotes" know \n \t \" \\ \uXXXX, 'single quotes' know nothing.
// - The last required string (the first string of all if none is required) is the text of the tool.
// Without
//   quotes it runs to the end of the line, so that `shell ls -la` works; named parameters stand
//   before it: `shell timeout_ms=5000 sleep 2`. Written as `command=…` it runs to the next `name=`.
// - Arrays and objects are JSON (`drag [[10,10],[90,90]]`); an array of plain values may be a list:
// `ctrl,shift`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tool/registry.h"

namespace selfagent {

struct ToolCommand {
  std::string tool;
  Json arguments;  ///< An object; its types fit the schema, its ranges are not checked yet.
};

/// Reads one line. Throws Error(invalid_argument) that names the tool's usage, e.g. "click needs x
/// and y: click 100 200", or the nearest tool for an unknown name.
ToolCommand parse_tool_command(std::string_view line, const Registry& registry);

/// The same for words that a shell has already split and unquoted: each is `name=value` or the next
/// value. `schema` is the tool's input_schema. Throws like parse_tool_command.
Json tool_arguments(const std::string& tool, const Json& schema,
                    const std::vector<std::string>& words);

/// An example of the required parameters and the names of the others:
/// "click 100 200 [button=left|middle|right|back|forward] [count=1]".
std::string usage(const std::string& tool, const Json& schema);
std::string usage(const Tool& tool);

}  // namespace selfagent
