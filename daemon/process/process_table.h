// All programs that were started for tools: those that run, and those whose output is still kept.
//
// Each has a folder, DATA/processes/ID: `info` says what was asked for, the keeper writes the rest
// (keeper/protocol.h). A table that is made on such folders finds the running ones again.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "process/keeper_pool.h"
#include "process/process.h"
#include "process/sandbox.h"

namespace selfagent {

struct ProcessLimits {
  uint64_t cpu_s = 0;         ///< Processor time, seconds; 0 is no limit, as below.
  uint64_t memory_bytes = 0;  ///< Address space of each process.
  uint64_t processes = 0;     ///< Of the sandbox user, all together; 0: most_processes.
  uint64_t file_bytes = 0;    ///< Of each file that it writes.
  uint64_t files = 0;         ///< Open at a time.
  int nice = 0;
  bool idle_io = false;  ///< The I/O class "idle": the disk is its own only when nobody else asks.
};

struct ProcessRequest {
  std::vector<std::string> argv;           ///< argv[0] is looked up in the sandbox's PATH.
  std::string command;                     ///< What it is called in lists.
  std::filesystem::path cwd;               ///< Empty: the workspace.
  std::map<std::string, std::string> env;  ///< Added to Sandbox::environment().
  std::string client;                      ///< Who asks.
  std::string call;                        ///< For started_by(); "" for none.
  bool terminal = false;
  int rows = 24;
  int columns = 80;
  bool open_input = false;  ///< Standard input is a pipe; otherwise, without terminal, /dev/null.
  ProcessLimits limits;
  uint64_t log_bytes = 0;  ///< Most output kept; 0, and what is more, is as in the settings.
  std::string session;     ///< The name of the session that it belongs to, "" for none.
  std::string host;        ///< Not empty: the id of the shell that runs it; see shell_sessions.h.
  bool stays = false;      ///< end_all() leaves it alone: it belongs to the desktop.
};

/// Where the program selfagent-keeper belongs: beside the running program.
std::filesystem::path keeper_program();

/// Thread-safe. Has a thread that hears the keepers, and one that starts them beforehand.
class ProcessTable {
 public:
  struct Settings {
    std::filesystem::path folder;  ///< Created if missing, for this user alone.
    std::filesystem::path keeper = keeper_program();
    uint64_t log_bytes = uint64_t{1} << 30;  ///< Most output kept of one process.
    uint64_t chunk_bytes = uint64_t{32} << 20;
    std::chrono::hours retention{24 * 7};  ///< After the end.
    size_t most_ended = 1000;              ///< Of more than these, the oldest are forgotten.
  };

  /// `sandbox` outlives it.
  ProcessTable(const Sandbox& sandbox, Settings settings);
  /// Leaves what runs alone.
  ~ProcessTable();
  ProcessTable(const ProcessTable&) = delete;
  ProcessTable& operator=(const ProcessTable&) = delete;

  /// Throws Error(not_found) if there is no such program, Error(invalid_argument) for a bad working
  /// directory, Error(resource_exhausted) if the disk or the system has no room, Error(unavailable)
  /// after close().
  ProcessPtr start(const ProcessRequest& request);

  /// Throws Error(not_found) that names those there are.
  ProcessPtr find(const std::string& id) const;

  /// The newest first.
  std::vector<ProcessPtr> list() const;

  /// The process that this call has started, also under an earlier daemon: the name of the call is
  /// in its folder before the program begins. Null if there is none (any more), or several.
  ProcessPtr started_by(const std::string& call) const;

  /// Ends everything that runs, but what stays, and waits for it, at most a second longer than
  /// `grace`.
  void end_all(milliseconds grace);
  /// The same, and whatever is being started meanwhile is ended, too: nothing is from now on.
  void close(milliseconds grace);

  /// Forgets a process and its output. Throws Error(not_found), Error(conflict) if it runs.
  void forget(const std::string& id);
  /// Forgets what ended longer ago than the retention; also happens by itself once an hour.
  void forget_old();

 private:
  std::string new_id();
  void check_open() const;
  void adopt_all();
  void await_first_words() const;
  void hear(const std::stop_token& stop);
  void hear(const ProcessPtr& process);
  void watch(const ProcessPtr& process);
  bool crowded() const;

  const Sandbox& sandbox_;
  const Settings settings_;
  UniqueFd epoll_;
  UniqueFd wake_;
  mutable std::mutex mutex_;  // protects the members below
  bool closed_ = false;
  uint64_t last_number_ = 0;
  std::map<uint64_t, ProcessPtr> processes_;
  std::map<int, ProcessPtr> by_keeper_;
  KeeperPool keepers_;
  std::jthread thread_;
};

}  // namespace selfagent
