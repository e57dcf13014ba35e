// Requests of ours to a legacy client, and the answers.
#include "base/error.h"
#include "mcp/connection.h"

namespace selfagent::mcp {

namespace {

constexpr auto longest_question = std::chrono::minutes(15);

}  // namespace

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

}  // namespace selfagent::mcp
