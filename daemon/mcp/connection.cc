#include "mcp/connection.h"

#include "base/error.h"
#include "mcp/envelope.h"
#include "mcp/links.h"
#include "mcp/turn.h"

namespace selfagent::mcp {

namespace {

using rpc::RpcError;

// Results that clients may keep. What a token may use differs, so shared caches may not.
constexpr const char* keep_private = R"("ttlMs":300000,"cacheScope":"private",)";
constexpr const char* keep_discover = R"("ttlMs":3600000,"cacheScope":"public",)";

}  // namespace

const std::string& named(const rpc::Request& request, const char* member, const char* what) {
  const Json& params = request.params;
  if (!params.is_object() || !params.contains(member) || !params[member].is_string()) {
    throw RpcError(rpc::invalid_params,
                   request.method + " needs \"" + member + "\", " + std::string(what));
  }
  return params[member].get_ref<const std::string&>();
}

Connection::Connection(Server& server, Options options)
    : server_(server), options_(std::move(options)), era_(options_.era) {}

std::string Connection::revision() const {
  const std::lock_guard lock(mutex_);
  return revision_;
}

bool Connection::declared(const std::string& capability) const {
  const std::lock_guard lock(mutex_);
  return capabilities_.is_object() && capabilities_.contains(capability);
}

std::string Connection::log_level() const {
  const std::lock_guard lock(mutex_);
  return log_level_;
}

Era Connection::era_of(const rpc::Request& request) {
  const Era own = has_envelope(request.params) ? Era::modern : Era::legacy;
  const std::lock_guard lock(mutex_);
  if (era_) return *era_;
  // A client that asks what is served has not yet chosen.
  if (request.method != "server/discover") era_ = own;
  return own;
}

void Connection::handle(rpc::Request request, rpc::Done done) {
  handle(std::move(request), options_.exchange, std::move(done));
}

void Connection::handle(rpc::Request request, Exchange exchange, rpc::Done done) {
  const auto turn = std::make_shared<Turn>();
  turn->era = era_of(request);
  turn->id = request.notification ? "" : dump_json(request.id);
  turn->request = std::move(request);
  turn->exchange = std::move(exchange);
  turn->done = std::move(done);
  try {
    if (turn->era == Era::modern) return handle_modern(turn);
    handle_legacy(turn);
  } catch (const RpcError& error) {
    turn->done(error);
  } catch (const std::exception& error) {
    turn->done(RpcError(rpc::internal_error, "Internal error", {{"detail", error.what()}}));
  }
}

void Connection::handle_legacy(const TurnPtr& turn) {
  const std::string& method = turn->request.method;
  if (method == "initialize") return initialize(turn);
  if (method == "ping") return turn->done("{}");
  if (method == "notifications/cancelled") cancelled(turn->request.params);
  if (method.starts_with("notifications/")) return turn->done("{}");
  if (method == "resources/subscribe") return subscribe(turn, true);
  if (method == "resources/unsubscribe") return subscribe(turn, false);
  if (method == "logging/setLevel" && server_.options().conformance) return set_log_level(turn);
  if (options_.tool_methods && server_.caller().registry().find(method) != nullptr) {
    return call_by_name(turn);
  }
  handle_common(turn);
}

void Connection::handle_modern(const TurnPtr& turn) {
  const rpc::Request& request = turn->request;
  // Notifications may come without an envelope.
  if (request.method == "notifications/cancelled") cancelled(request.params);
  if (request.notification) return turn->done("{}");
  if (request.method == "initialize" && !has_envelope(request.params)) {
    const Json version =
        request.params.is_object() ? request.params.value("protocolVersion", Json()) : Json();
    throw version_error(version.is_string() ? version.get<std::string>() : dump_json(version));
  }
  check_envelope(request.params);
  check_revision(named_revision(request.params));
  if (request.method == "server/discover") {
    return answer(turn, dump_json(server_.discover()), keep_discover);
  }
  if (request.method == "subscriptions/listen") return listen(turn);
  handle_common(turn);
}

// What both eras have.
void Connection::handle_common(const TurnPtr& turn) {
  const std::string& method = turn->request.method;
  if (method == "tools/call") return call_tool(turn);
  if (method == "tools/list" || method == "resources/list" || method == "prompts/list" ||
      method == "resources/templates/list") {
    const Json list = server_.list(method, turn->request.params, principal());
    return answer(turn, dump_json(list), keep_private);
  }
  if (method == "resources/read") return read_resource(turn);
  if (method == "prompts/get") return get_prompt(turn);
  if (method == "completion/complete") {
    return run_blocking(turn, "", [this, turn](ClientLink&, const std::stop_token&) {
      return dump_json(server_.complete(turn->request.params, principal()));
    });
  }
  if (options_.tool_methods && turn->era == Era::legacy) {
    throw rpc::unknown_method(server_.caller().registry().unknown(method));
  }
  throw rpc::unknown_method(
      "there is no method \"" + method.substr(0, 100) + "\"" +
      (turn->era == Era::modern ? " in revision " + modern_revisions().front() : ""));
}

void Connection::initialize(const TurnPtr& turn) {
  const Json result = server_.initialize(turn->request.params);
  {
    const std::lock_guard lock(mutex_);
    revision_ = result["protocolVersion"].get<std::string>();
    const Json& params = turn->request.params;
    capabilities_ = params.is_object() ? params.value("capabilities", Json()) : Json();
  }
  turn->done(dump_json(result));
}

void Connection::set_log_level(const TurnPtr& turn) {
  const std::string& level = named(turn->request, "level", "such as \"info\"");
  if (!level_passes(level, "debug")) {
    throw RpcError(
        rpc::invalid_params,
        "unknown level \"" + level.substr(0, 40) +
            "\": debug, info, notice, warning, error, critical, alert and emergency are");
  }
  const std::lock_guard lock(mutex_);
  log_level_ = level;
  turn->done("{}");
}

void Connection::answer(const TurnPtr& turn, std::string_view result, const char* cache) const {
  if (turn->era == Era::legacy) return turn->done(std::string(result));
  turn->done(complete(result, cache, Json::object()));
}

void Connection::answer(const TurnPtr& turn, ToolResult result) const {
  const size_t bytes = result_bytes(result) + 256;
  std::string head =
      turn->era == Era::modern ? complete_head("", Json::object()) + "," : std::string("{");
  auto append = [head = std::move(head),
                 shared = std::make_shared<ToolResult>(std::move(result))](std::string& out) {
    out += head;
    append_result(out, *shared);
    out += '}';
  };
  turn->done(rpc::ResultWriter{std::move(append), bytes});
}

// {"resultType":"complete", what the client may keep, and who answers; without the last brace.
std::string Connection::complete_head(const char* cache, Json meta) const {
  return std::string(R"({"resultType":"complete",)") + cache + R"("_meta":)" +
         dump_json(with_server(std::move(meta)));
}

Json Connection::with_server(Json meta) const {
  const ServerIdentity& identity = server_.options().identity;
  meta["io.modelcontextprotocol/serverInfo"] = {{"name", identity.name},
                                                {"version", identity.version}};
  return meta;
}

std::string Connection::complete(std::string_view result, const char* cache, Json meta) const {
  std::string out = complete_head(cache, std::move(meta));
  out.reserve(out.size() + result.size() + 1);
  // Spliced as text: a result may hold a picture of a megabyte.
  if (result != "{}") out += ',';
  out += result.substr(1);
  return out;
}

void Connection::cancelled(const Json& params) {
  if (!params.is_object() || !params.contains("requestId")) return;
  const std::string id = dump_json(params["requestId"]);
  end_listening(id);
  const std::lock_guard lock(mutex_);
  const auto at = running_.find(id);
  if (at != running_.end()) at->second.request_stop();
}

void Connection::close() {
  std::map<std::string, std::stop_source> running;
  std::map<std::string, Subscriptions::Handle> subscriptions;
  std::vector<std::string> listening;
  {
    const std::lock_guard lock(mutex_);
    running.swap(running_);
    subscriptions.swap(subscriptions_);
    for (const auto& [id, open] : listening_) listening.push_back(id);
    closed_.request_stop();
    answered_.notify_all();
  }
  for (const auto& id : listening) end_listening(id);
  for (auto& [id, source] : running) source.request_stop();
  server_.caller().client_gone(options_.client);
}

}  // namespace selfagent::mcp
