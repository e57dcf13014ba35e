// What a daemon that was killed has left of a run, and whether the next one may go on with it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "planner/planner.h"
#include "store/store.h"
#include "tool/registry.h"

namespace selfagent {

struct RunSoFar {
  bool asked = false;    ///< its user_message is stored
  bool started = false;  ///< its run_started is stored
  /// Why it must not go on by itself, "" if it may: an action of which nobody knows whether it
  /// happened, or a run that ended the daemon again and again.
  std::string obstacle;
  int steps = 0;
  int64_t input_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t output_tokens = 0;
  milliseconds elapsed{0};  ///< from its first event to its last one
  /// The question about a call of the newest answer, after which nothing has happened.
  std::optional<Event> waiting;
  /// The intents of calls that were interrupted, with which the run can go on.
  std::vector<Json> begun;
  std::optional<RunOutcome> ended;  ///< the model had ended it, only run_finished is missing
};

/// `events`: all of the run's job, oldest first. `has_begun`: whether it is certain that the call
/// of this intent was begun once, and the next daemon can go on with it; may be empty.
RunSoFar read_run(const std::vector<Event>& events, const Registry& registry,
                  const std::function<bool(const Json& intent)>& has_begun = {});

}  // namespace selfagent
