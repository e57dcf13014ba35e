// A person's answers to what the runs of the planner ask, and what is asked now.
#pragma once

#include <functional>

#include "jobs/runner.h"
#include "net/router.h"
#include "planner/approvals.h"
#include "store/store.h"

namespace selfagent {

struct ApprovalParts {
  Approvals& approvals;
  Store& store;
  JobRunner& runner;
  std::function<void()> answered;  ///< a person let the agent go on
};

/// POST /api/conversations/{id}/approvals/{call_id}. An answer for which no run waits starts one.
void add_approval_routes(Router& router, const ApprovalParts& parts);

/// What the conversation asks now, or null.
Json open_approval_json(const Approvals& approvals, const std::string& conversation_id);

}  // namespace selfagent
