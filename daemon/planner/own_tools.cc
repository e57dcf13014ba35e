#include "planner/own_tools.h"

#include <algorithm>
#include <array>

#include "planner/conditions.h"
#include "planner/evidence.h"
#include "planner/recall.h"
#include "planner/tool_list.h"

namespace selfagent {

namespace {

enum class Outcome { succeeded, failed, blocked };

}  // namespace

template <>
struct EnumWords<Outcome> {
  static constexpr std::array words{"succeeded", "failed", "blocked"};
};

namespace {

constexpr Annotations reads{
    .read_only = true, .destructive = false, .idempotent = true, .open_world = false};
constexpr Annotations acts{
    .read_only = false, .destructive = false, .idempotent = false, .open_world = false};

struct DoneArgs {
  std::string summary;
  Outcome outcome = Outcome::succeeded;
  std::vector<Evidence> checks;
  std::vector<int> conditions_met;
};

struct AskArgs {
  std::string question;
  std::vector<std::string> options;
};

std::string line_of(const Checked& checked) {
  return std::string(checked.holds ? "\n- holds: " : "\n- does not hold: ") + checked.claim +
         (checked.seen.empty() ? "" : " (" + checked.seen + ")");
}

std::string outcome_word(const std::string& said, bool checked) {
  if (said == "failed" || said == "blocked") return said;
  return checked ? "succeeded_verified" : "succeeded_unverified";
}

std::string whole_question(const std::string& question, const std::vector<std::string>& options) {
  std::string text = question;
  for (const auto& option : options) text += "\n- " + option;
  return text;
}

// The conditions of which the report says nothing.
std::string left_conditions(const DoneArgs& args, const History& history) {
  std::vector<Condition> left;
  for (const Condition& condition : read_conditions(history.events())) {
    const auto& met = args.conditions_met;
    if (std::find(met.begin(), met.end(), condition.number) == met.end()) left.push_back(condition);
  }
  return conditions_note(left);
}

ToolResult finish(const DoneArgs& args, const History& history, const Registry& registry,
                  ToolContext& context, std::optional<Ending>& ending) {
  Json checks = Json::array();
  std::string lines;
  size_t missed = 0;
  for (const Evidence& evidence : args.checks) {
    const Checked checked = check_evidence(evidence, registry, context);
    if (context.stop.stop_requested()) throw Error(ErrorCode::cancelled, "stopped");
    missed += checked.holds ? 0 : 1;
    lines += line_of(checked);
    checks.push_back({{"claim", checked.claim}, {"holds", checked.holds}, {"seen", checked.seen}});
  }
  const std::string all = std::to_string(args.checks.size());
  if (missed > 0 && args.outcome == Outcome::succeeded) {
    return ToolResult::error("not done, " + std::to_string(missed) + " of " + all +
                             " checks do not hold:" + lines +
                             "\nMend what is missing, or the check if it looks at the wrong thing. "
                             "If it cannot be had, call done with outcome failed or blocked.");
  }
  if (const std::string left = left_conditions(args, history);
      args.outcome == Outcome::succeeded && !left.empty()) {
    return ToolResult::error(
        "not done: conditions_met does not name all that must hold: " + left +
        "\nLook whether each holds, by a check where that is possible, and name it then; drop what "
        "the user has taken back with the tool conditions.");
  }
  const auto said = Codec<Outcome>::encode(args.outcome).get<std::string>();
  ending = Ending{outcome_word(said, !args.checks.empty()), args.summary, std::move(checks)};
  return ToolResult::text(args.checks.empty() ? "ended" : "ended; checked:" + lines);
}

ToolResult ask(const AskArgs& args, std::optional<Ending>& ending) {
  ending = Ending{"needs_user", whole_question(args.question, args.options), Json::array()};
  return ToolResult::text("asked; the answer is the user's next message");
}

}  // namespace

RunOutcome outcome_of(const Ending& ending, int steps) {
  RunOutcome outcome{JobState::succeeded, "", ending.text, steps, ending.outcome, ending.checks};
  if (ending.outcome.starts_with("succeeded")) return outcome;
  outcome.state = JobState::failed;
  outcome.reason = ending.outcome == "needs_user" ? "it asks you: answer with your next message"
                   : ending.outcome == "blocked"
                       ? "something that only you can change is in its way"
                       : "it could not do it";
  return outcome;
}

bool OwnTools::is_own(const std::string& tool) {
  return ends_run(tool) || tool == "recall" || tool == look_name || tool == "conditions";
}

bool OwnTools::ends_run(const std::string& tool) { return tool == "done" || tool == "ask_user"; }

Ending OwnTools::ending_of(const std::string& tool, const Json& arguments) {
  if (tool == "ask_user") {
    return {"needs_user",
            whole_question(arguments.value("question", ""),
                           arguments.value("options", std::vector<std::string>())),
            nullptr};
  }
  const auto checks = arguments.find("checks");
  const bool checked = checks != arguments.end() && checks->is_array() && !checks->empty();
  return {outcome_word(arguments.value("outcome", ""), checked), arguments.value("summary", ""),
          nullptr};
}

OwnTools::OwnTools(const Registry& registry, const History& history) {
  tools_.add(make_tool<DoneArgs>(
      {.name = "done",
       .title = "End the task",
       .description =
           "Ends the task with a report to the user. With outcome succeeded, give a check for "
           "every condition of the task that can be checked: the checks are made here and now, and "
           "if one does not hold, the task goes on and you are told which. Choose checks that "
           "would fail if the task were not done. Use outcome failed if it did not work, blocked "
           "if something only the user can change is in the way; say what is left.",
       .area = ToolArea::any,
       .annotations = acts,
       .params = {param("summary", &DoneArgs::summary,
                        "The report: what was done, the result and where it is, in the user's "
                        "language.")
                      .range(1, 20'000),
                  param("outcome", &DoneArgs::outcome, "How it ended.").optional(),
                  param("checks", &DoneArgs::checks, "What shows that it is done.")
                      .range(0, 20)
                      .optional(),
                  param("conditions_met", &DoneArgs::conditions_met,
                        "The numbers of the kept conditions that hold: with outcome succeeded all "
                        "of them.")
                      .range(0, 20)
                      .optional()},
       .run = [this, &registry, &history](const DoneArgs& args, ToolContext& context) {
         return finish(args, history, registry, context, ending_);
       }}));
  tools_.add(make_tool<AskArgs>(
      {.name = "ask_user",
       .title = "Ask the user",
       .description =
           "Asks the user one question and waits for the answer, however long that takes. Use it "
           "when the task leaves open what matters (which file, which account, whether to delete, "
           "send or pay), or when only the user can go on (a password, a captcha). Never guess "
           "there. The question must be understandable without what you saw.",
       .area = ToolArea::any,
       .annotations = acts,
       .params =
           {param("question", &AskArgs::question, "One question, in the user's language.")
                .range(1, 4'000),
            param("options", &AskArgs::options, "Answers to choose from.").range(0, 10).optional()},
       .run = [this](const AskArgs& args, ToolContext&) { return ask(args, ending_); }}));
  tools_.add(recall_tool(history, reads));
  tools_.add(look_tool(last_look_, reads));
  tools_.add(conditions_tool(history, acts));
  tools_.add(more_tools_tool(
      [this, &registry](const std::string& name) {
        const Tool* tool = registry.find(name);
        return tool != nullptr ? tool : tools_.find(name);
      },
      reads));
}

}  // namespace selfagent
