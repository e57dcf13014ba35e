// The right to run one call. Actions runs nothing without it, so that no path around the question
// whether a call needs a person's approval compiles.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "base/json.h"

namespace selfagent {

struct Action {
  std::string call_id;
  std::string tool;
  Json arguments = Json::object();
  bool automatic = false;  ///< the planner's own look at the screen, not a call of the model
  /// The text of the result as the model is told it; null: as it is.
  std::function<std::string(const std::string&)> retell = nullptr;
  std::string approval = {};  ///< the call whose approval this one uses; "": none is needed
};

class Permit {
 public:
  /// For the planner's own looks, which only read.
  static Permit for_look(Action action) {
    action.automatic = true;
    return Permit(std::move(action));
  }
  /// For a command that a person typed.
  static Permit for_person(Action action) { return Permit(std::move(action)); }

  const Action& action() const { return action_; }

 private:
  friend class Gatekeeper;  // for the calls of the model
  explicit Permit(Action action) : action_(std::move(action)) {}

  Action action_;
};

}  // namespace selfagent
