#include "process/reaper.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "base/error.h"
#include "process/spawn.h"

namespace selfagent {

namespace {
constexpr size_t remembered_children = 256;
constexpr size_t kept_output_bytes = 4096;
}  // namespace

ExitStatus reap(pid_t pid) {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0) {
    if (errno != EINTR) return {};
  }
  if (info.si_code == CLD_EXITED) return {info.si_status, 0};
  return {-1, info.si_status};
}

// What is known of an adopted process.
struct Reaper::Child {
  std::optional<ExitStatus> ended;
  std::string output;
};

// A process or a pipe under watch. `fd` is a pidfd for a process (none on an old kernel: then it is
// asked in turns).
struct Reaper::Watched {
  UniqueFd fd;
  pid_t pid = 0;                 // 0: `fd` is a pipe
  std::shared_ptr<Child> child;  // keeps the pipe's last bytes; may be null
  bool done = false;
};

Reaper::Reaper() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) throw system_error("eventfd", errno);
}

Reaper::~Reaper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void Reaper::adopt(pid_t pid, UniqueFd output) {
  auto child = std::make_shared<Child>();
  {
    const std::lock_guard lock(mutex_);
    children_[pid] = child;
    std::erase(ended_, pid);
  }
  if (output) watch({std::move(output), 0, child});
  watch({open_pidfd(pid), pid, child});
}

void Reaper::drain(UniqueFd pipe) { watch({std::move(pipe), 0, nullptr}); }

std::optional<ExitStatus> Reaper::exit_status(pid_t pid) const {
  const std::lock_guard lock(mutex_);
  const auto at = children_.find(pid);
  return at == children_.end() ? std::nullopt : at->second->ended;
}

std::string Reaper::last_output(pid_t pid) const {
  const std::lock_guard lock(mutex_);
  const auto at = children_.find(pid);
  if (at == children_.end()) return "";
  const std::string& output = at->second->output;
  return output.substr(output.size() - std::min(output.size(), kept_output_bytes));
}

void Reaper::watch(Watched watched) {
  {
    const std::lock_guard lock(mutex_);
    added_.push_back(std::move(watched));
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  }
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void Reaper::run() {
  std::list<Watched> watched;
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      watched.splice(watched.end(), added_);
    }
    std::vector<pollfd> polled = {{wake_.get(), POLLIN, 0}};
    bool without_fd = false;
    for (const auto& item : watched) {
      polled.push_back({item.fd.get(), POLLIN, 0});
      without_fd = without_fd || !item.fd;
    }
    if (::poll(polled.data(), polled.size(), without_fd ? 20 : -1) < 0 && errno != EINTR) return;
    uint64_t count = 0;
    [[maybe_unused]] const auto cleared = ::read(wake_.get(), &count, sizeof count);
    size_t at = 1;
    for (auto& item : watched) serve(item, polled[at++].revents);
    watched.remove_if([](const Watched& item) { return item.done; });
  }
}

void Reaper::serve(Watched& watched, short events) {
  if (watched.pid != 0) {
    siginfo_t info{};
    const int asked =
        ::waitid(P_PID, static_cast<id_t>(watched.pid), &info, WEXITED | WNOHANG | WNOWAIT);
    if (asked == 0 && info.si_pid == 0) return;
    const ExitStatus status = reap(watched.pid);
    const std::lock_guard lock(mutex_);
    watched.done = true;
    watched.child->ended = status;
    ended_.push_back(watched.pid);
    forget_oldest();
    return;
  }
  if (events == 0) return;
  std::array<char, 65536> buffer;
  const ssize_t count = ::read(watched.fd.get(), buffer.data(), buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  watched.done = count <= 0;
  if (count <= 0 || !watched.child) return;
  const std::lock_guard lock(mutex_);
  std::string& output = watched.child->output;
  output.append(buffer.data(), static_cast<size_t>(count));
  if (output.size() > 2 * kept_output_bytes) output.erase(0, output.size() - kept_output_bytes);
}

void Reaper::forget_oldest() {
  while (ended_.size() > remembered_children) {
    children_.erase(ended_.front());
    ended_.erase(ended_.begin());
  }
}

}  // namespace selfagent
