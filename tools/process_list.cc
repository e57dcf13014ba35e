// Lists the programs that tools and jobs have started.
#include "base/clock.h"
#include "process/process_table.h"
#include "schema/output.h"
#include "tool/processes.h"
#include "tool/tool.h"

namespace selfagent {
namespace {

constexpr size_t most_command = 200;  // bytes of a command in the text

struct Args {
  bool running = false;
  int limit = 30;
};

std::string one_line(const std::string& command) {
  std::string line = command.substr(0, most_command);
  for (char& c : line) c = c == '\n' ? ' ' : c;
  return line + (command.size() > most_command ? " …" : "");
}

std::string age(int64_t ms) {
  const int64_t seconds = std::max<int64_t>(0, ms / 1000);
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  return std::to_string(seconds / 3600) + " h";
}

Json json_of(const Process& process, const ProcessState& state) {
  Json json = process_json(process, state);
  json["environment"] = process.info().environment;
  return json;
}

ToolResult run(const Args& args, ToolContext& context) {
  std::string text;
  Json list = Json::array();
  size_t more = 0;
  const int64_t now = unix_ms();
  for (const ProcessPtr& process : processes_of(context).list()) {
    const ProcessState state = process->state();
    if (args.running && state.is_over()) continue;
    // What runs is always shown.
    if (state.is_over() && list.size() >= static_cast<size_t>(args.limit)) {
      ++more;
      continue;
    }
    text += process->info().id + ": " + describe(state) + ", started " +
            age(now - process->info().started_ms) + " ago, " + std::to_string(state.output_end) +
            " bytes of output: " + one_line(process->info().command) + "\n";
    list.push_back(json_of(*process, state));
  }
  if (list.empty()) {
    text = args.running ? "no started program runs" : "shell has not been used";
  } else if (more > 0) {
    text += std::to_string(more) + " older ones that have ended are left out";
  } else {
    text.pop_back();
  }
  ToolResult answer = ToolResult::text(text);
  answer.structured = {{"processes", std::move(list)}};
  return answer;
}

Json output_schema() {
  const Json process =
      process_schema({{"command", field("string", "As it was asked for.")},
                      {"cwd", field("string", "The folder it was started in.")},
                      {"environment", list_field(Json{{"type", "string"}},
                                                 "Names of the variables that were added.")},
                      {"terminal", field("boolean", "It has a terminal.")},
                      {"client", field("string", "Who asked for it.")},
                      {"started_ms", field("integer", "Milliseconds since 1970.")},
                      {"ended_ms", field("integer", "Milliseconds since 1970; 0 while it runs.")}});
  return object_schema({{"processes", list_field(process, "The newest first.")}});
}

}  // namespace

Tool process_list() {
  return make_tool<Args>({
      .name = "process_list",
      .title = "List started programs",
      .description =
          "Lists the programs that shell, run_code and launch have started for any client, and "
          "those of running jobs, the newest first: those that run, and those that have ended, "
          "whose output and exit code are kept for a week. They survive a restart of the daemon. "
          "Use process_read for the output.",
      .area = ToolArea::code,
      .annotations =
          {.read_only = true, .destructive = false, .idempotent = true, .open_world = false},
      .params =
          {
              param("running", &Args::running, "Only those that still run.").optional(),
              param("limit", &Args::limit, "Most programs to list; those that run always are.")
                  .range(1, 1000)
                  .optional(),
          },
      .output_schema = output_schema(),
      .run = run,
  });
}

}  // namespace selfagent
