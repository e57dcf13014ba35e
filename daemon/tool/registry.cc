#include "tool/registry.h"

#include <regex>

#include "base/log.h"
#include "tool/secrets.h"

namespace selfagent {

void Registry::add(Tool tool) {
  static const std::regex allowed("^[a-z][a-z0-9_]{0,39}$");
  if (!std::regex_match(tool.name, allowed)) {
    throw Error(ErrorCode::conflict, "\"" + tool.name + "\" is not a legal tool name");
  }
  insert(std::move(tool));
}

void Registry::add_fixture(Tool tool) {
  if (tool.name.empty() || tool.name.size() > 64) {
    throw Error(ErrorCode::conflict, "\"" + tool.name + "\" is not a legal name of a fixture");
  }
  insert(std::move(tool));
}

void Registry::insert(Tool tool) {
  if (by_name_.contains(tool.name)) {
    throw Error(ErrorCode::conflict, "there are two tools called \"" + tool.name + "\"");
  }
  if (!tool.metrics) tool.metrics = std::make_shared<ToolMetrics>();
  const Tool& kept = tools_.emplace_back(std::move(tool));
  by_name_.emplace(kept.name, &kept);
}

Registry Registry::without(const std::string& name) const {
  Registry rest;
  for (const Tool& tool : tools_) {
    if (tool.name != name) rest.insert(tool);
  }
  return rest;
}

const Tool* Registry::find(const std::string& name) const {
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? nullptr : at->second;
}

std::string Registry::unknown(const std::string& name) const {
  std::vector<std::string> names;
  std::string list;
  for (const auto& [known, tool] : by_name_) {
    names.push_back(known);
    list += (list.empty() ? "" : ", ") + known;
  }
  const std::string near = nearest_word(name, names);
  return "there is no tool \"" + name + "\"" +
         (near.empty() ? "" : ", did you mean \"" + near + "\"?") + " (known: " + list + ")";
}

namespace {

/// What `work` returns; its errors as results.
template <class Work>
auto with_errors(const Tool& tool, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const ParameterError&) {
    throw;
  } catch (const Error& error) {
    return ToolResult::error(tool.name + " failed: " + error.what());
  } catch (const std::exception& error) {
    log::error("{} threw {}", tool.name, error.what());
    return ToolResult::error(tool.name + " failed unexpectedly: " + error.what());
  }
}

void count(ToolMetrics& metrics, const ToolResult& result, Clock::duration time) {
  (result.is_error ? metrics.failed : metrics.ok).add();
  metrics.seconds.observe(time);
}

void count(ToolMetrics& metrics, const std::optional<ToolResult>& result, Clock::duration time) {
  if (result) count(metrics, *result, time);
}

/// with_errors(), counted.
template <class Work>
auto counted(const Tool& tool, const Work& work) -> decltype(work()) {
  if (!tool.metrics) return with_errors(tool, work);
  const auto begin = Clock::now();
  try {
    auto result = with_errors(tool, work);
    count(*tool.metrics, result, Clock::now() - begin);
    return result;
  } catch (const ParameterError&) {
    tool.metrics->refused.add();
    throw;
  }
}

}  // namespace

ToolResult call_tool(const Tool& tool, const Json& arguments, ToolContext& context) {
  ToolResult result = counted(tool, [&] { return tool.run(arguments, context); });
  if (context.secrets != nullptr) context.secrets->redact(result);
  return result;
}

std::optional<ToolResult> call_tool_at_once(const Tool& tool, const Json& arguments,
                                            ToolContext& context) {
  auto result = counted(tool, [&] { return tool.at_once(arguments, context); });
  if (result && context.secrets != nullptr) context.secrets->redact(*result);
  return result;
}

Resumption resumption_of(const Tool* tool, const Json& arguments, ToolContext& context) {
  if (tool == nullptr || !tool->resume || context.durable_id.empty()) return {};
  try {
    return tool->resume(arguments, context);
  } catch (const Error& error) {
    log::warn("a call of {} cannot be gone on with: {}", tool->name, error.what());
    return {};
  }
}

ToolResult resume_call(const Tool& tool, const Resumption& resumption, ToolContext& context) {
  ToolResult result = counted(tool, [&] { return resumption(context); });
  if (context.secrets != nullptr) context.secrets->redact(result);
  return result;
}

void append_result(std::string& out, const ToolResult& result) {
  out += R"("content":[)";
  bool first = true;
  for (const auto& block : result.content) {
    if (!first) out += ',';
    first = false;
    if (block.image) {
      out += R"({"type":"image","data":")";
      out += block.image->base64;
      out += R"(","mimeType":")";
      out += block.image->mime;
      out += R"("})";
    } else if (!block.block.is_null()) {
      append_json(out, block.block);
    } else {
      out += R"({"type":"text","text":)";
      append_json_string(out, block.text);
      out += '}';
    }
  }
  out += R"(],"isError":)";
  out += result.is_error ? "true" : "false";
  if (!result.structured.is_null()) {
    out += R"(,"structuredContent":)";
    append_json(out, result.structured);
  }
}

size_t result_bytes(const ToolResult& result) {
  size_t bytes = 256;
  for (const auto& block : result.content) {
    bytes += 128 + block.text.size() + (block.image ? block.image->base64.size() : 0);
  }
  return result.structured.is_null() ? bytes : 2 * bytes;
}

}  // namespace selfagent
