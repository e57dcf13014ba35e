#include "mcp/server.h"

#include <algorithm>

#include "mcp/envelope.h"

namespace selfagent::mcp {

namespace {

// Positional parameters of JSON-RPC, in the order of the tool's schema.
Json named_arguments(const Tool& tool, Json params) {
  if (!params.is_array()) return params;
  Json named = Json::object();
  size_t index = 0;
  for (const auto& [name, schema] : tool.input_schema["properties"].items()) {
    if (index >= params.size()) break;
    named[name] = std::move(params[index++]);
  }
  if (index < params.size()) {
    throw rpc::RpcError(rpc::invalid_params, tool.name + " takes at most " + std::to_string(index) +
                                                 " parameters, got " +
                                                 std::to_string(params.size()));
  }
  return named;
}

Json describe(const Tool& tool) {
  return {{"name", tool.name},
          {"title", tool.title},
          {"description", tool.description},
          {"inputSchema", tool.input_schema},
          {"annotations",
           {{"title", tool.title},
            {"readOnlyHint", tool.annotations.read_only},
            {"destructiveHint", tool.annotations.destructive},
            {"idempotentHint", tool.annotations.idempotent},
            {"openWorldHint", tool.annotations.open_world}}}};
}

std::string text_error(const std::string& text) {
  ToolResult result = ToolResult::text(text);
  result.is_error = true;
  return result_json(result);
}

}  // namespace

const std::vector<std::string>& legacy_revisions() {
  static const std::vector<std::string> revisions{"2025-11-25", "2025-06-18", "2025-03-26",
                                                  "2024-11-05"};
  return revisions;
}

Connection::Connection(ToolCaller& caller, ServerIdentity identity, Options options)
    : caller_(caller),
      identity_(std::move(identity)),
      options_(std::move(options)),
      era_(options_.era) {}

Era Connection::era_of(const rpc::Request& request) {
  const Era own = has_envelope(request.params) ? Era::modern : Era::legacy;
  const std::lock_guard lock(mutex_);
  if (era_) return *era_;
  // A client that asks what is served has not yet chosen.
  if (request.method != "server/discover") era_ = own;
  return own;
}

void Connection::handle(rpc::Request request, rpc::Done done) {
  try {
    if (era_of(request) == Era::modern) return handle_modern(request, done);
    handle_legacy(request, done);
  } catch (const rpc::RpcError& error) {
    done(error);
  } catch (const std::exception& error) {
    done(rpc::RpcError(rpc::internal_error, "Internal error", {{"detail", error.what()}}));
  }
}

void Connection::handle_legacy(const rpc::Request& request, const rpc::Done& done) {
  const std::string& method = request.method;
  if (method == "tools/call") return call_named_tool(request, done);
  if (method == "initialize") return done(initialize(request.params));
  if (method == "ping") return done("{}");
  if (method == "tools/list") return done(dump_json(list_tools(request.params)));
  if (method == "notifications/cancelled") cancelled(request.params);
  if (method.starts_with("notifications/")) return done("{}");
  if (options_.tool_methods) {
    if (const Tool* tool = caller_.registry().find(method)) {
      Json arguments = named_arguments(*tool, request.params);
      return call_tool(method, std::move(arguments), request, true, done);
    }
    throw rpc::unknown_method(caller_.registry().unknown(method));
  }
  throw rpc::unknown_method("there is no method \"" + method + "\"");
}

void Connection::handle_modern(const rpc::Request& request, const rpc::Done& done) {
  const std::string& method = request.method;
  // Notifications may come without an envelope.
  if (method == "notifications/cancelled") cancelled(request.params);
  if (request.notification) return done("{}");
  if (method == "initialize" && !has_envelope(request.params)) {
    const Json version =
        request.params.is_object() ? request.params.value("protocolVersion", Json()) : Json();
    throw version_error(version.is_string() ? version.get<std::string>() : dump_json(version));
  }
  check_envelope(request.params);
  check_revision(named_revision(request.params));
  if (method == "server/discover") return done(discover());
  if (method == "tools/list") {
    Json result = list_tools(request.params);
    result["ttlMs"] = 300'000;
    result["cacheScope"] = "public";
    return done(complete(dump_json(result)));
  }
  if (method == "tools/call") {
    return call_named_tool(request, [self = shared_from_this(), done](rpc::Outcome outcome) {
      const auto* result = std::get_if<std::string>(&outcome);
      done(result != nullptr ? rpc::Outcome(self->complete(*result)) : std::move(outcome));
    });
  }
  throw rpc::unknown_method("there is no method \"" + method + "\" in revision " +
                            modern_revisions().front());
}

void Connection::call_named_tool(const rpc::Request& request, const rpc::Done& done) {
  const Json& params = request.params;
  if (!params.is_object() || !params.contains("name") || !params["name"].is_string()) {
    throw rpc::RpcError(rpc::invalid_params, R"(tools/call needs "name", the name of a tool)");
  }
  Json arguments = params.value("arguments", Json::object());
  call_tool(params["name"].get<std::string>(), std::move(arguments), request, false, done);
}

std::string Connection::complete(std::string_view result) const {
  const Json server = {{"name", identity_.name}, {"version", identity_.version}};
  std::string out = R"({"resultType":"complete","_meta":)" +
                    dump_json({{"io.modelcontextprotocol/serverInfo", server}});
  out.reserve(out.size() + result.size() + 1);
  // Spliced as text: a result may hold a picture of a megabyte.
  if (result != "{}") out += ',';
  out += result.substr(1);
  return out;
}

std::string Connection::discover() const {
  return complete(dump_json({{"supportedVersions", modern_revisions()},
                             {"capabilities", {{"tools", Json::object()}}},
                             {"instructions", identity_.instructions},
                             {"ttlMs", 3'600'000},
                             {"cacheScope", "public"}}));
}

void Connection::close() {
  std::map<std::string, std::stop_source> running;
  {
    const std::lock_guard lock(mutex_);
    running.swap(running_);
  }
  closed_.request_stop();
  for (auto& [id, source] : running) source.request_stop();
  caller_.client_gone(options_.client);
}

std::string Connection::initialize(const Json& params) const {
  std::string asked;
  if (params.is_object() && params.contains("protocolVersion")) {
    const Json& version = params["protocolVersion"];
    if (!version.is_string()) {
      throw rpc::RpcError(rpc::invalid_params, R"("protocolVersion" must be a string such as ")" +
                                                   legacy_revisions().front() + R"(", got )" +
                                                   dump_json(version));
    }
    asked = version.get<std::string>();
  }
  const auto& known = legacy_revisions();
  const bool supported = std::find(known.begin(), known.end(), asked) != known.end();
  Json result = {{"protocolVersion", supported ? asked : known.front()},
                 {"capabilities", {{"tools", Json::object()}}},
                 {"serverInfo",
                  {{"name", identity_.name},
                   {"title", "selfagent desktop sandbox"},
                   {"version", identity_.version}}},
                 {"instructions", identity_.instructions}};
  return dump_json(result);
}

