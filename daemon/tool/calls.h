// Calls under way, watched so that no client waits for one longer than it can.
//
// Most clients give up on a call after 60 s, and some kill the connection with it. So a call that
// has not ended when its foreground time is over is answered "still running" with an id, and goes
// on; the tool call_result waits for its end, or cancels it. And a client that asked for progress
// hears every second that the call lives, whether its tool reports any or not.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "tool/tool.h"

namespace selfagent {

using ProgressSink = std::function<void(double progress, const std::string& message)>;

/// One call. Thread-safe. Its tool must outlive it.
class RunningCall {
 public:
  /// Answers the client; called exactly once, on any thread.
  using Answer = std::function<void(ToolResult)>;

  RunningCall(const Tool& tool, std::string principal, milliseconds foreground,
              ProgressSink progress, Answer answer);

  /// Ends the call, however it ended.
  const std::stop_source& stop() const { return stop_; }

  /// From the tool. `value` is 0 to 1.
  void progress(double value, const std::string& message);

  /// The call has ended: answers the client if it still waits, otherwise keeps the result.
  void finish(ToolResult result);

  /// The call ends without a result. False if the client was told before that it is still running.
  bool abandon();

 private:
  friend class Calls;

  // Emits progress when it is time.
  void tick(Clock::time_point now);
  // If the foreground time is over: gives the call an id and returns what tells the client.
  std::function<void()> detach(Clock::time_point now);
  bool over() const;
  std::string describe(Clock::time_point now) const;
  ToolResult still_running(Clock::time_point now) const;
  void emit(double value, const std::string& message);

  const Tool& tool_;
  const std::string principal_;
  const milliseconds foreground_;  // 0: for ever
  const Clock::time_point started_ = Clock::now();
  std::stop_source stop_;

  mutable std::mutex mutex_;  // protects everything below
  std::condition_variable_any ended_;
  ProgressSink progress_;
  Answer answer_;   // empty once the client is answered
  std::string id_;  // set when it goes to the background
  bool over_ = false;
  ToolResult result_;
  Clock::time_point over_at_;
  double last_value_ = 0;
  std::string last_message_;
  Clock::time_point last_progress_ = started_;
};

/// All calls that need watching. Thread-safe; has a thread of its own, which sleeps while there are
/// none.
class Calls {
 public:
  Calls() = default;
  ~Calls();

  /// Watches `call` from now on, until it is over.
  void watch(const std::shared_ptr<RunningCall>& call);

  /// Waits up to `wait` for the background call `id` of `principal` and returns its result, or a
  /// text that says that it is still running. Throws Error(not_found) for an unknown id, one of
  /// another principal, and a result that was dropped (after an hour, or when 64 newer ones are
  /// kept); Error(cancelled) when `stop` is requested.
  ToolResult result(const std::string& id, const std::string& principal, milliseconds wait,
                    const std::stop_token& stop);

  /// Asks the background call to stop; its result tells how it ended. Throws like result().
  void cancel(const std::string& id, const std::string& principal);

  /// One line for each background call of `principal`.
  std::string list(const std::string& principal) const;

 private:
  using CallPtr = std::shared_ptr<RunningCall>;

  void work(const std::stop_token& stop);
  void keep(const CallPtr& call);
  CallPtr find(const std::string& id, const std::string& principal) const;

  mutable std::mutex mutex_;  // protects everything below but the thread
  std::condition_variable_any wake_;
  std::vector<CallPtr> watched_;
  std::deque<CallPtr> background_;  // oldest first
  bool asleep_ = false;
  std::jthread thread_;  // started by the first call that needs it
};

}  // namespace selfagent
