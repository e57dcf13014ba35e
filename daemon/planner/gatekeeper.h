// Decides for each call of the model whether it may run: at once, after a person has approved it,
// or not at all.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "planner/approvals.h"
#include "planner/history.h"
#include "planner/permit.h"
#include "planner/risk.h"
#include "planner/run_log.h"

namespace selfagent {

/// What came of the question.
struct Passage {
  std::optional<Permit> permit;  ///< it may run; maybe with other arguments
  std::string refusal;           ///< why not, for the model
  /// Nobody has answered: the run is to end with this question to the user.
  std::string question;
};

/// Used by the run's thread alone.
class Gatekeeper {
 public:
  using FindTool = std::function<const Tool*(const std::string&)>;

  /// `history` is the conversation, which is read anew for each call.
  Gatekeeper(Approvals& approvals, RunLog& log, const History& history,
             const ContextFactory& contexts, FindTool find_tool, const ApprovalSettings& settings);

  /// May block for a person. Throws Error(cancelled) when `stop` is requested while it waits,
  /// unless that is because `deadline` has passed.
  Passage ask(const Action& action, const std::stop_token& stop, Deadline deadline);

  /// The same for the question with which a daemon that was killed has left the run.
  Passage ask_again(const Event& request, const std::stop_token& stop, Deadline deadline);

  /// What the model is to know of calls that were approved when no run waited: a sentence each.
  std::vector<std::string> approved_since() const;

 private:
  struct Grant {
    std::string call_id;  ///< of the question
    std::string tool;
    Json arguments;
    std::set<std::string> reasons;
    bool edited = false;
    bool late = false;  ///< its run had ended
    std::string run;    ///< the job in which it counts; "": the next one
    bool used = false;  ///< or its run is over
  };
  struct Grants {
    std::vector<Grant> once;                     ///< for one identical call
    std::map<std::string, std::string> session;  ///< reason of a tool -> the question's call
  };

  Grants grants() const;
  static void enter_run(Grants& grants, const Event& started);
  std::optional<std::string> granted(const Action& action, const Reasons& reasons) const;
  Passage wait(const Event& request, Action action, const std::stop_token& stop, Deadline deadline);
  Passage pass(Action action, const Event& answer) const;

  Approvals& approvals_;
  RunLog& log_;
  const History& history_;
  const ContextFactory& contexts_;
  const FindTool find_tool_;
  const ApprovalSettings settings_;
};

/// The call that `request` asks about.
Action action_of(const Event& request);

/// What an approval for the rest of the conversation covers, for a person.
std::string scope_of(const std::string& tool, const Reasons& reasons);

}  // namespace selfagent
