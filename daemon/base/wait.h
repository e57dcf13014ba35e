// Waits that honour a stop token and a deadline: the only way this program waits.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace selfagent {

/// Sleeps until `deadline` or until `stop` is requested. Returns true if it slept the whole time.
bool sleep_until(Deadline deadline, const std::stop_token& stop);

/// A descriptor that becomes readable when `stop` is requested, for use in poll(2) beside other
/// descriptors. Must not outlive the stop source's last use on another thread without being
/// destroyed first (it unregisters).
class StopDescriptor {
 public:
  explicit StopDescriptor(const std::stop_token& stop);
  int get() const { return event_.get(); }

 private:
  struct Signal {
    int fd;
    void operator()() const noexcept;
  };
  UniqueFd event_;
  std::stop_callback<Signal> callback_;
};

/// What ended poll_until.
enum class PollEnd { ready, stopped, deadline };

/// Waits until `fd` has one of `events` (poll(2) bits), `stop` is requested or `deadline` passes.
PollEnd poll_until(int fd, short events, Deadline deadline, const StopDescriptor& stop);

}  // namespace selfagent
