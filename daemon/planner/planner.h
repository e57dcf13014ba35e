// The planner: takes an instruction, looks at the screen, asks a model, acts through the tools,
// until it is done.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "llm/fallback.h"
#include "planner/approval_settings.h"
#include "planner/budget.h"
#include "store/store.h"
#include "tool/registry.h"

namespace selfagent {

class Approvals;  // planner/approvals.h

struct RunRequest {
  std::string conversation_id;
  std::string job_id;
  std::string prompt;
  std::chrono::seconds max_time{0};  ///< 0: the setting
  /// Asked when the run was stopped: true if the daemon's end is the cause, not a person. May be
  /// empty.
  std::function<bool()> by_shutdown = {};
  /// A daemon that was killed has begun this run, and obstacle() was "".
  bool goes_on = false;
  /// What the user has said in the conversation since: stored as user_message of this run. Called
  /// before each step, on the run's thread. May be empty.
  std::function<std::vector<Event>()> take_messages = {};
  /// Which calls wait for a person, if that is stricter than the setting.
  ApprovalPolicy approvals = ApprovalPolicy::off;
};

struct RunOutcome {
  JobState state = JobState::succeeded;  ///< succeeded, failed or cancelled
  std::string reason;                    ///< "" when succeeded; otherwise a sentence
  std::string reply;
  int steps = 0;
  /// succeeded_verified (every check held), succeeded_unverified, failed, blocked, needs_user,
  /// out_of_budget, cancelled or interrupted; "" for a chat command.
  std::string outcome = "";
  Json checks = nullptr;  ///< [{"claim","holds","seen"}], null if nothing was checked
};

/// Gives each run its own ModelCall.
using ModelFactory = std::function<ModelCall()>;

/// Thread-safe; each run uses its caller's thread and blocks it.
class Planner {
 public:
  /// `connect` replaces the clients of the models (tests).
  Planner(const Registry& registry, Store& store, ContextFactory contexts, ModelSettings models,
          BudgetSettings limits, ModelFactory connect = {}, ApprovalSettings approvals = {});
  ~Planner();

  /// Runs `request` to its end and appends every event of docs/protocol.md from user_message to
  /// run_finished. A prompt that begins with "/" is a chat command. Takes effect of `stop` at once,
  /// even while the model is being waited for. Never throws; failures are the outcome.
  RunOutcome run(const RunRequest& request, const std::stop_token& stop);

  /// Why a run that a killed daemon has left must not go on by itself, "" if it may.
  std::string obstacle(const std::string& conversation_id, const std::string& job_id) const;

  const LlmSettings& model() const;
  /// What the runs ask, and the answers.
  Approvals& approvals();
  ApprovalPolicy policy() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace selfagent
