#include "planner/planner.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/stop_when.h"
#include "base/string_member.h"
#include "base/wait.h"
#include "llm/capabilities.h"
#include "llm/server_window.h"
#include "planner/actions.h"
#include "planner/approvals.h"
#include "planner/chat_command.h"
#include "planner/loop.h"
#include "planner/run_log.h"
#include "planner/run_so_far.h"
#include "store/each_event.h"

namespace selfagent {

namespace {

constexpr size_t events_at_once = 2'000;

auto passing(Deadline deadline) {
  return [deadline](const std::stop_token& done) { return sleep_until(deadline, done); };
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
  }
  return text;
}

using LearnedPtr = std::shared_ptr<LearnedCapabilities>;

// What one run learns about a server holds for the next.
ModelFactory connect_to(const LlmSettings& model, const LearnedPtr& learned) {
  return [model, learned] {
    auto client = std::make_shared<LlmClient>(model, learned);
    return [client](const CompletionRequest& request, const std::stop_token& stop) {
      return client->complete(request, stop);
    };
  };
}

std::vector<Event> all_events(const Store& store, const std::string& conversation_id,
                              const std::string& job_id) {
  std::vector<Event> events;
  each_event(store, conversation_id, job_id, events_at_once,
             [&](const Event& event) { events.push_back(event); });
  return events;
}

ModelFactory connect_to(const ModelSettings& models, const LearnedPtr& learned) {
  if (!models.fallback.configured()) return connect_to(models.first, learned);
  return [models, first = connect_to(models.first, learned),
          second = connect_to(models.fallback,
                              make_learned_capabilities(models.fallback, models.learned)),
          breaker = std::make_shared<CircuitBreaker>()] {
    auto both = std::make_shared<FallbackModel>(
        FallbackModel::Model{models.first.model, first()},
        FallbackModel::Model{models.fallback.model, second()}, breaker);
    return [both](const CompletionRequest& request, const std::stop_token& stop) {
      return both->complete(request, stop);
    };
  };
}

}  // namespace

struct Planner::State {
  const Registry& registry;
  Store& store;
  const ContextFactory contexts;
  const LlmSettings model;
  const BudgetSettings budget;
  const ApprovalSettings approval;
  const LearnedPtr learned;  ///< about `model`
  const ModelFactory connect;
  const bool summaries;
  const std::string fallback;  ///< the name of the model that stands by, "" if none does
  const bool asks_window;      ///< the model is a server that may tell its context window
  Approvals approvals{store, registry};

  RunSoFar left_of(const std::string& conversation_id, const std::string& job_id) const {
    return read_run(all_events(store, conversation_id, job_id), registry,
                    [&](const Json& intent) { return has_begun(job_id, intent); });
  }
  bool has_begun(const std::string& job_id, const Json& intent) const;
  RunOutcome run(const RunRequest& request, const RunSoFar& before, RunLog& log,
                 const BudgetSettings& limits, const std::stop_token& stop);
  RunOutcome run_with_model(const RunRequest& request, const RunSoFar& before, RunLog& log,
                            const BudgetSettings& limits, const std::stop_token& stop,
                            Deadline deadline);
  RunOutcome ending(const Error& error, const std::stop_token& stop, Deadline deadline,
                    const Loop& loop) const;
};

Planner::Planner(const Registry& registry, Store& store, ContextFactory contexts,
                 ModelSettings models, BudgetSettings limits, ModelFactory connect,
                 ApprovalSettings approvals) {
  const LearnedPtr learned = make_learned_capabilities(models.first, models.learned);
  const bool serves = !connect;
  if (serves) connect = connect_to(models, learned);
  state_.reset(new State{registry, store, std::move(contexts), std::move(models.first), limits,
                         approvals, learned, std::move(connect), models.summaries,
                         models.fallback.configured() ? models.fallback.model : "", serves});
}

Planner::~Planner() = default;

const LlmSettings& Planner::model() const { return state_->model; }
Approvals& Planner::approvals() { return state_->approvals; }
ApprovalPolicy Planner::policy() const { return state_->approval.policy; }

std::string Planner::obstacle(const std::string& conversation_id, const std::string& job_id) const {
  return state_->left_of(conversation_id, job_id).obstacle;
}

