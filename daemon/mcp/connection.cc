#include "mcp/connection.h"

#include "base/error.h"
#include "mcp/envelope.h"
#include "mcp/links.h"

namespace selfagent::mcp {

namespace {

using rpc::RpcError;

// Source: MCP up to 2025-11-25, resources/read. Later revisions use invalid_params.
constexpr int legacy_resource_not_found = -32002;

constexpr auto longest_question = std::chrono::minutes(15);

// Results that clients may keep. What a token may use differs, so shared caches may not.
constexpr const char* keep_public = R"("ttlMs":300000,"cacheScope":"public",)";
constexpr const char* keep_private = R"("ttlMs":300000,"cacheScope":"private",)";
constexpr const char* keep_discover = R"("ttlMs":3600000,"cacheScope":"public",)";
constexpr const char* keep_not = R"("ttlMs":0,"cacheScope":"private",)";

// The operator's own calls: no approval. Their background calls are the owner's.
const Principal& operator_principal() {
  static const Principal principal;
  return principal;
}

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
    throw RpcError(rpc::invalid_params, tool.name + " takes at most " + std::to_string(index) +
                                            " parameters, got " + std::to_string(params.size()));
  }
  return named;
}

ToolResult text_error(const std::string& text) {
  ToolResult result = ToolResult::text(text);
  result.is_error = true;
  return result;
}

const std::string& named(const rpc::Request& request, const char* member, const char* what) {
  const Json& params = request.params;
  if (!params.is_object() || !params.contains(member) || !params[member].is_string()) {
    throw RpcError(rpc::invalid_params,
                   request.method + " needs \"" + member + "\", " + std::string(what));
  }
  return params[member].get_ref<const std::string&>();
}

RpcError resource_not_found(Era era, const std::string& uri, const std::string& why) {
  return RpcError(era == Era::modern ? rpc::invalid_params : legacy_resource_not_found,
                  "Resource not found: " + why, {{"uri", uri}});
}

RpcError unknown_resource(Era era, const std::string& uri) {
  return resource_not_found(
      era, uri,
      "there is nothing at \"" + uri.substr(0, 200) +
          "\": resources/list and resources/templates/list tell what there is");
}

}  // namespace

struct Connection::Turn {
  rpc::Request request;
  Exchange exchange;
  rpc::Done done;
  Era era = Era::legacy;
  std::string id;  // the request id's JSON text, "" for a notification
};

