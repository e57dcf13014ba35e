// How a run acts on an answer: which calls are run, with which arguments, and what is looked at
// after.
#include <set>

#include "base/error.h"
#include "base/lower.h"
#include "base/random.h"
#include "base/string_member.h"
#include "llm/arguments.h"
#include "planner/call_arguments.h"
#include "planner/loop.h"
#include "planner/sight.h"
#include "planner/tool_list.h"

namespace selfagent {

namespace {

constexpr const char* truncated_text =
    "[not run: your answer was cut off by the output limit before the arguments were complete. "
    "Make the call shorter, "
    "for example write a long file in several parts]";

}  // namespace

PlannedAction Loop::plan(const ToolCall& call) const {
  PlannedAction planned;
  planned.extra = call.extra;
  planned.action.call_id = call.id;
  planned.name = planned.action.tool = known_name(call.name);
  planned.arguments = "{}";
  if (call.truncated) {
    planned.problem = truncated_text;
    return planned;
  }
  try {
    Arguments arguments = read_arguments(call.arguments);
    planned.repaired = arguments.repaired;
    planned.arguments =
        arguments.repaired || call.arguments.empty() ? dump_json(arguments.object) : call.arguments;
    if (planned.name == more_tools_name) {
      if (auto inner = inner_call(arguments.object)) {
        planned.action.tool = known_name(inner->tool);
        arguments.object = std::move(inner->arguments);
      }
    }
    const Tool* tool = find_tool(planned.action.tool);
    planned.action.arguments =
        tool == nullptr ? arguments.object : fit_to_schema(arguments.object, tool->input_schema);
    if (tool != nullptr) place(planned, *tool, arguments.object);
    if (!sees_pictures_) {
      planned.problem = useless_without_eyes(planned.action.tool);
      if (tool != nullptr) drop_picture_arguments(planned.action.arguments, tool->input_schema);
    }
  } catch (const Error& error) {
    planned.problem = "[not run: the arguments are " + std::string(error.what()) +
                      ". Send the call again with a correct JSON object]";
  }
  return planned;
}

std::vector<PlannedAction> Loop::plan_all(const std::vector<ToolCall>& calls) const {
  std::vector<PlannedAction> planned;
  std::set<std::string> ids;
  for (const auto& call : calls) {
    planned.push_back(plan(call));
    // Some servers count from "call_0" in every answer; events and the page tell calls apart by id.
    std::string& id = planned.back().action.call_id;
    if (id.empty() || history_.knows_call(id) || ids.count(id) != 0) {
      id = "call_" + random_hex(5).substr(0, 9);
    }
    ids.insert(id);
  }
  return planned;
}

// Brings the positions of a call to the screen.
void Loop::place(PlannedAction& planned, const Tool& tool, const Json& arguments) const {
  PlacedCall call;
  if (auto placed = pointing_.place(tool, arguments)) {
    call = std::move(*placed);
    planned.problem = call.problem;
    planned.action.arguments = call.arguments;
  } else if (!pointing_.retells() || tool.area != ToolArea::desktop) {
    return;  // what files and commands say is told as it is
  }
  planned.action.retell = [this, told = std::move(call)](const std::string& text) {
    return pointing_.retell(text, told);
  };
}

// Why a call must not run now, "" if it may.
std::string Loop::why_not(const PlannedAction& call, const std::string& failed,
                          const std::string& failed_gui, const std::string& denied) const {
  if (!call.problem.empty()) return call.problem;
  // What follows was chosen by a model that did not know it.
  if (!denied.empty()) return "[skipped: the user did not approve " + denied + " before it]";
  if (own_.ending()) return "[not run: the run has ended]";
  // The screen is not what the model expected when it chose this one.
  const bool ends = OwnTools::ends_run(call.action.tool);
  const std::string& before = ends ? failed : is_gui_action(call.action.tool) ? failed_gui : "";
  if (before.empty()) return "";
  return "[skipped: " + before + " failed before it; look at its result first]";
}

std::optional<TurnOutcome> Loop::act(const std::vector<PlannedAction>& calls,
                                     const std::stop_token& stop, Deadline deadline) {
  TurnRecorder turn;
  bool look_after = false;
  std::string failed;
  std::string failed_gui;
  std::string denied;
  for (const auto& call : calls) {
    const std::string& tool = call.action.tool;
    const std::string obstacle = why_not(call, failed, failed_gui, denied);
    const Passage passage = obstacle.empty() ? gate_.ask(call.action, stop, deadline)
                                             : Passage{std::nullopt, obstacle, ""};
    question_ = passage.question;
    if (!question_.empty()) return std::nullopt;
    const ActionEnd end = passage.permit ? actions_.perform(*passage.permit, stop, deadline)
                                         : actions_.refuse(call.action, passage.refusal);
    if (obstacle.empty() && !passage.permit) denied = tool;
    if (stop.stop_requested() || deadline.passed()) throw Error(ErrorCode::cancelled, "stopped");
    const bool gui = is_gui_action(tool);
    if (!end.ok) failed = tool;
    if (gui && !end.ok && obstacle.empty()) failed_gui = tool;
    if (gui && end.ran) look_after = true;
    const bool whole = tool == "screenshot" && !call.action.arguments.contains("region");
    if (!end.sha256.empty() && (gui || whole)) look_after = false;
    if (tool == look_name && end.ok) look_after = false;
    turn.add(tool, call.arguments, end.ok, end.text, gui);
  }
  if (look_after && !own_.ending()) turn.saw(look(stop, deadline));
  return turn.outcome();
}

// The last answer may end the run, and nothing else.
void Loop::take_report(const std::vector<PlannedAction>& calls, const std::string& limit,
                       const std::stop_token& stop, Deadline deadline) {
  for (const auto& call : calls) {
    std::string obstacle = why_not(call, "", "", "");
    if (obstacle.empty() && !OwnTools::ends_run(call.action.tool)) {
      obstacle = "[not run: " + limit + " was reached]";
    }
    const Passage passage = obstacle.empty() ? gate_.ask(call.action, stop, deadline)
                                             : Passage{std::nullopt, obstacle, ""};
    question_ = passage.question;
    if (!question_.empty()) return;
    if (passage.permit) {
      actions_.perform(*passage.permit, stop, deadline);
    } else {
      actions_.refuse(call.action, passage.refusal);
    }
  }
}

// What a daemon that was killed had begun, and what is certain to have gone on.
void Loop::go_on_with_calls(const std::stop_token& stop, Deadline deadline) {
  for (const Json& intent : begun_) {
    Action action;
    action.call_id = string_member(intent, "call_id");
    action.tool = string_member(intent, "tool");
    action.arguments = intent.value("arguments", Json::object());
    actions_.go_on(action, stop, deadline);
    if (stop.stop_requested() || deadline.passed()) throw Error(ErrorCode::cancelled, "stopped");
  }
}

// What an earlier daemon has left open is answered first; the other calls of that answer are said
// to be not run. A run of its own is told what was approved since.
void Loop::go_on_with_question(const std::stop_token& stop, Deadline deadline) {
  if (!waiting_) {
    for (const std::string& sentence : gate_.approved_since()) advise(sentence);
    return;
  }
  const Passage passage = gate_.ask_again(*waiting_, stop, deadline);
  question_ = passage.question;
  if (passage.permit) {
    actions_.perform(*passage.permit, stop, deadline);
  } else if (question_.empty()) {
    actions_.refuse(action_of(*waiting_), passage.refusal);
  }
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "stopped");
}