RunOutcome Planner::run(const RunRequest& request, const std::stop_token& stop) {
  const auto begin = Clock::now();
  BudgetSettings limits = state_->budget;
  if (request.max_time.count() > 0) limits.max_time = request.max_time;
  RunLog log(state_->store, request.conversation_id, request.job_id);
  RunSoFar before;
  RunOutcome outcome;
  try {
    if (request.goes_on) before = state_->left_of(request.conversation_id, request.job_id);
    outcome = state_->run(request, before, log, limits, stop);
  } catch (const std::exception& error) {
    outcome.state = stop.stop_requested() ? JobState::cancelled : JobState::failed;
    outcome.reason = stop.stop_requested() ? "stopped" : error.what();
  }
  if (outcome.state == JobState::cancelled && request.by_shutdown && request.by_shutdown()) {
    outcome.state = JobState::interrupted;
    outcome.reason = "the daemon was stopped while it ran: send another message to go on";
  }
  if (outcome.outcome.empty() && !is_chat_command(request.prompt)) {
    outcome.outcome = to_string(outcome.state);
  }
  log.on_event = nullptr;
  const auto elapsed =
      before.elapsed + std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
  try {
    Json end = {{"state", to_string(outcome.state)},
                {"reason", outcome.reason},
                {"reply", outcome.reply},
                {"steps", outcome.steps},
                {"elapsed_ms", elapsed.count()}};
    if (!outcome.outcome.empty()) end["outcome"] = outcome.outcome;
    if (outcome.checks.is_array()) end["checks"] = outcome.checks;
    log.append("run_finished", std::move(end));
  } catch (const std::exception& error) {
    log::error("the end of run {} could not be stored: {}", request.job_id, error.what());
  }
  return outcome;
}

bool Planner::State::has_begun(const std::string& job_id, const Json& intent) const {
  ToolContext context = contexts({}, Deadline::never());
  context.durable_id = durable_id(job_id, string_member(intent, "call_id"));
  const Tool* tool = registry.find(string_member(intent, "tool"));
  const Json arguments = intent.value("arguments", Json::object());
  return resumption_of(tool, arguments, context) != nullptr;
}

RunOutcome Planner::State::run(const RunRequest& request, const RunSoFar& before, RunLog& log,
                               const BudgetSettings& limits, const std::stop_token& stop) {
  const Deadline deadline = Deadline::after(limits.max_time - before.elapsed);
  if (!before.asked) log.append("user_message", {{"text", request.prompt}});
  if (is_chat_command(request.prompt)) {
    log.append("run_started", {{"model", ""}});
    return run_chat_command(request.prompt, registry, contexts, log, stop, deadline);
  }
  if (!model.configured()) {
    return {JobState::failed,
            "no model is configured: set " + join(model.missing()) +
                " (and LLM_API_KEY if the server wants one), then start the daemon again; commands "
                "such as /help and /screenshot work without a model",
            "", 0};
  }
  if (!before.started) {
    log.append("run_started", {{"model", model.model}});
  } else {
    log.append("notice", {{"text", "The daemon was restarted; the run goes on."},
                          {"to_model", true},
                          {"restarted", true}});
  }
  if (before.ended) return *before.ended;
  return run_with_model(request, before, log, limits, stop, deadline);
}

RunOutcome Planner::State::run_with_model(const RunRequest& request, const RunSoFar& before,
                                          RunLog& log, const BudgetSettings& limits,
                                          const std::stop_token& stop, Deadline deadline) {
  if (asks_window) {
    const StopWhen limited(stop, passing(deadline));
    learned->learn_window([&] { return ask_window(model, limited.token()); }, limited.token());
  }
  const KnownModel known{learned->read().max_images > 0, learned->window_tokens(), summaries,
                         fallback};
  ApprovalSettings asking = approval;
  asking.policy = stricter(asking.policy, request.approvals);
  Loop loop(registry, contexts, log, connect(), limits, before, request.take_messages, known,
            approvals, asking);
  RunOutcome outcome;
  try {
    const StopWhen limited(stop, passing(deadline));
    outcome = loop.run(limited.token(), deadline);
  } catch (const Error& error) {
    outcome = ending(error, stop, deadline, loop);
  }
  log.on_event = nullptr;  // it pointed into the loop
  return outcome;
}

RunOutcome Planner::State::ending(const Error& error, const std::stop_token& stop,
                                  Deadline deadline, const Loop& loop) const {
  RunOutcome outcome{JobState::failed, error.what(), loop.last_text(), loop.steps()};
  if (stop.stop_requested()) {
    outcome.state = JobState::cancelled;
    outcome.reason = "stopped";
  } else if (deadline.passed()) {
    outcome.outcome = "out_of_budget";
    outcome.reason = "the time limit of the run was reached in step " +
                     std::to_string(loop.steps()) +
                     ", before the task was done: send another message to go on";
  }
  return outcome;
}

}  // namespace selfagent
