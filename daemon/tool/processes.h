// What the tools for programs share: waiting for something in an output, and telling about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "process/process_table.h"
#include "schema/output.h"
#include "tool/tool.h"

namespace selfagent {

/// The table of `context`. Throws Error(unavailable) where there is none.
ProcessTable& processes_of(const ToolContext& context);

/// The process that the call of `context` had started when the daemon was killed. Null if it is not
/// certain that its program was started: nothing is known of a process that nobody has kept.
ProcessPtr started_before(const ToolContext& context);

/// What a result of such a call ends with.
std::string restart_note(const Process& process);
inline constexpr const char* restart_note_begin = "[the daemon was killed during this call";

/// The bytes of `read`, both streams in their order, as text for a reader.
std::string readable(const OutputRead& read);

/// "running", "exit code 3", "killed by signal 9", "lost …": how a process is, with what its
/// program has left in the background.
std::string describe(const ProcessState& state);

/// Members of a structured result: id, state, exit_code, signal, output_end and the like.
Json state_json(const Process& process, const ProcessState& state);

/// These, and what the process is: command, cwd, terminal, client, started_ms and ended_ms.
Json process_json(const Process& process, const ProcessState& state);

/// The output schema of a tool that answers state_json() with `more` members.
Json process_schema(Fields more = {});

/// When a wait is over; whichever comes first.
struct OutputCondition {
  bool output = false;               ///< Anything new.
  bool exit = false;                 ///< The program itself has ended.
  std::optional<std::string> match;  ///< A line that has this (POSIX extended) pattern.
  std::optional<uint64_t> bytes;     ///< So many bytes from `from` on.
  std::optional<milliseconds> idle;  ///< No output for so long.
  std::optional<int> port;           ///< Something listens on this TCP port.
};

/// Waits until one of the conditions holds for the output from `from` on, the program has ended,
/// `deadline` passes or the call is cancelled (Error(cancelled)). Returns which it was, as a
/// phrase. Throws ParameterError for a pattern that is none.
std::string wait_for_output(const Process& process, uint64_t from, const OutputCondition& condition,
                            Deadline deadline, const std::stop_token& stop);

}  // namespace selfagent