Json Connection::list_tools(const Json& params) const {
  if (params.is_object() && params.contains("cursor") && !params["cursor"].is_null()) {
    throw rpc::RpcError(rpc::invalid_params,
                        "unknown cursor: all tools are on the first page, ask without a cursor");
  }
  Json tools = Json::array();
  for (const auto& [name, tool] : caller_.registry().tools()) tools.push_back(describe(tool));
  return {{"tools", tools}};
}

void Connection::call_tool(const std::string& name, Json arguments, const rpc::Request& request,
                           bool plain, const rpc::Done& done) {
  const Tool* tool = caller_.registry().find(name);
  if (tool == nullptr) throw rpc::RpcError(rpc::invalid_params, caller_.registry().unknown(name));

  const std::string id = request.notification ? "" : dump_json(request.id);
  std::stop_source source;
  if (!id.empty()) {
    const std::lock_guard lock(mutex_);
    running_[id] = source;
  }
  if (closed_.stop_requested()) source.request_stop();

  ProgressSink progress;
  const Json meta = request.params.is_object() ? request.params.value("_meta", Json()) : Json();
  if (options_.notify && meta.is_object() && meta.contains("progressToken")) {
    // Progress must rise strictly: the daemon counts for tools that only know that they are alive.
    progress = [notify = options_.notify, token = meta["progressToken"], last = 0.0](
                   double value, const std::string& message) mutable {
      last = std::max(value, last + 1e-6);
      notify(rpc::notification_message(
          "notifications/progress",
          {{"progressToken", token}, {"progress", last}, {"message", message}}));
    };
  }
  caller_.start(*tool, std::move(arguments), options_.client, source.get_token(),
                std::move(progress),
                [self = shared_from_this(), id, plain, done](CallOutcome outcome) {
                  if (!id.empty()) {
                    const std::lock_guard lock(self->mutex_);
                    self->running_.erase(id);
                  }
                  if (auto* refused = std::get_if<ParameterError>(&outcome)) {
                    // Plain JSON-RPC has a code for it; MCP wants a result that the model can read.
                    if (plain) return done(rpc::RpcError(rpc::invalid_params, refused->what()));
                    return done(text_error(refused->what()));
                  }
                  done(std::get<std::string>(std::move(outcome)));
                });
}

void Connection::cancelled(const Json& params) {
  if (!params.is_object() || !params.contains("requestId")) return;
  const std::lock_guard lock(mutex_);
  const auto at = running_.find(dump_json(params["requestId"]));
  if (at != running_.end()) at->second.request_stop();
}

}  // namespace selfagent::mcp
