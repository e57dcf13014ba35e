// Whether a call of the model needs a person's approval, and why.
#pragma once

#include <functional>
#include <string>

#include "planner/approval_settings.h"
#include "planner/shell_risk.h"
#include "tool/call_target.h"
#include "tool/registry.h"

namespace selfagent {

/// What stands where a call would act. The functions are called only for calls that need them; an
/// empty one tells nothing.
struct Surroundings {
  RiskPlace place;
  std::function<CallTarget(Point)> at;
  std::function<CallTarget()> at_pointer;
  std::function<CallTarget()> focus;
};

/// Looks with `context`, which must outlive the result.
Surroundings surroundings_of(ToolContext& context);

/// Why the call is risky: from the tool, its arguments and its target. Every step of a batch and
/// every check of `done` is judged. Empty for what only reads.
Reasons judge_call(const Tool& tool, const Json& arguments, const Surroundings& around);

/// The same, and what `policy` adds or leaves out.
Reasons reasons_to_ask(ApprovalPolicy policy, const Tool& tool, const Json& arguments,
                       const Surroundings& around);

}  // namespace selfagent
