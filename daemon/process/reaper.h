// Looks after what outlives a call: reaps detached programs and empties pipes that background
// children still hold.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace selfagent {

/// How a process ended.
struct ExitStatus {
  int exit_code = -1;  ///< -1 if it ended by a signal.
  int signal = 0;      ///< 0 if it ended by itself.
};

/// Waits for `pid`, a child that has ended or is about to. Another part of the program that reaps
/// every child, or an ignored SIGCHLD, loses the status: then the exit code is -1 and the signal 0.
ExitStatus reap(pid_t pid);

/// Waits for the given children alone, never for any child: that would steal exit codes from
/// others. Thread-safe; its own thread starts with the first thing to look after.
class Reaper {
 public:
  Reaper();
  /// Leaves running children alone and closes their pipes.
  ~Reaper();
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  /// Reaps `pid` when it ends. `output` is a pipe whose last bytes are kept; it may be empty.
  void adopt(pid_t pid, UniqueFd output);

  /// Reads and drops what comes through `pipe` until its last writer is gone, so that they never
  /// get SIGPIPE.
  void drain(UniqueFd pipe);

  /// How an adopted `pid` ended; empty while it runs and for an unknown pid. The last 256 are
  /// remembered.
  std::optional<ExitStatus> exit_status(pid_t pid) const;

  /// The last 4 KiB or less that the adopted `pid` wrote.
  std::string last_output(pid_t pid) const;

 private:
  struct Child;
  struct Watched;
  void watch(Watched watched);
  void run();
  void serve(Watched& watched, short events);
  void forget_oldest();

  const UniqueFd wake_;
  mutable std::mutex mutex_;  // protects everything below
  std::list<Watched> added_;
  std::map<pid_t, std::shared_ptr<Child>> children_;
  std::vector<pid_t> ended_;  // oldest first
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace selfagent
