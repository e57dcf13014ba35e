#include "mcp/prompts.h"

#include <algorithm>

#include "rpc/message.h"

namespace selfagent::mcp {

using rpc::RpcError;

const Prompt& Prompts::find(const std::string& name, const Principal& principal) const {
  std::string known;
  for (const Prompt& prompt : prompts_) {
    if (!prompt.profiles.contains(principal.profile)) continue;
    if (prompt.name == name) return prompt;
    known += (known.empty() ? "" : ", ") + prompt.name;
  }
  throw RpcError(rpc::invalid_params,
                 "there is no prompt \"" + name.substr(0, 100) + "\" (known: " + known + ")");
}

Json Prompts::list(const Principal& principal) const {
  Json list = Json::array();
  for (const Prompt& prompt : prompts_) {
    if (!prompt.profiles.contains(principal.profile)) continue;
    Json arguments = Json::array();
    for (const PromptArgument& argument : prompt.arguments) {
      arguments.push_back({{"name", argument.name},
                           {"title", argument.title},
                           {"description", argument.description},
                           {"required", argument.required}});
    }
    Json entry = {
        {"name", prompt.name}, {"title", prompt.title}, {"description", prompt.description}};
    if (!arguments.empty()) entry["arguments"] = std::move(arguments);
    list.push_back(std::move(entry));
  }
  return list;
}

Variables prompt_values(const Prompt& prompt, const Json& given) {
  Variables values;
  for (const PromptArgument& argument : prompt.arguments) values[argument.name] = "";
  if (!given.is_null() && !given.is_object()) {
    throw RpcError(rpc::invalid_params, R"("arguments" must be an object of strings)");
  }
  for (const auto& [name, value] : given.items()) {
    const auto at = values.find(name);
    if (at == values.end()) {
      throw RpcError(rpc::invalid_params, "the prompt " + prompt.name + " has no argument \"" +
                                              name.substr(0, 100) + "\"");
    }
    if (!value.is_string()) {
      throw RpcError(rpc::invalid_params, "the argument \"" + name + "\" must be a string, got " +
                                              dump_json(value).substr(0, 100));
    }
    at->second = value.get<std::string>();
  }
  for (const PromptArgument& argument : prompt.arguments) {
    if (argument.required && values[argument.name].empty()) {
      throw RpcError(rpc::invalid_params, "the prompt " + prompt.name + " needs the argument \"" +
                                              argument.name + "\": " + argument.description);
    }
  }
  return values;
}

Json text_message(const std::string& role, const std::string& text) {
  return {{"role", role}, {"content", {{"type", "text"}, {"text", text}}}};
}

}  // namespace selfagent::mcp
