// requestState: what a call that needs answers gives its client to bring back.
//
// The client carries it, so it may be forged, replayed or put beside another call. It is therefore
// authenticated with a key that lives as long as the daemon, bound to the principal, the method and
// its parameters, good for a quarter of an hour, and accepted once. Source: MCP 2026-07-28,
// multi-round-trip requests.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/json.h"

namespace selfagent::mcp {

/// What a state belongs to: the method and its parameters without _meta and answers.
std::string state_binding(const std::string& principal, const std::string& method,
                          const Json& params);

/// Thread-safe.
class RequestStates {
 public:
  static constexpr auto lifetime = std::chrono::minutes(15);

  /// `now` is the time in tests.
  explicit RequestStates(std::function<Clock::time_point()> now = Clock::now);

  /// "v1.<payload>.<hmac>" for `state`.
  std::string seal(const Json& state, const std::string& binding);

  /// The state in `text`. Throws rpc::RpcError(invalid_params) if it was changed, belongs to
  /// another call, is too old or was used before.
  Json open(const std::string& text, const std::string& binding);

 private:
  const std::string key_;
  const std::function<Clock::time_point()> now_;
  std::mutex mutex_;                               // protects used_
  std::map<std::string, Clock::time_point> used_;  // nonce -> when it is forgotten
};

}  // namespace selfagent::mcp