// Returns the SHA-256 of what it saw, or what it was told of it; "" if it could not look.
std::string Loop::look(const std::stop_token& stop, Deadline deadline) {
  if (registry_.find("screenshot") == nullptr) return "";
  Action action;
  action.call_id = "look_" + random_hex(5);
  action.tool = sees_pictures_ ? "screenshot" : look_name;
  if (!sees_pictures_) action.arguments["changes"] = true;
  const ActionEnd end = actions_.perform(Permit::for_look(std::move(action)), stop, deadline);
  return sees_pictures_ ? end.sha256 : end.text;
}

const Tool* Loop::find_tool(const std::string& name) const {
  const Tool* tool = registry_.find(name);
  return tool != nullptr ? tool : own_.tools().find(name);
}

// "functions.click", "tools:click" and "Click" are all meant to be click.
std::string Loop::known_name(const std::string& name) const {
  if (find_tool(name) != nullptr) return name;
  const size_t prefix = name.find_last_of(".:/");
  const std::string plain = lower(prefix == std::string::npos ? name : name.substr(prefix + 1));
  return find_tool(plain) != nullptr ? plain : name;
}

// Action tools have settle_ms; mouse_button acts without waiting, actions is a batch of them.
bool Loop::is_gui_action(const std::string& name) const {
  const Tool* tool = registry_.find(name);
  if (tool == nullptr) return false;
  if (name == "mouse_button" || name == "actions") return true;
  const auto properties = tool->input_schema.find("properties");
  return properties != tool->input_schema.end() && properties->contains("settle_ms");
}

}  // namespace selfagent
