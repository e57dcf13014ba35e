#include "mcp/server.h"

#include <algorithm>

#include "mcp/envelope.h"
#include "mcp/pages.h"
#include "schema/output.h"

namespace selfagent::mcp {

namespace {

using rpc::RpcError;

constexpr size_t most_completions = 100;  // of one answer. Source: MCP, completion/complete

Json describe(const Tool& tool) {
  Json out = {{"name", tool.name},
              {"title", tool.title},
              {"description", tool.description},
              {"inputSchema", tool.input_schema},
              {"annotations",
               {{"title", tool.title},
                {"readOnlyHint", tool.annotations.read_only},
                {"destructiveHint", tool.annotations.destructive},
                {"idempotentHint", tool.annotations.idempotent},
                {"openWorldHint", tool.annotations.open_world}}}};
  if (tool.output_schema.is_null()) return out;
  out["outputSchema"] = tool.output_schema;
  if (!tool.long_running) return out;
  // It may also say that it is still running, and nothing else: see tool/calls.h.
  Json& schema = out["outputSchema"];
  schema.erase("required");
  schema["properties"]["still_running"] =
      field("boolean", "True if the call goes on in the background; then only call_id is there.");
  schema["properties"]["call_id"] = field("string", "What call_result takes.");
  return out;
}

const std::string& required_string(const Json& object, const char* member, const char* what) {
  if (!object.is_object() || !object.contains(member) || !object[member].is_string()) {
    throw RpcError(rpc::invalid_params, std::string(what) + " needs \"" + member + "\", a string");
  }
  return object[member].get_ref<const std::string&>();
}

}  // namespace

const std::vector<std::string>& legacy_revisions() {
  static const std::vector<std::string> revisions{"2025-11-25", "2025-06-18", "2025-03-26",
                                                  "2024-11-05"};
  return revisions;
}

Server::Server(ToolCaller& caller, Options options)
    : caller_(caller), options_(std::move(options)), subscriptions_(caller.pool()) {}

const Tool& Server::tool(const std::string& name, const Principal& principal) const {
  const Tool* tool = caller_.registry().find(name);
  if (tool == nullptr) throw RpcError(rpc::invalid_params, caller_.registry().unknown(name));
  if (!principal.allows(*tool)) {
    throw RpcError(rpc::invalid_params, "the tool \"" + name + "\" is not open to the token \"" +
                                            principal.name + "\": tools/list tells what is");
  }
  return *tool;
}

Json Server::capabilities(Era era) const {
  Json all = {{"tools", Json::object()},
              {"resources", {{"subscribe", true}}},
              {"prompts", Json::object()},
              {"completions", Json::object()}};
  if (options_.conformance) {
    if (era == Era::legacy) all["logging"] = Json::object();
    if (era == Era::modern) {
      for (const char* registry : {"tools", "prompts"}) all[registry]["listChanged"] = true;
    }
  }
  return all;
}

Json Server::initialize(const Json& params) const {
  std::string asked;
  if (params.is_object() && params.contains("protocolVersion")) {
    const Json& version = params["protocolVersion"];
    if (!version.is_string()) {
      throw RpcError(rpc::invalid_params, R"("protocolVersion" must be a string such as ")" +
                                              legacy_revisions().front() + R"(", got )" +
                                              dump_json(version));
    }
    asked = version.get<std::string>();
  }
  const auto& known = legacy_revisions();
  const bool supported = std::find(known.begin(), known.end(), asked) != known.end();
  return {{"protocolVersion", supported ? asked : known.front()},
          {"capabilities", capabilities(Era::legacy)},
          {"serverInfo",
           {{"name", options_.identity.name},
            {"title", "selfagent desktop sandbox"},
            {"version", options_.identity.version}}},
          {"instructions", options_.identity.instructions}};
}

Json Server::discover() const {
  return {{"supportedVersions", modern_revisions()},
          {"capabilities", capabilities(Era::modern)},
          {"instructions", options_.identity.instructions}};
}

Json Server::list(const std::string& method, const Json& params, const Principal& principal) const {
  const size_t size = options_.page_size;
  if (method == "resources/list") {
    return page("resources", resources_.list(false, principal), params, size);
  }
  if (method == "resources/templates/list") {
    return page("resourceTemplates", resources_.list(true, principal), params, size);
  }
  if (method == "prompts/list") return page("prompts", prompts_.list(principal), params, size);
  Json tools = Json::array();
  for (const Tool& tool : caller_.registry().tools()) {
    if (principal.allows(tool)) tools.push_back(describe(tool));
  }
  return page("tools", tools, params, size);
}

Json Server::complete(const Json& params, const Principal& principal) const {
  const Json ref = params.is_object() ? params.value("ref", Json()) : Json();
  const Json argument = params.is_object() ? params.value("argument", Json()) : Json();
  const std::string type = required_string(ref, "type", "completion/complete: ref");
  const std::string name = required_string(argument, "name", "completion/complete: argument");
  const std::string typed = required_string(argument, "value", "completion/complete: argument");
  Variables others;
  const Json context = params.value("context", Json());
  if (context.is_object() && context.contains("arguments") && context["arguments"].is_object()) {
    for (const auto& [key, value] : context["arguments"].items()) {
      if (value.is_string()) others[key] = value.get<std::string>();
    }
  }
  const Complete* complete = nullptr;
  bool known = false;
  if (type == "ref/prompt") {
    const Prompt& prompt = prompts_.find(required_string(ref, "name", "ref"), principal);
    for (const auto& candidate : prompt.arguments) {
      if (candidate.name != name) continue;
      known = true;
      complete = &candidate.complete;
    }
  } else if (type == "ref/resource") {
    const std::string& uri = required_string(ref, "uri", "ref");
    const Resource* resource = resources_.find_template(uri, principal);
    if (resource == nullptr) {
      throw RpcError(rpc::invalid_params, "there is no resource template \"" + uri.substr(0, 200) +
                                              "\": resources/templates/list tells what there is");
    }
    const auto at = resource->complete.find(name);
    known = at != resource->complete.end() || resource->uri.find(name + "}") != std::string::npos;
    if (at != resource->complete.end()) complete = &at->second;
  } else {
    throw RpcError(rpc::invalid_params, "ref.type is \"" + type.substr(0, 100) +
                                            "\": ref/prompt and ref/resource are served");
  }
  if (!known) {
    throw RpcError(rpc::invalid_params, "there is no argument \"" + name.substr(0, 100) + "\"");
  }
  auto values =
      complete != nullptr && *complete ? (*complete)(typed, others) : std::vector<std::string>{};
  const size_t total = values.size();
  if (total > most_completions) values.resize(most_completions);
  return {{"completion",
           {{"values", values}, {"total", total}, {"hasMore", total > most_completions}}}};
}

}  // namespace selfagent::mcp
