#include "base/wait.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "base/error.h"

namespace selfagent {

bool sleep_until(Deadline deadline, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_until(lock, stop, deadline.at(), [] { return false; });
  return !stop.stop_requested();
}

void StopDescriptor::Signal::operator()() const noexcept {
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
}

StopDescriptor::StopDescriptor(const std::stop_token& stop)
    : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), callback_(stop, Signal{event_.get()}) {
  if (!event_) throw system_error("eventfd", errno);
}

PollEnd poll_until(int fd, short events, Deadline deadline, const StopDescriptor& stop) {
  while (true) {
    pollfd fds[2] = {{stop.get(), POLLIN, 0}, {fd, events, 0}};
    const auto left = std::min<int64_t>(deadline.left().count() + 1, 3'600'000);
    const int count = ::poll(fds, 2, static_cast<int>(left));
    if (count < 0 && errno != EINTR) throw system_error("poll", errno);
    if (count > 0 && fds[0].revents != 0) return PollEnd::stopped;
    if (count > 0 && fds[1].revents != 0) return PollEnd::ready;
    if (deadline.passed()) return PollEnd::deadline;
  }
}

}  // namespace selfagent
