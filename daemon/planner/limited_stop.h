// A stop token that fires when another one does, or when a deadline passes.
#pragma once

#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "base/wait.h"

namespace selfagent {

/// Costs a thread that sleeps. Must not outlive the source of `outer`.
class LimitedStop {
 public:
  LimitedStop(const std::stop_token& outer, Deadline deadline)
      : forward_(outer, Forward{&source_}), timer_([this, deadline](const std::stop_token& done) {
          if (sleep_until(deadline, done)) source_.request_stop();
        }) {}

  std::stop_token token() const { return source_.get_token(); }

 private:
  struct Forward {
    std::stop_source* source;
    void operator()() const noexcept { source->request_stop(); }
  };
  std::stop_source source_;
  std::stop_callback<Forward> forward_;
  std::jthread timer_;
};

}  // namespace selfagent
