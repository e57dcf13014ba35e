#include "mcp/links.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "mcp/envelope.h"

namespace selfagent::mcp {

using rpc::RpcError;

bool level_passes(const std::string& level, const std::string& least) {
  static constexpr std::array levels{"debug", "info",     "notice", "warning",
                                     "error", "critical", "alert",  "emergency"};
  const auto rank = [](const std::string& word) {
    return std::find(levels.begin(), levels.end(), word);
  };
  return rank(level) != levels.end() && rank(least) != levels.end() && rank(level) >= rank(least);
}

std::string capability_of(const std::string& method) {
  return method == "sampling/createMessage" ? "sampling"
         : method == "roots/list"           ? "roots"
                                            : "elicitation";
}

namespace {

std::string log_message(const std::string& level, const Json& data) {
  return rpc::notification_message("notifications/message", {{"level", level}, {"data", data}});
}

// Answers that are worth nothing count as none: the client is asked again.
bool is_answer(const Json& answer, const std::string& method) {
  if (!answer.is_object()) return false;
  if (method == "elicitation/create") {
    return answer.contains("action") && answer["action"].is_string();
  }
  return answer.contains(method == "roots/list" ? "roots" : "content");
}

}  // namespace

ModernLink::ModernLink(Server& server, const Principal& principal,
                       std::shared_ptr<const rpc::Request> request, Notify notify)
    : server_(server),
      principal_(principal),
      request_(std::move(request)),
      notify_(std::move(notify)) {
  const Json& params = request_->params;
  if (params.contains("inputResponses") && !params["inputResponses"].is_null()) {
    if (!params["inputResponses"].is_object()) {
      throw RpcError(rpc::invalid_params,
                     R"("inputResponses" must be an object: one answer for each input request)");
    }
    responses_ = params["inputResponses"];
  }
  if (!params.contains("requestState") || params["requestState"].is_null()) return;
  if (!params["requestState"].is_string()) {
    throw RpcError(rpc::invalid_params, R"("requestState" must be the string that came with)"
                                        " input_required");
  }
  const Json opened = server.states().open(params["requestState"].get<std::string>(), binding());
  answers_ = opened["answers"];
  state_ = opened["state"];
  has_state_ = true;
}

std::string ModernLink::binding() const {
  return state_binding(principal_.name, request_->method, request_->params);
}

bool ModernLink::can(const std::string& capability) const {
  const Json& capabilities = client_capabilities(request_->params);
  return capabilities.contains(capability) && capabilities[capability].is_object();
}

Json ModernLink::ask(const Json& requests, bool bound) {
  Json missing = Json::object();
  for (const auto& [key, request] : requests.items()) {
    const std::string method = request["method"].get<std::string>();
    if (answers_.contains(key)) continue;
    if (responses_.contains(key) && (has_state_ || !bound) && is_answer(responses_[key], method)) {
      answers_[key] = responses_[key];
      continue;
    }
    const std::string capability = capability_of(method);
    if (!can(capability)) throw CapabilityMissing{{{capability, Json::object()}}};
    missing[key] = request;
  }
  if (!missing.empty()) throw InputRequired{missing, state_};
  Json found = Json::object();
  for (const auto& [key, request] : requests.items()) found[key] = answers_[key];
  return found;
}

void ModernLink::log(const std::string& level, const Json& data) {
  if (notify_ && level_passes(level, wanted_log_level(request_->params)))
    notify_(log_message(level, data));
}

Json ModernLink::input_required(const InputRequired& input) const {
  Json result = {{"resultType", "input_required"}};
  if (!input.requests.empty()) result["inputRequests"] = input.requests;
  result["requestState"] =
      server_.states().seal({{"answers", answers_}, {"state", input.state}}, binding());
  return result;
}

bool LegacyLink::can(const std::string& capability) const {
  return exchange_.answers && exchange_.notify && connection_->declared(capability);
}

Json LegacyLink::ask(const Json& requests, bool) {
  Json answers = Json::object();
  for (const auto& [key, request] : requests.items()) {
    const std::string method = request["method"].get<std::string>();
    const std::string capability = capability_of(method);
    if (!can(capability)) {
      throw Error(ErrorCode::unavailable,
                  "this needs a client that declares \"" + capability +
                      "\" and can be asked: over HTTP that takes the Mcp-Session-Id of initialize "
                      "and an Accept header with text/event-stream");
    }
    Json params = request.value("params", Json::object());
    if (params.value("mode", "") == "form") params.erase("mode");  // newer than some clients
    answers[key] = connection_->ask(exchange_, method, params, stop_);
  }
  return answers;
}

void LegacyLink::log(const std::string& level, const Json& data) {
  if (exchange_.notify && level_passes(level, connection_->log_level())) {
    exchange_.notify(log_message(level, data));
  }
}

void LegacyLink::release_stream() {
  if (exchange_.release) exchange_.release();
}

}  // namespace selfagent::mcp
