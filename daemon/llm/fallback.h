// A model, and another one that stands in while the first does not answer.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "llm/client.h"

namespace selfagent {

/// Answers one request like LlmClient::complete; called by one thread at a time.
using ModelCall = std::function<Completion(const CompletionRequest&, const std::stop_token&)>;

/// Keeps requests away from a model that failed: 30 s after the first failure, twice as long after
/// each further one, 10 minutes at most. Thread-safe; shared by the runs.
class CircuitBreaker {
 public:
  bool open(Clock::time_point now = Clock::now()) const;
  void failed(Clock::time_point now = Clock::now());
  void succeeded();

 private:
  mutable std::mutex mutex_;  // protects the rest
  int failures_ = 0;
  Clock::time_point closed_until_{};
};

/// Used by one thread.
class FallbackModel {
 public:
  struct Model {
    std::string name;
    ModelCall complete;
  };
  FallbackModel(Model first, Model second, std::shared_ptr<CircuitBreaker> breaker);

  /// Asks the first model, and the second if that fails or is known to fail; says so by on_notice.
  /// A request by_fallback goes to the second, until that has failed once.
  /// What one model wrote for itself (reasoning, signatures) is not shown to the other. Throws what
  /// the first throws for a cancelled request and for a prompt that is too large, else what the
  /// second throws, with both reasons.
  Completion complete(const CompletionRequest& request, const std::stop_token& stop);

 private:
  Completion ask_first(const CompletionRequest& request, const std::stop_token& stop);
  Completion ask_second(const CompletionRequest& request, const std::stop_token& stop);
  Completion converse_with_second(const CompletionRequest& request, const std::stop_token& stop);

  const Model first_;
  const Model second_;
  const std::shared_ptr<CircuitBreaker> breaker_;
  bool told_ = false;                      ///< that the second one goes on
  bool no_help_ = false;                   ///< the second one has failed where it was to help
  std::string problem_;                    ///< of the first one
  std::set<std::string> calls_of_second_;  ///< ids
};

}  // namespace selfagent
