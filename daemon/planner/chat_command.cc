#include "planner/chat_command.h"

#include "base/error.h"
#include "base/random.h"
#include "base/trim.h"
#include "planner/actions.h"
#include "tool/command_line.h"

namespace selfagent {

namespace {

std::string help(const Registry& registry) {
  std::string text = "Commands run a tool directly:\n\n```\n";
  for (const Tool& tool : registry.tools()) text += "/" + usage(tool) + "\n";
  return text + "```\n\nEverything else is a task for the model.";
}

}  // namespace

bool is_chat_command(const std::string& prompt) {
  if (!prompt.starts_with('/')) return false;
  const std::string word = prompt.substr(0, prompt.find_first_of(" \t\r\n"));
  // "/home/agent/a.txt has…" is a sentence about a file.
  return word.find('/', 1) == std::string::npos;
}

RunOutcome run_chat_command(const std::string& prompt, const Registry& registry,
                            const ContextFactory& contexts, RunLog& log,
                            const std::stop_token& stop, Deadline deadline) {
  const std::string line(trim(std::string_view(prompt).substr(1)));
  if (line.empty() || line == "help" || line == "?") {
    return {JobState::succeeded, "", help(registry), 0};
  }
  ToolCommand command;
  try {
    command = parse_tool_command(line, registry);
  } catch (const Error& error) {
    throw Error(error.code(), std::string(error.what()) + "; /help lists the commands");
  }
  const Registry none_of_its_own;
  Actions actions(registry, none_of_its_own, contexts, log, "");
  Action action;
  action.call_id = "command_" + random_hex(5);
  action.tool = command.tool;
  action.arguments = command.arguments;
  const ActionEnd end = actions.perform(Permit::for_person(action), stop, deadline);
  if (stop.stop_requested() && !end.ok) throw Error(ErrorCode::cancelled, "stopped");
  if (!end.ok) return {JobState::failed, end.text, "", 0};
  return {JobState::succeeded, "", end.text, 0};
}

}  // namespace selfagent