// A subscriptions/listen that is open.
struct Connection::Listening {
  TurnPtr turn;
  std::vector<Subscriptions::Handle> handles;
};

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
  if (method == "tools/call") return call_tool(turn);
  if (method == "initialize") return initialize(turn);
  if (method == "ping") return turn->done("{}");
  if (method == "notifications/cancelled") cancelled(turn->request.params);
  if (method.starts_with("notifications/")) return turn->done("{}");
  if (method == "resources/subscribe") return subscribe(turn, true);
  if (method == "resources/unsubscribe") return subscribe(turn, false);
  if (method == "logging/setLevel" && server_.options().conformance) return set_log_level(turn);
  if (options_.tool_methods) {
    if (server_.caller().registry().find(method) != nullptr) {
      const Tool& tool = server_.tool(method, principal());
      return call_tool(turn, tool,
                       std::make_shared<Json>(named_arguments(tool, turn->request.params)), true);
    }
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
    return answer(turn, dump_json(list), method == "prompts/list" ? keep_public : keep_private);
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

// --- calls

std::stop_token Connection::begin(const TurnPtr& turn) {
  std::stop_source source;
  const std::lock_guard lock(mutex_);
  if (!turn->id.empty()) running_[turn->id] = source;
  if (closed_.stop_requested()) source.request_stop();
  return source.get_token();
}

void Connection::end(const TurnPtr& turn) {
  if (turn->id.empty()) return;
  const std::lock_guard lock(mutex_);
  running_.erase(turn->id);
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
  const ServerIdentity& identity = server_.options().identity;
  meta["io.modelcontextprotocol/serverInfo"] = {{"name", identity.name},
                                                {"version", identity.version}};
  return std::string(R"({"resultType":"complete",)") + cache + R"("_meta":)" + dump_json(meta);
}

std::string Connection::complete(std::string_view result, const char* cache, Json meta) const {
  std::string out = complete_head(cache, std::move(meta));
  out.reserve(out.size() + result.size() + 1);
  // Spliced as text: a result may hold a picture of a megabyte.
  if (result != "{}") out += ',';
  out += result.substr(1);
  return out;
}

std::shared_ptr<ClientLink> Connection::make_link(const TurnPtr& turn,
                                                  const std::stop_token& stop) {
  if (turn->era == Era::modern) {
    const std::shared_ptr<const rpc::Request> request(turn, &turn->request);
    return std::make_shared<ModernLink>(server_, principal(), request, turn->exchange.notify);
  }
  return std::make_shared<LegacyLink>(shared_from_this(), turn->exchange, stop);
}

void Connection::input_required(const TurnPtr& turn, const InputRequired& input,
                                ClientLink& link) const {
  const auto* modern = dynamic_cast<ModernLink*>(&link);
  if (modern == nullptr) {
    return answer(turn, text_error("this call needs answers in a way that only revision " +
                                   modern_revisions().front() + " has"));
  }
  Json result = modern->input_required(input);
  const ServerIdentity& identity = server_.options().identity;
  result["_meta"] = {{"io.modelcontextprotocol/serverInfo",
                      {{"name", identity.name}, {"version", identity.version}}}};
  turn->done(dump_json(result));
}

ProgressSink Connection::progress_sink(const TurnPtr& turn) {
  const Json& params = turn->request.params;
  const Json meta = params.is_object() ? params.value("_meta", Json()) : Json();
  if (!turn->exchange.notify || !meta.is_object() || !meta.contains("progressToken")) return {};
  // Progress must rise strictly: the daemon counts for tools that only know that they are alive.
  constexpr double least_step = 1e-3;
  return [notify = turn->exchange.notify, token = meta["progressToken"], last = -least_step](
             double value, const std::string& message) mutable {
    last = std::max(value * 100, last + least_step);
    Json progress = {{"progressToken", token}, {"progress", last}, {"total", 100}};
    if (!message.empty()) progress["message"] = message;
    notify(rpc::notification_message("notifications/progress", progress));
  };
}

void Connection::call_tool(const TurnPtr& turn) {
  const std::string& name = named(turn->request, "name", "the name of a tool");
  const Tool& tool = server_.tool(name, principal());
  static const auto none = std::make_shared<const Json>(Json::object());
  const auto given = turn->request.params.find("arguments");
  // Not copied: the turn lives as long as the call.
  const auto arguments =
      given == turn->request.params.end() ? none : std::shared_ptr<const Json>(turn, &*given);
  call_tool(turn, tool, arguments, false);
}

void Connection::call_tool(const TurnPtr& turn, const Tool& tool,
                           std::shared_ptr<const Json> arguments, bool plain) {
  const std::stop_token stop = begin(turn);
  const auto link = make_link(turn, stop);
  CallRequest call;
  call.arguments = std::move(arguments);
  call.client = options_.client;
  call.principal = plain && options_.is_operator ? &operator_principal() : options_.principal;
  call.link = link;
  call.stop = stop;
  call.progress = progress_sink(turn);
  if (!plain) call.foreground = server_.options().foreground;
  const auto self = shared_from_this();
  server_.caller().start(tool, std::move(call), [self, turn, link, plain](CallOutcome outcome) {
    self->end(turn);
    if (auto* result = std::get_if<ToolResult>(&outcome)) {
      return self->answer(turn, std::move(*result));
    }
    if (const auto* refused = std::get_if<ParameterError>(&outcome)) {
      // Plain JSON-RPC has a code for it; MCP wants a result that the model can read.
      if (plain) return turn->done(RpcError(rpc::invalid_params, refused->what()));
      return self->answer(turn, text_error(refused->what()));
    }
    if (const auto* input = std::get_if<InputRequired>(&outcome)) {
      return self->input_required(turn, *input, *link);
    }
    const Json& needed = std::get<CapabilityMissing>(outcome).capabilities;
    turn->done(RpcError(missing_capability, "Missing required client capability",
                        {{"requiredCapabilities", needed}}));
  });
}

void Connection::run_blocking(
    const TurnPtr& turn, const char* cache,
    std::function<std::string(ClientLink&, const std::stop_token&)> work) {
  const std::stop_token stop = begin(turn);
  const auto link = make_link(turn, stop);
  auto task = [self = shared_from_this(), turn, cache, stop, link, work = std::move(work)] {
    try {
      const std::string result = work(*link, stop);
      self->end(turn);
      return self->answer(turn, result, cache);
    } catch (const RpcError& error) {
      turn->done(error);
    } catch (const InputRequired& input) {
      self->input_required(turn, input, *link);
    } catch (const CapabilityMissing& missing) {
      turn->done(RpcError(missing_capability, "Missing required client capability",
                          {{"requiredCapabilities", missing.capabilities}}));
    } catch (const std::exception& error) {
      turn->done(RpcError(rpc::internal_error, error.what()));
    }
    self->end(turn);
  };
  try {
    server_.caller().pool().submit(std::move(task));
  } catch (const Error& error) {
    end(turn);
    throw RpcError(rpc::internal_error, error.what());
  }
}

void Connection::cancelled(const Json& params) {
  if (!params.is_object() || !params.contains("requestId")) return;
  const std::string id = dump_json(params["requestId"]);
  end_listening(id);
  const std::lock_guard lock(mutex_);
  const auto at = running_.find(id);
  if (at != running_.end()) at->second.request_stop();
}

// --- resources and prompts

void Connection::read_resource(const TurnPtr& turn) {
  const std::string& uri = named(turn->request, "uri", "the URI of a resource");
  const auto found = server_.resources().find(uri, principal());
  if (!found) throw unknown_resource(turn->era, uri);
  run_blocking(turn, keep_not,
               [found = *found, uri, era = turn->era](ClientLink&, const std::stop_token& stop) {
                 try {
                   return contents_json(uri, found.resource->read(uri, found.variables, stop));
                 } catch (const Error& error) {
                   if (error.code() != ErrorCode::not_found) throw;
                   throw resource_not_found(era, uri, error.what());
                 }
               });
}

void Connection::get_prompt(const TurnPtr& turn) {
  const Prompt& prompt = server_.prompts().find(named(turn->request, "name", "a prompt's name"));
  const Variables values = prompt_values(prompt, turn->request.params.value("arguments", Json()));
  run_blocking(turn, "", [&prompt, values](ClientLink& link, const std::stop_token&) {
    return dump_json(
        {{"description", prompt.description}, {"messages", prompt.messages(values, link)}});
  });
}

void Connection::subscribe(const TurnPtr& turn, bool on) {
  const std::string uri = named(turn->request, "uri", "the URI of a resource");
  const auto found = server_.resources().find(uri, principal());
  if (!found) throw unknown_resource(turn->era, uri);
  if (!found->resource->watch) {
    throw RpcError(rpc::invalid_params, "\"" + uri.substr(0, 200) + "\" cannot be subscribed to");
  }
  const Notify notify = options_.exchange.notify;
  if (!notify) {
    throw RpcError(rpc::invalid_request,
                   "resources/subscribe needs a session: send the Mcp-Session-Id that initialize "
                   "answered, and open the event stream with GET");
  }
  Subscriptions::Handle handle;
  if (on) {
    handle = server_.subscriptions().add(uri, *found->resource, [notify, uri] {
      notify(rpc::notification_message("notifications/resources/updated", {{"uri", uri}}));
    });
  }
  {
    const std::lock_guard lock(mutex_);
    std::swap(subscriptions_[uri], handle);
    if (!on) subscriptions_.erase(uri);
  }
  turn->done("{}");
}

void Connection::listen(const TurnPtr& turn) {
  const Json& params = turn->request.params;
  const Json wanted = params.value("notifications", Json());
  if (!wanted.is_object()) {
    throw RpcError(rpc::invalid_params,
                   R"(subscriptions/listen needs "notifications", an object such as )"
                   R"({"resourceSubscriptions":["screen://current"]})");
  }
  const Notify notify = turn->exchange.notify;
  if (!notify) {
    throw RpcError(rpc::invalid_request,
                   "subscriptions/listen is answered with an event stream: send an Accept header "
                   "with text/event-stream");
  }
  const Json meta = {{subscription_key, turn->request.id}};
  Json honoured = Json::object();
  std::vector<std::pair<std::string, const Resource*>> topics;
  if (server_.options().conformance) {
    for (const char* kind : {"tools", "prompts"}) {
      const std::string flag = std::string(kind) + "ListChanged";
      if (wanted.value(flag, Json(false)) != true) continue;
      honoured[flag] = true;
      topics.emplace_back("notifications/" + std::string(kind) + "/list_changed", nullptr);
    }
  }
  const Json uris = wanted.value("resourceSubscriptions", Json::array());
  for (const Json& uri : uris.is_array() ? uris : Json::array()) {
    if (!uri.is_string()) continue;
    const auto found = server_.resources().find(uri.get<std::string>(), principal());
    if (!found || !found->resource->watch) continue;
    honoured["resourceSubscriptions"].push_back(uri);
    topics.emplace_back(uri.get<std::string>(), found->resource);
  }
  const auto listening = std::make_shared<Listening>();
  listening->turn = turn;
  {
    const std::lock_guard lock(mutex_);
    listening_[turn->id] = listening;
  }
  notify(rpc::notification_message("notifications/subscriptions/acknowledged",
                                   {{"notifications", honoured}, {"_meta", meta}}));
  std::vector<Subscriptions::Handle> handles;
  for (const auto& [topic, resource] : topics) {
    if (resource == nullptr) {
      handles.push_back(server_.subscriptions().add(topic, [notify, topic = topic, meta] {
        notify(rpc::notification_message(topic, {{"_meta", meta}}));
      }));
    } else {
      handles.push_back(server_.subscriptions().add(topic, *resource, [notify, uri = topic, meta] {
        notify(rpc::notification_message("notifications/resources/updated",
                                         {{"uri", uri}, {"_meta", meta}}));
      }));
    }
  }
  const std::lock_guard lock(mutex_);
  listening->handles.swap(handles);
}

void Connection::end_listening(const std::string& id) {
  std::shared_ptr<Listening> listening;
  {
    const std::lock_guard lock(mutex_);
    const auto at = listening_.find(id);
    if (at == listening_.end()) return;
    listening = std::move(at->second);
    listening_.erase(at);
  }
  const TurnPtr& turn = listening->turn;
  turn->done(complete("{}", "", {{subscription_key, turn->request.id}}));
}

// --- requests of ours

Json Connection::ask(const Exchange& exchange, const std::string& method, const Json& params,
                     const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const int64_t id = next_question_++;
  questions_[id] = std::nullopt;
  lock.unlock();
  exchange.notify(
      dump_json({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}}));
  lock.lock();
  answered_.wait_until(lock, stop, Clock::now() + longest_question,
                       [&] { return questions_[id] || closed_.stop_requested(); });
  const bool gone = stop.stop_requested() || closed_.stop_requested();
  const std::optional<Json> body = std::move(questions_[id]);
  questions_.erase(id);
  lock.unlock();
  if (!body) {
    exchange.notify(rpc::notification_message("notifications/cancelled",
                                              {{"requestId", id}, {"reason", "no longer needed"}}));
    if (gone) throw Error(ErrorCode::cancelled, "cancelled while the client was asked");
    throw Error(ErrorCode::timeout, "the client did not answer " + method + " in time");
  }
  if (body->contains("error")) {
    const Json& error = (*body)["error"];
    throw Error(ErrorCode::unavailable,
                "the client answered " + method + " with an error: " + dump_json(error));
  }
  return (*body)["result"];
}

void Connection::on_response(const Json& body) {
  if (!body.contains("id") || !body["id"].is_number_integer()) return;
  const std::lock_guard lock(mutex_);
  const auto at = questions_.find(body["id"].get<int64_t>());
  if (at == questions_.end() || at->second) return;
  at->second = body;
  answered_.notify_all();
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
