// Runs a shell command and returns its exit code and output.
#include "base/wait.h"
#include "process/jail.h"
#include "process/output.h"
#include "process/process_table.h"
#include "process/shell_sessions.h"
#include "process/spawn.h"
#include "schema/output.h"
#include "tool/limits.h"
#include "tool/principal.h"
#include "tool/processes.h"
#include "tool/secrets.h"
#include "tool/tool.h"

namespace selfagent {

template <>
struct EnumWords<JailWorkspace> {
  static constexpr std::array words{"copy", "empty"};
};

namespace {

constexpr size_t most_characters = 30'000;        // of both streams together: about 8,000 tokens
constexpr uint64_t window = 4 * most_characters;  // bytes of each stream, from either end
constexpr milliseconds tick{1000};
constexpr milliseconds kill_grace{2000};  // between TERM and KILL

struct Args {
  std::string command;
  int timeout_ms = 30'000;
  std::optional<int> kill_after_ms;
  std::string cwd;
  std::map<std::string, std::string> env;
  std::vector<std::string> secrets;
  bool terminal = false;
  CommandLimits limits;
  bool isolate = false;
  bool network = true;
  JailWorkspace workspace = JailWorkspace::copy;
  std::optional<std::string> session;
};

/// The command, and the session that it runs in; without one, that has no shell.
struct Started {
  ProcessPtr process;
  StartedInSession in;
  std::optional<Isolation> isolation = {};
};

enum class End { by_itself, still_running, killed, cancelled };

std::string headline(const Process& process, const ProcessState& state, End end,
                     milliseconds elapsed) {
  const std::string time = " after " + std::to_string(elapsed.count()) + " ms";
  switch (end) {
    case End::cancelled:
      return "cancelled" + time + ": the command and all that it started were killed";
    case End::killed:
      return "killed" + time +
             ", as kill_after_ms asked: the command and all that it started. What it wrote is "
             "below";
    case End::still_running:
      return "still running" + time + " as process " + process.info().id +
             "; nothing was killed. Wait for its end and read on with process_read id=" +
             process.info().id + " offset=" + std::to_string(state.output_end) +
             " wait_ms=60000, or end it with process_signal";
    case End::by_itself:
      break;
  }
  if (state.phase == ProcessPhase::lost) return "the command is " + describe(state) + time;
  std::string text = state.signal != 0 ? "killed by signal " + std::to_string(state.signal)
                                       : "exit code " + std::to_string(state.exit_code);
  text += time;
  if (state.phase == ProcessPhase::exited) {
    text += "\na background process still runs: process_read id=" + process.info().id +
            " shows what it writes, process_signal ends it";
  }
  return text;
}

std::string section(const char* name, std::string text) {
  if (text.empty()) return std::string("\n") + name + ": (empty)";
  if (text.back() == '\n') text.pop_back();
  return std::string("\n") + name + ":\n" + text;
}

std::string session_line(const StartedInSession& in, const ProcessState& state,
                         const std::string& folder) {
  const std::string name = "\nsession " + in.process->info().session;
  if (state.host_ended) {
    return name +
           ": its shell has ended, with its variables, functions and folder; the next use "
           "starts a new one";
  }
  std::string text = name + ": in " + folder;
  if (!in.previous.empty()) {
    text += "; a new shell, because that of before (" + in.previous + ") has ended";
  } else if (in.is_new) {
    text += "; a new shell";
  }
  if (in.is_new && !in.others.empty()) {
    text += "; other sessions are ";
    for (const std::string& other : in.others)
      text += (&other == &in.others[0] ? "" : ", ") + other;
  }
  return text;
}

ToolResult report(const Started& started, const ProcessState& state, End end,
                  milliseconds elapsed) {
  const Process& process = *started.process;
  const StreamEnds out = read_ends(process.folder(), false, state.output_end, window);
  const StreamEnds err = state.err_bytes == 0
                             ? StreamEnds()
                             : read_ends(process.folder(), true, state.output_end, window);
  // A short stream leaves its room to the other.
  const size_t half = most_characters / 2;
  const auto need = [&](const StreamEnds& stream, uint64_t total) {
    const bool long_one = total > 4 * half;
    return std::min(half, long_one ? half : count_characters(stream.head + stream.tail));
  };
  const size_t out_room = most_characters - need(err, state.err_bytes);
  const size_t err_room = most_characters - need(out, state.out_bytes);
  const std::string out_text = readable_output(out.head, out.tail, state.out_bytes, out_room);
  const std::string err_text = readable_output(err.head, err.tail, state.err_bytes, err_room);
  std::string text = headline(process, state, end, elapsed);
  // A byte of the output is never nearer to its beginning than in its own stream: nothing that is
  // left out is before this offset.
  const auto out_cut = cut_at(out.head, out.tail, state.out_bytes, out_room);
  const auto err_cut = cut_at(err.head, err.tail, state.err_bytes, err_room);
  if (out_cut || err_cut) {
    const uint64_t from = std::min(out_cut.value_or(UINT64_MAX), err_cut.value_or(UINT64_MAX));
    text += "\nof a long output the middle is left out; process_read id=" + process.info().id +
            " offset=" + std::to_string(from) + " shows it";
  }
  if (state.lost_bytes > 0) {
    text += "\nthe disk was full: " + std::to_string(state.lost_bytes) +
            " bytes of output could not be kept";
  }
  const bool in_session = started.in.shell != nullptr;
  const std::string folder =
      in_session && !state.host_ended ? current_folder(*started.in.shell) : "";
  if (in_session) text += session_line(started.in, state, folder);
  const bool terminal = process.info().terminal;
  text += section(terminal ? "terminal" : "stdout", out_text);
  if (!terminal) text += section("stderr", err_text);
  ToolResult answer = ToolResult::text(std::move(text));
  answer.is_error = end == End::killed || end == End::cancelled;
  answer.structured = {{"id", process.info().id},
                       {"still_running", end == End::still_running},
                       {"exit_code", state.exit_code},
                       {"signal", state.signal},
                       {"timed_out", end == End::killed},
                       {"cancelled", end == End::cancelled},
                       {"elapsed_ms", elapsed.count()},
                       {"stdout", out_text},
                       {"stdout_bytes", state.out_bytes},
                       {"stderr", err_text},
                       {"stderr_bytes", state.err_bytes},
                       {"next_offset", state.output_end},
                       {"background_process", state.phase == ProcessPhase::exited},
                       {"session", process.info().session},
                       {"session_ended", state.host_ended},
                       {"cwd", folder}};
  return answer;
}

/// Puts `request` into a jail. Returns what that is made of.
Isolation put_into_jail(const Args& args, const Sandbox& sandbox, ProcessRequest& request) {
  JailRequest wanted;
  wanted.network = args.network;
  wanted.workspace = args.workspace;
  wanted.cwd = request.cwd.lexically_normal().lexically_relative(sandbox.workspace());
  if (wanted.cwd.empty() || *wanted.cwd.begin() == "..") {
    throw ParameterError("cwd=" + args.cwd + " is outside the workspace " +
                         sandbox.workspace().string() + ": with isolate nothing else is there");
  }
  if (!sandbox.jails().support(sandbox).hides_files()) {
    throw Error(ErrorCode::unavailable,
                "isolate needs Landlock or namespaces, and neither can be used here: see "
                "`selfagent doctor`");
  }
  const Jail jail = sandbox.jails().make(sandbox, wanted);
  request.argv = jail.command(request.argv);
  request.cwd = "/";
  for (const auto& [name, value] : jail.env) request.env.try_emplace(name, value);
  return jail.isolation;
}

ProcessLimits limits_of(const Args& args) {
  ProcessLimits limits;
  apply(args.limits, limits);
  return limits;
}

std::map<std::string, std::string> environment_of(const Args& args, const ToolContext& context) {
  std::map<std::string, std::string> env = args.env;
  for (const std::string& name : args.secrets) env[name] = secret_of(context, name);
  return env;
}

Started start_in_session(const Args& args, ToolContext& context) {
  if (args.isolate) {
    throw ParameterError("a session cannot be isolated: leave session or isolate out");
  }
  if (args.terminal) {
    throw Error(ErrorCode::invalid_argument,
                "a session has no terminal: leave session or terminal out. A bash on a terminal "
                "is command=\"bash\" with terminal and without session; process_write types");
  }
  if (context.shell_sessions == nullptr) {
    throw Error(ErrorCode::unavailable, "no sessions are kept for this caller");
  }
  const std::string cwd = args.cwd.empty() ? "" : context.sandbox.resolve(args.cwd).string();
  const StartedInSession started = context.shell_sessions->start(
      {*args.session, args.command, cwd, environment_of(args, context), caller_name(context),
       limits_of(args), args.limits.any()});
  return {started.process, started};
}

Started start_alone(const Args& args, ToolContext& context) {
  ProcessRequest request;
  request.argv = {context.sandbox.shell(), "-c", args.command};
  request.command = args.command;
  request.cwd = context.sandbox.resolve(args.cwd);
  request.env = environment_of(args, context);
  request.client = caller_name(context);
  request.call = context.durable_id;
  request.terminal = args.terminal;
  request.limits = limits_of(args);
  if (args.terminal) request.env.try_emplace("TERM", "xterm-256color");
  Started started;
  if (args.isolate) started.isolation = put_into_jail(args, context.sandbox, request);
  started.process = processes_of(context).start(request);
  return started;
}

// Waits for what was started at `begin`, and tells of it.
ToolResult follow(const Args& args, const Started& started, Clock::time_point begin,
                  ToolContext& context) {
  const ProcessPtr& process = started.process;
  const auto exited = [](const ProcessState& state) { return state.has_exited(); };
  const Deadline enough = Deadline(begin + milliseconds(args.timeout_ms)).sooner(context.deadline);
  const Deadline kill =
      args.kill_after_ms ? Deadline(begin + milliseconds(*args.kill_after_ms)) : Deadline::never();
  ProcessState state;
  while (true) {
    const Deadline next = Deadline::after(tick).sooner(enough).sooner(kill);
    state = process->wait(exited, next, context.stop);
    if (state.has_exited() || context.stop.stop_requested() || kill.passed() || enough.passed()) {
      break;
    }
    const auto elapsed = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
    const double part = static_cast<double>(elapsed.count()) / args.timeout_ms;
    context.progress(std::min(part, 1.0), std::to_string(elapsed.count() / 1000) + " s, " +
                                              std::to_string(state.output_end) +
                                              " bytes of output");
  }
  End end = End::by_itself;
  if (!state.has_exited()) {
    end = context.stop.stop_requested() ? End::cancelled
          : kill.passed()               ? End::killed
                                        : End::still_running;
  }
  if (end == End::cancelled || end == End::killed) {
    process->end(kill_grace);
    state = process->wait_for_end(Deadline::after(kill_grace + 2 * tick), {});
  }
  ToolResult answer =
      report(started, state, end, std::chrono::duration_cast<milliseconds>(Clock::now() - begin));
  if (const auto note = limits_note(args.limits, state); !note.empty()) {
    answer.structured["limits"] = note;
    answer.add(note);
  }
  if (started.isolation) answer.structured["isolation"] = to_json(*started.isolation);
  return answer;
}

ToolResult run(const Args& args, ToolContext& context) {
  const auto begin = Clock::now();
  if (context.stop.stop_requested()) {
    throw Error(ErrorCode::cancelled, "cancelled before the command was started");
  }
  if (!args.network && !args.isolate) {
    throw ParameterError("network: false needs isolate: true");
  }
  const Started started =
      args.session ? start_in_session(args, context) : start_alone(args, context);
  return follow(args, started, begin, context);
}

// A command in a session is given to a shell that runs already: its folder does not name the call.
Resumption resume(const Args& args, ToolContext& context) {
  if (args.session) return {};
  const ProcessPtr process = started_before(context);
  if (!process) return {};
  return [args, process](ToolContext& now) {
    const milliseconds before(std::max<int64_t>(0, unix_ms() - process->info().started_ms));
    ToolResult answer = follow(args, {process, {}}, Clock::now() - before, now);
    answer.add(restart_note(*process));
    return answer;
  };
}

Json output_schema() {
  return object_schema(
      {{"id", field("string", "For process_read, process_write and process_signal.")},
       {"still_running", field("boolean", "timeout_ms passed first; nothing was killed.")},
       {"exit_code", field("integer", "0 is success; -1 while it runs or if it was killed.")},
       {"signal", field("integer", "The signal that killed it, 0 for none.")},
       {"timed_out", field("boolean", "It was killed at kill_after_ms.")},
       {"cancelled", field("boolean", "It was killed because the call was cancelled.")},
       {"elapsed_ms", field("integer", "How long the call took, in milliseconds.")},
       {"stdout", field("string", "As in the text: of a long output the middle is left out.")},
       {"stdout_bytes", field("integer", "How much it wrote so far.")},
       {"stderr", field("string", "As in the text: of a long output the middle is left out.")},
       {"stderr_bytes", field("integer", "How much it wrote so far.")},
       {"next_offset", field("integer", "Where process_read goes on.")},
       {"background_process", field("boolean", "It left a process that still runs.")},
       {"session", field("string", "Its session; empty without one.")},
       {"session_ended", field("boolean", "The session's shell has ended with it.")},
       {"cwd", field("string", "The folder the session is in then; empty without one.")}},
      {{"limits", field("string", "Which of the limits ended it, or were in force.")},
       {"isolation", field("object", "What it was isolated by, and what is missing here.")}});
}

}  // namespace

Tool shell() {
  return make_tool<Args>({
      .name = "shell",
      .title = "Run a shell command",
      .description =
          "Runs a command with bash -c in this sandbox (Linux) as its unprivileged user, waits for "
          "its end and returns the exit code, stdout and stderr. Use it for files, programs, git, "
          "packages and anything with text output; use launch for programs with a window, and "
          "read_file, write_file and edit_file to read and change files without quoting trouble. "
          "Each call is a new shell: cd, variables and functions do not last; join commands with "
          "&& "
          "or give cwd and env. Or name a session: calls with the same name share one shell, where "
          "cd, variables, functions and jobs last, until exit, exec or, under set -e, a failing "
          "command ends it. A command that takes longer than timeout_ms is not killed: you get "
          "what there is, \"still running\" and the id of the process; go on with other work and "
          "read its end later with process_read. So servers and long builds need no & and no log "
          "file. Standard input is empty and there is no terminal: programs that ask questions get "
          "end of file, so pass -y and the like; pagers are off. For programs that need one "
          "(REPLs, "
          "ssh, prompts) set terminal, and answer with process_write. A command that fails is a "
          "normal result with its exit code. Of more than 30,000 characters of output the middle "
          "is left out; process_read shows it.",
      .area = ToolArea::code,
      .annotations =
          {.read_only = false, .destructive = true, .idempotent = false, .open_world = true},
      .params =
          {
              param(
                  "command", &Args::command,
                  "What bash runs, at most 128 KiB; several lines and here-documents are allowed.")
                  .range(1, 131'000),
              param("timeout_ms", &Args::timeout_ms,
                    "Longest wait in milliseconds for its end; then it goes on in the background.")
                  .range(1, 600'000)
                  .optional(),
              param("kill_after_ms", &Args::kill_after_ms,
                    "Kill it, and all that it started, if it runs longer than this. Without it "
                    "nothing is killed.")
                  .range(1, 600'000),
              param("cwd", &Args::cwd,
                    "Folder to run in; relative to the workspace, ~ is home. Without it, the "
                    "workspace. A session takes it at its start alone.")
                  .optional(),
              param("env", &Args::env, "Environment variables to add, as an object of strings.")
                  .optional(),
              param("secrets", &Args::secrets,
                    "Names of secrets that the user has given: the command has each as an "
                    "environment variable of that name. Their values are cut out of the output.")
                  .range(0, 20)
                  .optional(),
              param("terminal", &Args::terminal,
                    "Run it on a terminal of 80x24, which process_write types into.")
                  .optional(),
              param("session", &Args::session,
                    "Run it in the shell of this name, e.g. \"build\", which the first use starts.")
                  .range(1, 40),
              param("isolate", &Args::isolate,
                    "Run it in a jail: in a temporary workspace, which is deleted at its end, "
                    "without the desktop, the home folder and other programs' files. Only its "
                    "output comes back.")
                  .optional(),
              param("network", &Args::network, "With isolate: false takes the network from it.")
                  .optional(),
              param("workspace", &Args::workspace,
                    "With isolate: whether its workspace begins as a copy of yours or empty.")
                  .optional(),
              param("limits", &Args::limits,
                    "What it may use at most; the answer says which ended it. A session takes them "
                    "at its "
                    "start alone.")
                  .optional(),
          },
      .output_schema = output_schema(),
      .long_running = true,
      .run = run,
      .resume = resume,
  });
}

}  // namespace selfagent
