// A program that a keeper keeps (keeper/protocol.h), seen from the daemon.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json_fwd.h"
#include "base/unique_fd.h"
#include "process/output_files.h"

namespace selfagent {

namespace keeper {
struct Report;
enum class OrderKind : uint32_t;
}  // namespace keeper

/// What a process is, from its start to its end.
struct ProcessInfo {
  std::string id;       ///< "p12"
  std::string command;  ///< As it was asked for.
  std::string cwd;
  std::vector<std::string> environment;  ///< Names of the variables that were added.
  bool terminal = false;
  bool open_input = false;
  std::string client;      ///< Who asked for it.
  std::string call;        ///< Names the call that started it, "" for none.
  int64_t started_ms = 0;  ///< Unix time
  std::string session;     ///< Of a session's shell and of each command in it: its name.
  std::string host;        ///< Of a command in a session: the id of the shell.
  bool stays = false;      ///< ProcessTable::end_all() leaves it alone.
};

enum class ProcessPhase {
  running,
  exited,  ///< The program has ended; what it left in the background still runs.
  ended,   ///< Nothing of it runs any more.
  lost,    ///< It ended without anybody to see it: with the machine, or together with its keeper.
};

struct ProcessState {
  ProcessPhase phase = ProcessPhase::running;
  int pid = 0;
  int exit_code = -1;  ///< -1 while it runs, if it ended by a signal, and if it was lost.
  int signal = 0;
  int64_t ended_ms = 0;
  uint64_t output_end = 0;  ///< Bytes of output so far.
  uint64_t out_bytes = 0;   ///< From standard output or the terminal.
  uint64_t err_bytes = 0;
  uint64_t lost_bytes = 0;  ///< Of them not on the disk, because it was full.
  uint64_t input_left = 0;  ///< Bytes of input that the program has not taken yet.
  bool host_ended = false;  ///< Of a command in a session: its shell ended with it.

  /// The program itself has ended.
  bool has_exited() const { return phase != ProcessPhase::running; }
  /// Nothing of it runs any more.
  bool is_over() const { return phase == ProcessPhase::ended || phase == ProcessPhase::lost; }
};

/// Thread-safe. Every order to a process that has ended is an Error(conflict).
class Process {
 public:
  Process(ProcessInfo info, std::filesystem::path folder, UniqueFd keeper);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const ProcessInfo& info() const { return info_; }
  const std::filesystem::path& folder() const { return folder_; }
  ProcessState state() const;

  /// Waits until `enough` returns true for the state, `deadline` passes or `stop` is requested.
  /// Returns the state then. `enough` is called with every change, so it may read new output.
  ProcessState wait(const std::function<bool(const ProcessState&)>& enough, Deadline deadline,
                    const std::stop_token& stop) const;

  /// Waits until nothing of it runs any more, `deadline` passes or `stop` is requested.
  ProcessState wait_for_end(Deadline deadline, const std::stop_token& stop) const;

  /// Waits until its keeper is gone, too: it makes a few last steps in the folder after its report
  /// that all has ended.
  void wait_for_keeper(Deadline deadline) const;

  /// At most `most_bytes` from `from` on. See output_files.h.
  OutputRead read(uint64_t from, uint64_t most_bytes) const;

  /// Gives `bytes` to its standard input. Throws Error(invalid_argument) if it has none,
  /// Error(resource_exhausted) if it does not take what was given before.
  void write(std::string_view bytes);
  /// End of file on its standard input; Ctrl-D on a terminal.
  void end_input();
  /// Sends `number` to the process group in the foreground.
  void signal(int number);
  /// Ends it and everything that descends from it: TERM, and KILL after `grace`.
  void end(milliseconds grace);
  void resize(int rows, int columns);

  /// For ProcessTable: what the keeper says; what it has sent, of which the newest counts, false if
  /// it is gone; the socket to it; that it is gone.
  void update(const keeper::Report& report);
  bool hear();
  int keeper() const;
  void lose();

 private:
  void order(keeper::OrderKind kind, int number = 0, int rows = 0, int columns = 0,
             std::string_view bytes = {});

  const ProcessInfo info_;
  const std::filesystem::path folder_;
  mutable std::mutex mutex_;  // protects the members below
  mutable std::condition_variable_any changed_;
  UniqueFd keeper_;  // empty when it is gone
  ProcessState state_;
};

using ProcessPtr = std::shared_ptr<Process>;

/// Reads the file `exit` of a process's folder; lost if there is none.
ProcessState read_exit(const std::filesystem::path& folder);

ProcessState state_of(const keeper::Report& report);

/// "running", "exited", "ended", "lost".
const char* to_string(ProcessPhase phase);

Json to_json(const ProcessInfo& info);
ProcessInfo process_info(const Json& json);

}  // namespace selfagent
