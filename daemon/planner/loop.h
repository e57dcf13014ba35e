// One run with a model: look, ask, act, until the model says that it is done, answers without a
// tool call, goes in circles (loop_stuck.cc), or has used up its budget.
//
// Crash safety: the answer of the model is durable before its first call runs, each call's intent
// before it runs, its result after. Nothing of an answer is run before the whole answer has
// arrived.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "planner/actions.h"
#include "planner/budget.h"
#include "planner/gatekeeper.h"
#include "planner/history.h"
#include "planner/news.h"
#include "planner/own_tools.h"
#include "planner/planner.h"
#include "planner/pointing.h"
#include "planner/run_log.h"
#include "planner/run_so_far.h"
#include "planner/stuck.h"
#include "planner/summary.h"

namespace selfagent {

/// A call of the model, made ready to run.
struct PlannedAction {
  Action action;
  std::string name;       ///< of the tool as the model called it; more_tools calls others
  std::string arguments;  ///< legal JSON text, for the history: servers refuse anything else
  Json extra;             ///< opaque members to be sent back
  std::string problem;    ///< why it must not run, "" if it may
  bool repaired = false;
};

/// That the loop works in.
inline constexpr int64_t smallest_window_tokens = 8'192;

struct KnownModel {
  bool sees_pictures = true;
  int64_t window_tokens = 0;  ///< 0: unknown
  bool writes_summaries = true;
  std::string fallback = {};  ///< the name of the model that stands by, "" if none does
};

/// Used by one thread.
class Loop {
 public:
  /// `before`: what the run had used when an earlier daemon ended; `take_messages`: RunRequest's;
  /// `known`: what is known of the model before it is asked.
  Loop(const Registry& registry, const ContextFactory& contexts, RunLog& log, ModelCall model,
       const BudgetSettings& limits, const RunSoFar& before,
       std::function<std::vector<Event>()> take_messages, const KnownModel& known,
       Approvals& approvals, const ApprovalSettings& approval);

  /// Appends the events from the first look to the last answer; not user_message, run_started and
  /// run_finished. Throws Error(cancelled) soon after `stop`, and what the model server or the
  /// store throws.
  RunOutcome run(const std::stop_token& stop, Deadline deadline);

  int steps() const { return budget_.steps(); }
  /// What the model said last.
  const std::string& last_text() const { return last_text_; }

 private:
  Completion ask(const std::stop_token& stop);
  Completion ask_beside(const CompletionRequest& asked, const std::stop_token& stop);
  Completion ask_once(bool nudge, const std::stop_token& stop);
  CompletionRequest request(bool nudge);
  const Json& tools() const { return sees_pictures_ ? tools_ : tools_in_words_; }
  /// Of what every request begins with: the instructions and the tools.
  size_t fixed_bytes() const;
  void fit(int64_t window_tokens);
  bool shrink_prompt();
  void keep_partial();
  void warn_of_window();
  void check_window(const Completion& completion);
  PlannedAction plan(const ToolCall& call) const;
  std::vector<PlannedAction> plan_all(const std::vector<ToolCall>& calls) const;
  void record_answer(const Completion& completion, const std::vector<PlannedAction>& calls);
  const Tool* find_tool(const std::string& name) const;
  std::string known_name(const std::string& name) const;
  void read_positions(const Completion& completion, const std::stop_token& stop);
  void place(PlannedAction& planned, const Tool& tool, const Json& arguments) const;
  void ask_again(const Completion& completion);
  std::optional<TurnOutcome> act(const std::vector<PlannedAction>& calls,
                                 const std::stop_token& stop, Deadline deadline);
  std::string why_not(const PlannedAction& call, const std::string& failed,
                      const std::string& failed_gui, const std::string& denied) const;
  void go_on_with_calls(const std::stop_token& stop, Deadline deadline);
  void go_on_with_question(const std::stop_token& stop, Deadline deadline);
  RunOutcome needs_approval() const;
  void take_report(const std::vector<PlannedAction>& calls, const std::string& limit,
                   const std::stop_token& stop, Deadline deadline);
  std::string look(const std::stop_token& stop, Deadline deadline);
  bool is_gui_action(const std::string& tool) const;
  void advise(const std::string& text);
  void tell_secrets(const std::stop_token& stop, Deadline deadline);
  std::string prepare_step();
  RunOutcome out_of_budget(const std::string& limit) const;
  void ask_other_model();
  bool asked_when_stuck() const;
  RunOutcome stuck_end(const std::string& fact);

  const Registry& registry_;
  const ContextFactory& contexts_;
  RunLog& log_;
  const ModelCall model_;
  const std::function<std::vector<Event>()> take_messages_;  ///< may be empty
  const int max_steps_;
  Budget budget_;
  History history_;
  OwnTools own_;
  Json tools_;
  Json tools_in_words_;  ///< for a model that sees no pictures
  Gatekeeper gate_;
  const std::vector<Json> begun_;       ///< the intents of calls that it has interrupted
  const std::optional<Event> waiting_;  ///< the question with which a killed daemon left the run
  std::string question_;                ///< about a call, which nobody has answered
  Actions actions_;
  Pointing pointing_;
  Summariser summariser_;
  const std::string fallback_;  ///< the name of the model that stands by, "" if none does
  StuckDetector stuck_;
  int other_steps_ = 0;  ///< so many more are that model's
  News news_;
  HistoryLimits limits_;
  bool sees_pictures_;
  Deadline deadline_ = Deadline::never();
  int64_t window_tokens_ = 0;  ///< that the tools and the limits are for; 0: unknown
  bool window_checked_ = false;
  int malformed_ = 0;  ///< answers in a row with a call that could not be read
  std::string last_text_;
  std::string partial_text_;  ///< what arrived of the answer that is being waited for
  std::string partial_reasoning_;
};

}  // namespace selfagent
