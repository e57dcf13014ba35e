// Runs a shell command and returns its exit code and output.
#include "process/command.h"
#include "process/output.h"
#include "process/sandbox.h"
#include "schema/output.h"
#include "tool/tool.h"

namespace selfagent {
namespace {

constexpr size_t most_characters = 30'000;  // of both streams together: about 8,000 tokens

struct Args {
  std::string command;
  int timeout_ms = 30'000;
  std::string cwd;
  std::map<std::string, std::string> env;
};

std::string headline(const CommandResult& result) {
  const std::string time = " after " + std::to_string(result.elapsed.count()) + " ms";
  if (result.cancelled) return "cancelled" + time + ": the command and its children were killed";
  if (result.timed_out) {
    return "timed out" + time +
           ": the command and its children were killed. For a long command give a larger "
           "timeout_ms "
           "(at most 600000), or start it in the background and read its log later: "
           "COMMAND > /tmp/x.log 2>&1 &";
  }
  if (result.signal != 0) return "killed by signal " + std::to_string(result.signal) + time;
  return "exit code " + std::to_string(result.exit_code) + time;
}

std::string section(const char* name, std::string text) {
  if (text.empty()) return std::string("\n") + name + ": (empty)";
  if (text.back() == '\n') text.pop_back();
  return std::string("\n") + name + ":\n" + text;
}

ToolResult report(const CommandResult& result) {
  // A short stream leaves its room to the other.
  const size_t half = most_characters / 2;
  const size_t out_room =
      most_characters -
      std::min(half, result.err_bytes > 4 * half ? half : count_characters(result.err));
  const size_t err_room =
      most_characters -
      std::min(half, result.out_bytes > 4 * half ? half : count_characters(result.out));
  std::string text = headline(result);
  if (result.left_children) {
    text +=
        "\na background process still runs; what it writes to stdout and stderr from now on is "
        "lost";
  }
  const std::string out = readable_output(result.out, result.out_bytes, out_room);
  const std::string err = readable_output(result.err, result.err_bytes, err_room);
  text += section("stdout", out) + section("stderr", err);
  ToolResult answer = ToolResult::text(std::move(text));
  answer.is_error = result.timed_out || result.cancelled;
  answer.structured = {
      {"exit_code", result.exit_code},        {"signal", result.signal},
      {"timed_out", result.timed_out},        {"cancelled", result.cancelled},
      {"elapsed_ms", result.elapsed.count()}, {"stdout", out},
      {"stdout_bytes", result.out_bytes},     {"stderr", err},
      {"stderr_bytes", result.err_bytes},     {"background_process", result.left_children}};
  return answer;
}

ToolResult run(const Args& args, ToolContext& context) {
  const Deadline own = Deadline::after(milliseconds(args.timeout_ms));
  CommandRequest request;
  request.argv = {context.sandbox.shell(), "-c", args.command};
  request.cwd = context.sandbox.resolve(args.cwd);
  request.env = args.env;
  request.deadline = own.sooner(context.deadline);
  request.keep_bytes = 8 * most_characters;
  request.on_tick = [&](milliseconds elapsed, uint64_t bytes) {
    const double part = static_cast<double>(elapsed.count()) / args.timeout_ms;
    context.progress(std::min(part, 1.0), std::to_string(elapsed.count() / 1000) + " s, " +
                                              std::to_string(bytes) + " bytes of output");
  };
  const CommandResult result = run_command(context.sandbox, request, context.stop);
  return report(result);
}

Json output_schema() {
  return object_schema(
      {{"exit_code", field("integer", "0 is success; -1 if it was killed.")},
       {"signal", field("integer", "The signal that killed it, 0 for none.")},
       {"timed_out", field("boolean", "It was killed at timeout_ms.")},
       {"cancelled", field("boolean", "It was killed because the call was cancelled.")},
       {"elapsed_ms", field("integer", "How long it ran, in milliseconds.")},
       {"stdout", field("string", "As in the text: of a long output the middle is left out.")},
       {"stdout_bytes", field("integer", "How much it wrote.")},
       {"stderr", field("string", "As in the text: of a long output the middle is left out.")},
       {"stderr_bytes", field("integer", "How much it wrote.")},
       {"background_process", field("boolean", "It left a process that still runs.")}});
}

}  // namespace

Tool shell() {
  return make_tool<Args>({
      .name = "shell",
      .title = "Run a shell command",
      .description = "Runs a command with bash -c in this sandbox (Linux) as its unprivileged "
                     "user, waits for its end and returns "
                     "the exit code, stdout and stderr. Use it for files, programs, git, packages "
                     "and anything with text output; "
                     "use `launch` for programs with a window, and read_file, write_file and "
                     "edit_file to read and change files "
                     "without quoting trouble. Each call is a new shell: cd, variables and "
                     "functions do not last; join commands "
                     "with && or give cwd and env. There is no terminal and standard input is "
                     "empty: programs that ask questions "
                     "get end of file, so pass -y and the like; pagers are off. A command that "
                     "fails is a normal result with its "
                     "exit code; only a timeout is an error, and then the command and its children "
                     "are killed. For servers and "
                     "long work use `COMMAND > /tmp/x.log 2>&1 &`: it goes on after the call. Of "
                     "more than 30,000 characters of "
                     "output the middle is left out and its size named: send long output to a file "
                     "and read parts of it.",
      .area = ToolArea::code,
      .annotations =
          {.read_only = false, .destructive = true, .idempotent = false, .open_world = true},
      .params =
          {
              param(
                  "command", &Args::command,
                  "What bash runs, at most 128 KiB; several lines and here-documents are allowed.")
                  .range(1, 131'000),
              param(
                  "timeout_ms", &Args::timeout_ms,
                  "Longest run time in milliseconds; then the command and its children are killed.")
                  .range(1, 600'000)
                  .optional(),
              param("cwd", &Args::cwd,
                    "Folder to run in; relative to the workspace, ~ is home. Without it, the "
                    "workspace.")
                  .optional(),
              param("env", &Args::env, "Environment variables to add, as an object of strings.")
                  .optional(),
          },
      .output_schema = output_schema(),
      .long_running = true,
      .run = run,
  });
}

}  // namespace selfagent
