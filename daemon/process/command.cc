#include "process/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/error.h"
#include "base/wait.h"
#include "process/descriptors.h"
#include "process/output.h"
#include "process/spawn.h"

namespace selfagent {

namespace {

constexpr milliseconds kill_grace{2000};  // between TERM and KILL
constexpr milliseconds quiet_time{
    100};  // after the program's end, for what its children still write
constexpr milliseconds longest_drain{1000};
constexpr milliseconds tick{1000};
constexpr milliseconds exit_poll{5};  // only where the kernel has no pidfd
constexpr int pieces_per_turn = 16;   // then the stop token and the deadline are looked at again

// Bytes for standard input, in memory: nothing to poll, no SIGPIPE when the program does not read
// them.
UniqueFd input_file(const Sandbox& sandbox, const std::string& input) {
  if (input.empty()) return UniqueFd();
  UniqueFd file = memory_file("stdin", input);
  if (sandbox.switches_user() && ::fchown(file.get(), sandbox.uid(), sandbox.gid()) != 0) {
    throw system_error("cannot give the input to " + sandbox.user(), errno);
  }
  return file;
}

// One stream of the program.
struct Stream {
  Stream(const Sandbox& sandbox, size_t keep_bytes) : pipe(sandbox), kept(keep_bytes) {}
  Pipe pipe;
  KeptOutput kept;
};

// A program from its start to its end. The leader is not reaped before the end of run(): as a
// zombie it keeps the number of its process group, so a kill can never hit a stranger.
class Running {
 public:
  Running(const Sandbox& sandbox, const CommandRequest& request)
      : sandbox_(sandbox),
        request_(request),
        streams_{Stream(sandbox, request.keep_bytes), Stream(sandbox, request.keep_bytes)} {
    const UniqueFd input = input_file(sandbox, request.input);
    pid_ = spawn(sandbox,
                 {request.argv, request.cwd, request.env, input.get(), streams_[0].pipe.write.get(),
                  streams_[1].pipe.write.get(), request.finishes});
    for (auto& stream : streams_) stream.pipe.write.reset();
    pidfd_ = open_pidfd(pid_);
  }

  ~Running() {
    if (reaped_) return;
    ::kill(-pid_, SIGKILL);
    reap(pid_);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  CommandResult run(const std::stop_token& stop) {
    const StopDescriptor stopped(stop);
    while (!finished()) {
      wait(stopped);
      if (!terminated_ && !ended_) {
        result_.cancelled = stop.stop_requested();
        result_.timed_out = !result_.cancelled && request_.deadline.passed();
        if (result_.cancelled || result_.timed_out) terminate();
      }
      if (request_.on_tick && Clock::now() >= next_tick_) report();
    }
    return finish();
  }

 private:
  bool open() const { return streams_[0].pipe.read || streams_[1].pipe.read; }

  bool finished() const {
    if (terminated_) return (ended_ && !open()) || kill_at_.passed();
    return ended_ && (!open() || quiet_at_.passed() || drained_at_.passed());
  }

  Deadline next_event() const {
    Deadline next = terminated_ ? kill_at_
                    : ended_    ? quiet_at_.sooner(drained_at_)
                                : request_.deadline;
    if (request_.on_tick) next = next.sooner(Deadline(next_tick_));
    if (!ended_ && !pidfd_) next = next.sooner(Deadline::after(exit_poll));
    return next;
  }

  // Waits for output, the end of the program, the stop token or the next deadline, and takes what
  // there is.
  void wait(const StopDescriptor& stopped) {
    std::array<pollfd, 4> fds = {{
        {streams_[0].pipe.read.get(), POLLIN, 0},
        {streams_[1].pipe.read.get(), POLLIN, 0},
        {ended_ ? -1 : pidfd_.get(), POLLIN, 0},
        {terminated_ || ended_ ? -1 : stopped.get(), POLLIN, 0},
    }};
    const auto left = std::min<int64_t>(next_event().left().count() + 1, 3'600'000);
    if (::poll(fds.data(), fds.size(), static_cast<int>(left)) < 0 && errno != EINTR) {
      throw system_error("poll", errno);
    }
    // Before the pipes are read: what the program wrote is then in them for sure.
    const bool ended = !ended_ && has_ended();
    for (size_t i = 0; i < 2; ++i) {
      if (fds[i].revents != 0 || ended) take(i);
    }
    if (ended) {
      ended_ = true;
      quiet_at_ = Deadline::after(quiet_time);
      drained_at_ = Deadline::after(longest_drain);
    }
  }

  bool has_ended() const {
    siginfo_t info{};
    const int asked = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    return asked != 0 ? errno != EINTR : info.si_pid != 0;
  }

  void take(size_t index) {
    Stream& stream = streams_[index];
    std::array<char, 65536> buffer;
    for (int i = 0; i < pieces_per_turn && stream.pipe.read; ++i) {
      const ssize_t count = ::read(stream.pipe.read.get(), buffer.data(), buffer.size());
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (count <= 0) {
        stream.pipe.read.reset();
        return;
      }
      const std::string_view piece(buffer.data(), static_cast<size_t>(count));
      stream.kept.append(piece);
      quiet_at_ = Deadline::after(quiet_time);
      if (request_.on_output) request_.on_output(piece, index == 1);
    }
  }

  void terminate() {
    terminated_ = true;
    kill_at_ = Deadline::after(kill_grace);
    ::kill(-pid_, SIGTERM);
    ::kill(-pid_, SIGCONT);  // a stopped process would not see TERM
  }

  void report() {
    next_tick_ += tick;
    request_.on_tick(elapsed(), streams_[0].kept.total() + streams_[1].kept.total());
  }

  milliseconds elapsed() const {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - begun_);
  }

  CommandResult finish() {
    if (terminated_) ::kill(-pid_, SIGKILL);
    const ExitStatus status = reap(pid_);
    reaped_ = true;
    for (size_t i = 0; i < 2; ++i) take(i);
    result_.exit_code = status.exit_code;
    result_.signal = status.signal;
    result_.elapsed = elapsed();
    result_.left_children = open() && !terminated_;
    result_.out_bytes = streams_[0].kept.total();
    result_.err_bytes = streams_[1].kept.total();
    result_.out = streams_[0].kept.take();
    result_.err = streams_[1].kept.take();
    for (auto& stream : streams_) {
      if (stream.pipe.read) sandbox_.reaper().drain(std::move(stream.pipe.read));
    }
    return std::move(result_);
  }

  const Sandbox& sandbox_;
  const CommandRequest& request_;
  const Clock::time_point begun_ = Clock::now();
  std::array<Stream, 2> streams_;
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  CommandResult result_;
  bool ended_ = false;
  bool terminated_ = false;
  bool reaped_ = false;
  Clock::time_point next_tick_ = begun_ + tick;
  Deadline kill_at_ = Deadline::never();     // once terminated_
  Deadline quiet_at_ = Deadline::never();    // once ended_; moves with every piece
  Deadline drained_at_ = Deadline::never();  // once ended_
};

}  // namespace

CommandResult run_command(const Sandbox& sandbox, const CommandRequest& request,
                          const std::stop_token& stop) {
  if (stop.stop_requested()) {
    CommandResult nothing;
    nothing.cancelled = true;
    return nothing;
  }
  return Running(sandbox, request).run(stop);
}

}  // namespace selfagent
