// Calls of tools, and everything else that may block: on a worker, cancelled by its client.
#include "base/error.h"
#include "mcp/envelope.h"
#include "mcp/links.h"
#include "mcp/turn.h"

namespace selfagent::mcp {

namespace {

using rpc::RpcError;

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

RpcError lacks(const CapabilityMissing& missing) {
  return RpcError(missing_capability, "Missing required client capability",
                  {{"requiredCapabilities", missing.capabilities}});
}

}  // namespace

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
    return answer(turn, ToolResult::error("this call needs answers in a way that only revision " +
                                          modern_revisions().front() + " has"));
  }
  Json result = modern->input_required(input);
  result["_meta"] = with_server(Json::object());
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

// Plain JSON-RPC: the method is the tool.
void Connection::call_by_name(const TurnPtr& turn) {
  const Tool& tool = server_.tool(turn->request.method, principal());
  call_tool(turn, tool, std::make_shared<Json>(named_arguments(tool, turn->request.params)), true);
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
      return self->answer(turn, ToolResult::error(refused->what()));
    }
    if (const auto* input = std::get_if<InputRequired>(&outcome)) {
      return self->input_required(turn, *input, *link);
    }
    turn->done(lacks(std::get<CapabilityMissing>(outcome)));
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
      turn->done(lacks(missing));
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

}  // namespace selfagent::mcp
