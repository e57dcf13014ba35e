// A stop token that fires when another one does, or when something else has happened.
#pragma once

#include <functional>
#include <stop_token>
#include <thread>
#include <utility>

namespace selfagent {

/// Costs a thread that waits. Must not outlive the source of `outer`.
class StopWhen {
 public:
  /// `happens` blocks until it has happened and returns true; it returns false as soon as its token
  /// fires, which the end of this object does. It must not throw.
  StopWhen(const std::stop_token& outer, std::function<bool(const std::stop_token&)> happens)
      : forward_(outer, Forward{&source_}),
        waiter_([this, wait = std::move(happens)](const std::stop_token& done) {
          if (wait(done)) source_.request_stop();
        }) {}

  std::stop_token token() const { return source_.get_token(); }

 private:
  struct Forward {
    std::stop_source* source;
    void operator()() const noexcept { source->request_stop(); }
  };
  std::stop_source source_;
  std::stop_callback<Forward> forward_;
  std::jthread waiter_;
};

}  // namespace selfagent
