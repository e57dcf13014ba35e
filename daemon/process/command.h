// Starts a program as the sandbox user and collects what it writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "process/reaper.h"
#include "process/sandbox.h"

namespace selfagent {

struct CommandRequest {
  std::vector<std::string> argv;           ///< argv[0] is looked up in the sandbox's PATH.
  std::filesystem::path cwd;               ///< Empty: the workspace.
  std::map<std::string, std::string> env;  ///< Added to Sandbox::environment().
  std::string input;                       ///< Bytes for standard input, then end of file.
  Deadline deadline = Deadline::never();   ///< The whole process group is killed then.
  bool finishes = false;  ///< It goes on if the daemon is killed; otherwise it is killed with it.
  size_t keep_bytes = 1 << 20;  ///< Per stream; what is beyond is dropped from the middle.
  /// Called about once a second with the bytes of both streams so far, on the calling thread; may
  /// be empty.
  std::function<void(milliseconds elapsed, uint64_t bytes)> on_tick;
  /// Called for each piece as it arrives, on the calling thread; may be empty. `error` is true for
  /// stderr.
  std::function<void(std::string_view piece, bool error)> on_output;
};

struct CommandResult {
  std::string out;  ///< All, or the first and last keep_bytes / 2 joined: see readable_output().
  std::string err;
  uint64_t out_bytes = 0;  ///< Bytes written in all, kept or not.
  uint64_t err_bytes = 0;
  int exit_code = -1;      ///< -1 if it ended by a signal.
  int signal = 0;          ///< The signal that ended it, 0 if none.
  bool timed_out = false;  ///< The deadline passed; the process group was killed.
  bool cancelled = false;  ///< `stop` was requested; the process group was killed.
  /// A background child still held the pipes when the program itself had ended: it was left
  /// running.
  bool left_children = false;
  milliseconds elapsed{0};
};

/// Runs a program to its end, blocking. Its own process group is sent TERM, then KILL after 2 s (at
/// once when the program has ended and nobody holds its pipes), at the deadline and at `stop`.
/// Returns when the program itself has ended, at most 100 ms of quiet output or 1 s later, even if
/// a background child holds the pipes: it is left running, and its output goes nowhere from then
/// on. A child that made its own session escapes the kill. Throws Error(not_found) if the program
/// does not exist, Error(invalid_argument) for a bad working directory.
CommandResult run_command(const Sandbox& sandbox, const CommandRequest& request,
                          const std::stop_token& stop);

}  // namespace selfagent
