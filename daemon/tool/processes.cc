#include "tool/processes.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "process/output.h"
#include "schema/param.h"
#include "tool/line_pattern.h"

namespace selfagent {
namespace {

// No event tells that a port is open: it is looked up so often.
constexpr milliseconds port_interval{25};
constexpr uint64_t bytes_per_look = 1 << 20;
constexpr size_t most_partial_line = 1000;

/// Looks for a pattern line by line, in output that is still growing.
class LineSearch {
 public:
  LineSearch(const std::string& pattern, uint64_t from)
      : pattern_("until_match", pattern), at_(from) {}

  bool found_in(const Process& process, uint64_t end) {
    while (at_ < end) {
      const OutputRead read = process.read(at_, bytes_per_look);
      for (const OutputPiece& piece : read.pieces) {
        if (found(piece.bytes)) return true;
      }
      if (read.next <= at_) break;
      at_ = read.next;
    }
    return false;
  }

 private:
  bool found(std::string_view bytes) {
    while (!bytes.empty()) {
      const size_t end = std::min(bytes.find('\n'), bytes.size());
      last_line_.append(bytes.substr(0, end));
      // A prompt has no end of line: what there is of the last line is searched as well, and again
      // when there is more of it.
      const bool from_terminal = last_line_.ends_with('\r');
      if (pattern_.matches(from_terminal ? last_line_.substr(0, last_line_.size() - 1)
                                         : last_line_)) {
        return true;
      }
      if (last_line_.size() > most_partial_line) last_line_.erase(0, most_partial_line / 2);
      if (end == bytes.size()) return false;
      last_line_.clear();
      bytes.remove_prefix(end + 1);
    }
    return false;
  }

  const LinePattern pattern_;
  uint64_t at_;
  std::string last_line_;
};

/// Whether a TCP socket listens on `port`, in this network namespace. Source: proc(5),
/// /proc/net/tcp.
bool listens(int port) {
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      std::istringstream words(line);
      std::string number;
      std::string local;
      std::string remote;
      std::string state;
      words >> number >> local >> remote >> state;
      const size_t colon = local.rfind(':');
      if (state != "0A" || colon == std::string::npos) continue;
      if (std::stoi(local.substr(colon + 1), nullptr, 16) == port) return true;
    }
  }
  return false;
}

}  // namespace

ProcessTable& processes_of(const ToolContext& context) {
  if (context.processes != nullptr) return *context.processes;
  throw Error(ErrorCode::unavailable, "no programs are kept for this caller");
}

ProcessPtr started_before(const ToolContext& context) {
  if (context.processes == nullptr) return nullptr;
  ProcessPtr process = context.processes->started_by(context.durable_id);
  if (!process) return nullptr;
  const ProcessState state = process->state();
  // Without a number its keeper has not said yet that it runs.
  const bool known = state.has_exited() ? state.phase != ProcessPhase::lost : state.pid != 0;
  return known ? process : nullptr;
}

std::string restart_note(const Process& process) {
  const std::string& id = process.info().id;
  return restart_note_begin +
         (" and has been started again. The command was started once, as process " + id) +
         ", went on meanwhile, and is not run again; process_read id=" + id +
         " reads all that it writes]";
}

std::string readable(const OutputRead& read) {
  std::string bytes;
  for (const OutputPiece& piece : read.pieces) bytes += piece.bytes;
  return readable_output(bytes, bytes.size(), bytes.size());  // cut by bytes already
}

std::string describe(const ProcessState& state) {
  if (state.phase == ProcessPhase::running) return "running";
  if (state.phase == ProcessPhase::lost) {
    return "lost: it ended with the machine or with its keeper, and how is not known";
  }
  std::string text = state.signal != 0 ? "killed by signal " + std::to_string(state.signal)
                                       : "exit code " + std::to_string(state.exit_code);
  if (state.phase == ProcessPhase::exited) text += "; what it started in the background still runs";
  return text;
}

Json state_json(const Process& process, const ProcessState& state) {
  return {{"id", process.info().id},
          {"state", to_string(state.phase)},
          {"exit_code", state.exit_code},
          {"signal", state.signal},
          {"pid", state.pid},
          {"output_end", state.output_end},
          {"stdout_bytes", state.out_bytes},
          {"stderr_bytes", state.err_bytes}};
}

Json process_json(const Process& process, const ProcessState& state) {
  const ProcessInfo& info = process.info();
  Json json = state_json(process, state);
  json["command"] = info.command;
  json["cwd"] = info.cwd;
  json["terminal"] = info.terminal;
  json["client"] = info.client;
  json["started_ms"] = info.started_ms;
  json["ended_ms"] = state.ended_ms;
  return json;
}

Json process_schema(Fields more) {
  Json schema = object_schema(
      {{"id", field("string", "Names it in process_read, process_write and process_signal.")},
       {"state",
        field("string", "running, exited (background children still run), ended or lost.")},
       {"exit_code", field("integer", "-1 while it runs or if it was killed.")},
       {"signal", field("integer", "The signal that killed it, 0 for none.")},
       {"pid", field("integer", "Its number in the system.")},
       {"output_end", field("integer", "Bytes of output so far.")},
       {"stdout_bytes", field("integer", "Of them from stdout or the terminal.")},
       {"stderr_bytes", field("integer", "Of them from stderr.")}});
  for (const auto& [name, value] : more) {
    schema["properties"][name] = value;
    schema["required"].push_back(name);
  }
  return schema;
}

std::string wait_for_output(const Process& process, uint64_t from, const OutputCondition& condition,
                            Deadline deadline, const std::stop_token& stop) {
  std::unique_ptr<LineSearch> search;
  if (condition.match) search = std::make_unique<LineSearch>(*condition.match, from);
  uint64_t seen = process.state().output_end;
  Clock::time_point last_output = Clock::now();
  while (true) {
    const ProcessState state = process.state();
    if (state.output_end != seen) {
      seen = state.output_end;
      last_output = Clock::now();
    }
    if (search && search->found_in(process, state.output_end)) return "a line matches until_match";
    if (condition.bytes && state.output_end >= from + *condition.bytes)
      return "until_bytes are there";
    if (condition.output && state.output_end > from) return "there is new output";
    if (condition.port && listens(*condition.port)) {
      return "port " + std::to_string(*condition.port) + " is open";
    }
    // What runs in the background may still do what is waited for.
    if (state.is_over() || (state.has_exited() && condition.exit)) return "it has ended";
    if (condition.idle && Clock::now() - last_output >= *condition.idle) {
      return "no output for " + std::to_string(condition.idle->count()) + " ms";
    }
    if (stop.stop_requested()) {
      throw Error(ErrorCode::cancelled,
                  "cancelled while waiting for process " + process.info().id + ", which goes on");
    }
    if (deadline.passed()) return "wait_ms are over";
    Deadline next = deadline;
    if (condition.idle) next = next.sooner(Deadline(last_output + *condition.idle));
    if (condition.port) next = next.sooner(Deadline::after(port_interval));
    process.wait(
        [&](const ProcessState& now) {
          return now.output_end != state.output_end || now.phase != state.phase;
        },
        next, stop);
  }
}

}  // namespace selfagent
