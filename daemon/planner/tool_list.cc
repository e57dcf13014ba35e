#include "planner/tool_list.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string_view>
#include <vector>

namespace selfagent {

namespace {

// The most needed first: without the first eleven hardly any task can be done and ended.
constexpr std::array order{
    "screenshot",  "look",        "click",        "type",          "key",      "shell",
    "read_file",   "write_file",  "done",         "ask_user",      "recall",   "launch",
    "edit_file",   "scroll",      "wait_for",     "conditions",    "drag",     "windows",
    "window",      "list_files",  "search_files", "process_read",  "run_code", "process_write",
    "clipboard",   "actions",     "move_file",    "delete_file",   "move",     "mouse_button",
    "screen_info", "call_result", "process_list", "process_signal"};
constexpr size_t always = 11;

// Of action tools; their defaults serve.
const std::set<std::string> rare_parameters{"settle_ms", "quiet_ms", "screenshot", "frame"};
constexpr size_t most_parameters = 6;
constexpr size_t longest_description = 120;
constexpr size_t longest_hint = 60;
// Of a window that is too small for all; the rest is for the task.
constexpr double share_of_window = 0.45;
constexpr double bytes_per_token = 3;

std::string name_of(const Json& definition) { return definition["function"]["name"]; }

size_t bytes_of(const Json& value) { return dump_json(value).size(); }

size_t rank_of(const std::string& name) {
  const auto at =
      std::find_if(order.begin(), order.end(), [&](const char* known) { return name == known; });
  return static_cast<size_t>(at - order.begin());
}

// The first sentence; of a long one what stands before its last comma or the like.
std::string brief(const std::string& text, size_t most) {
  std::string first = text.substr(0, text.find(". "));
  if (first.ends_with('.')) first.pop_back();
  if (first.size() <= most) return first;
  first.resize(most);
  size_t end = first.find_last_of(",;:(");
  if (end == std::string::npos || end < most / 3) end = first.rfind(' ');
  first.resize(std::min(end, first.size()));
  while (first.ends_with(' ')) first.pop_back();
  return first;
}

Json brief_schema(const Json& schema) {
  Json out = Json::object();
  for (const char* member : {"type", "enum"}) {
    if (schema.contains(member)) out[member] = schema[member];
  }
  if (schema.contains("description")) {
    out["description"] = brief(schema["description"], longest_hint);
  }
  if (schema.contains("items")) out["items"] = brief_schema(schema["items"]);
  if (!schema.contains("properties")) return out;
  const Json required = schema.value("required", Json::array());
  out["properties"] = Json::object();
  size_t optional = 0;
  for (const auto& [name, value] : schema["properties"].items()) {
    const bool needed = std::find(required.begin(), required.end(), name) != required.end();
    const bool rare = rare_parameters.count(name) != 0 || value.value("type", "") == "object";
    if (!needed && (rare || optional >= most_parameters)) continue;
    optional += needed ? 0 : 1;
    out["properties"][name] = brief_schema(value);
  }
  if (!required.empty()) out["required"] = required;
  return out;
}

Json brief_definition(const Json& definition) {
  const Json& function = definition["function"];
  return {{"type", "function"},
          {"function",
           {{"name", function["name"]},
            {"description", brief(function["description"], longest_description)},
            {"parameters", brief_schema(function["parameters"])}}}};
}

Json more_tools_definition(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return {
      {"type", "function"},
      {"function",
       {{"name", more_tools_name},
        {"description", "Calls another tool: " + list +
                            ". Without arguments it tells what that tool does and takes."},
        {"parameters",
         {{"type", "object"},
          {"properties",
           {{"tool", {{"type", "string"}}},
            {"arguments",
             {{"type", "object"},
              {"properties", {{"path", {{"type", "string"}, {"description", "As of the tool"}}}}},
              {"description", "What that tool takes"}}}}},
          {"required", {"tool"}}}}}}};
}

struct MoreArgs {
  std::string tool;
  Json arguments;
};

}  // namespace

size_t tool_bytes_for(int64_t tokens, size_t prompt_bytes) {
  if (tokens <= 0) return std::numeric_limits<size_t>::max();
  const double bytes = share_of_window * static_cast<double>(tokens) * bytes_per_token;
  return static_cast<size_t>(std::max(0.0, bytes - static_cast<double>(prompt_bytes)));
}

Json fit_tools(const Json& definitions, size_t bytes) {
  if (bytes_of(definitions) <= bytes) return definitions;
  Json all = Json::array();
  for (const Json& definition : definitions) all.push_back(brief_definition(definition));
  if (bytes_of(all) <= bytes) return all;

  std::vector<std::string> names;
  for (const Json& definition : all) names.push_back(name_of(definition));
  const size_t room = bytes - std::min(bytes, bytes_of(more_tools_definition(names)));
  std::stable_sort(names.begin(), names.end(), [](const auto& one, const auto& other) {
    return rank_of(one) < rank_of(other);
  });
  std::set<std::string> kept;
  size_t used = 0;
  for (const std::string& name : names) {
    const auto at = std::find_if(all.begin(), all.end(), [&](const Json& definition) {
      return name_of(definition) == name;
    });
    used += bytes_of(*at) + 1;
    if (used > room && rank_of(name) >= always) break;
    kept.insert(name);
  }
  Json some = Json::array();
  std::vector<std::string> others;
  for (Json& definition : all) {
    const std::string name = name_of(definition);
    if (kept.count(name) != 0) {
      some.push_back(std::move(definition));
    } else {
      others.push_back(name);
    }
  }
  some.push_back(more_tools_definition(others));
  return some;
}

Tool more_tools_tool(std::function<const Tool*(const std::string&)> find, Annotations annotations) {
  return make_tool<MoreArgs>(
      {.name = more_tools_name,
       .title = "More tools",
       .description = "Tells what a tool does and takes; with arguments it is called.",
       .area = ToolArea::any,
       .annotations = annotations,
       .params = {param("tool", &MoreArgs::tool, "Its name.").range(1, 60),
                  param("arguments", &MoreArgs::arguments, "What it takes.").optional()},
       .run = [find = std::move(find)](const MoreArgs& args, ToolContext&) {
         const Tool* tool = find(args.tool);
         if (!args.arguments.is_null()) {
           throw ParameterError("arguments must be an object with what " + args.tool + " takes");
         }
         if (tool == nullptr) return ToolResult::error("there is no tool " + args.tool);
         return ToolResult::text(tool->name + ": " + tool->description +
                                 "\nIts arguments: " + dump_json(tool->input_schema));
       }});
}

std::optional<InnerCall> inner_call(const Json& arguments) {
  if (!arguments.is_object()) return std::nullopt;
  const auto tool = arguments.find("tool");
  const auto inner = arguments.find("arguments");
  if (tool == arguments.end() || !tool->is_string() || inner == arguments.end()) {
    return std::nullopt;
  }
  // Some write objects in objects as text.
  Json read = inner->is_string() ? Json::parse(inner->get<std::string>(), nullptr, false) : *inner;
  if (!read.is_object()) return std::nullopt;
  return InnerCall{tool->get<std::string>(), std::move(read)};
}

}  // namespace selfagent
