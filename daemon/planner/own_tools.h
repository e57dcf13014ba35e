// The tools that only the planner's model has: done, ask_user, recall and conditions, which act on
// the run itself, look, for models that see no pictures, and more_tools, for small windows.
#pragma once

#include <optional>
#include <string>

#include "planner/history.h"
#include "planner/planner.h"
#include "planner/sight.h"
#include "tool/registry.h"

namespace selfagent {

/// How the model ended the run.
struct Ending {
  std::string outcome;  ///< succeeded_verified, succeeded_unverified, failed, blocked, needs_user
  std::string text;     ///< the report, or the question
  Json checks;          ///< what was checked, [{"claim","holds","seen"}]
};

/// What the run's end looks like from outside.
RunOutcome outcome_of(const Ending& ending, int steps);

/// Used by the run's thread alone. `registry` makes the checks, `history` is what recall reads;
/// both must outlive this.
class OwnTools {
 public:
  OwnTools(const Registry& registry, const History& history);
  OwnTools(const OwnTools&) = delete;
  OwnTools& operator=(const OwnTools&) = delete;

  const Registry& tools() const { return tools_; }
  /// Set once a call has ended the run.
  const std::optional<Ending>& ending() const { return ending_; }
  /// True for a tool that only the planner has.
  static bool is_own(const std::string& tool);
  /// True for done and ask_user.
  static bool ends_run(const std::string& tool);
  /// What a call of such a tool that succeeded had said, without the results of its checks.
  static Ending ending_of(const std::string& tool, const Json& arguments);

 private:
  LastLook last_look_;
  Registry tools_;
  std::optional<Ending> ending_;
};

}  // namespace selfagent
