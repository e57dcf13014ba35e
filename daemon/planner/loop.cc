#include "planner/loop.h"

#include "base/error.h"
#include "planner/prompt.h"
#include "planner/sight.h"
#include "planner/tool_list.h"
#include "tool/secrets.h"

namespace selfagent {

Loop::Loop(const Registry& registry, const ContextFactory& contexts, RunLog& log, ModelCall model,
           const BudgetSettings& limits, const RunSoFar& before,
           std::function<std::vector<Event>()> take_messages, const KnownModel& known,
           Approvals& approvals, const ApprovalSettings& approval)
    : registry_(registry),
      contexts_(contexts),
      log_(log),
      model_(std::move(model)),
      take_messages_(std::move(take_messages)),
      max_steps_(limits.max_steps),
      budget_(limits, Clock::now() - before.elapsed),
      history_(log.store(), log.conversation_id()),
      own_(registry, history_),
      gate_(
          approvals, log, history_, contexts,
          [this](const std::string& name) { return find_tool(name); }, approval),
      begun_(before.begun),
      waiting_(before.waiting),
      actions_(registry, own_.tools(), contexts, log, log.job_id()),
      pointing_(
          log, [this](const std::string& name) { return find_tool(known_name(name)); },
          [this, &contexts] { return contexts({}, deadline_).desktop.screen().size(); },
          [this](const auto& asked, const auto& stop) { return ask_beside(asked, stop); }),
      summariser_(
          log, history_,
          [this](const auto& asked, const auto& stop) { return ask_beside(asked, stop); },
          known.writes_summaries),
      fallback_(known.fallback),
      stuck_(!known.fallback.empty()),
      news_(registry, contexts),
      sees_pictures_(known.sees_pictures) {
  fit(known.window_tokens);
  budget_.add_earlier(before.steps, before.input_tokens, before.cached_tokens,
                      before.output_tokens);
  log_.on_event = [this](const Event& event) { history_.add(event); };
  actions_.on_picture = [this](const std::string& sha256, EncodedImagePtr picture) {
    history_.keep(sha256, std::move(picture));
  };
}

// What does not change within a run: the tools, and how much of the conversation fits beside them.
void Loop::fit(int64_t window_tokens) {
  window_tokens_ = window_tokens;
  const size_t bytes = tool_bytes_for(window_tokens, system_prompt(sees_pictures_).size());
  tools_ = fit_tools(tools_with_eyes({&registry_, &own_.tools()}), bytes);
  tools_in_words_ = fit_tools(tools_without_eyes({&registry_, &own_.tools()}), bytes);
  limits_ = limits_for(window_tokens, fixed_bytes());
}

// The names alone; a name that the user has given since the last run is heard with the next one.
void Loop::tell_secrets(const std::stop_token& stop, Deadline deadline) {
  const ToolContext context = contexts_(stop, deadline);
  if (context.secrets == nullptr) return;
  std::string names;
  for (const std::string& name : context.secrets->names()) {
    names += (names.empty() ? "" : ", ") + name;
  }
  if (names.empty()) return;
  advise("Secrets that you may use by name, with type or shell, without ever seeing them: " +
         names);
}

RunOutcome Loop::run(const std::stop_token& stop, Deadline deadline) {
  deadline_ = deadline;
  warn_of_window();
  tell_secrets(stop, deadline);
  go_on_with_calls(stop, deadline);
  go_on_with_question(stop, deadline);
  if (own_.ending()) return outcome_of(*own_.ending(), steps());
  if (!question_.empty()) return needs_approval();
  look(stop, deadline);
  while (true) {
    if (stop.stop_requested() || deadline.passed()) throw Error(ErrorCode::cancelled, "stopped");
    // A limit of one step, or empty answers, leave none for a report.
    if (steps() >= max_steps_) return out_of_budget(budget_.last_step());
    const std::string last_because = prepare_step();
    news_.look(stop, deadline);
    const Completion completion = ask(stop);
    if (other_steps_ > 0) --other_steps_;
    const std::vector<std::string> news = news_.tell(stop, deadline);
    budget_.add(completion);
    read_positions(completion, stop);
    const std::vector<PlannedAction> calls = plan_all(completion.tool_calls);
    record_answer(completion, calls);
    if (const std::string advice = pointing_.take_advice(); !advice.empty()) advise(advice);
    if (!last_because.empty()) {
      take_report(calls, last_because, stop, deadline);
      if (!question_.empty()) return needs_approval();
      return own_.ending() ? outcome_of(*own_.ending(), steps()) : out_of_budget(last_because);
    }
    if (calls.empty() && completion.malformed.empty()) {
      return {JobState::succeeded, "", last_text_, steps(), "succeeded_unverified"};
    }
    std::optional<TurnOutcome> turn = act(calls, stop, deadline);
    if (!question_.empty()) return needs_approval();
    if (own_.ending()) return outcome_of(*own_.ending(), steps());
    ask_again(completion);
    for (const std::string& sentence : news) advise(sentence);
    if (!turn) continue;
    const Advice advice = stuck_.add(std::move(*turn));
    if (!advice.to_stop.empty()) return stuck_end(advice.to_stop);
    if (advice.other_model) ask_other_model();
    if (!advice.to_model.empty()) advise(advice.to_model);
  }
}

// Hears the user, and tells the model what becomes scarce. Returns why the next step is the last
// one, "" if it is not.
std::string Loop::prepare_step() {
  if (take_messages_) {
    for (const Event& message : take_messages_()) history_.add(message);
  }
  const std::string last = budget_.last_step();
  for (const auto& warning : budget_.warnings()) {
    if (last.empty()) advise(warning);
  }
  if (!last.empty()) {
    advise("This is your last step, because " + last +
           " is reached: report now what is done, what is left and how to go on, by done or in "
           "words. No other tool is run any more.");
  }
  return last;
}

// May ask the model how it writes positions; what it said is kept if that is interrupted.
void Loop::read_positions(const Completion& completion, const std::stop_token& stop) {
  try {
    pointing_.hear(completion, stop);
  } catch (const Error&) {
    keep_partial();
    throw;
  }
}

// Said to the model with the next request, and shown to the user.
void Loop::advise(const std::string& text) {
  log_.append("notice", {{"text", text}, {"to_model", true}});
}

// Nothing after a call that nobody has answered is run; the question stays open.
RunOutcome Loop::needs_approval() const {
  return {JobState::failed, "it needs your approval: answer the question, or send another message",
          question_, steps(), "needs_user"};
}

RunOutcome Loop::out_of_budget(const std::string& limit) const {
  return {JobState::failed,
          limit + " was reached before the task was done: send another message to go on",
          last_text_, steps(), "out_of_budget"};
}

}  // namespace selfagent
