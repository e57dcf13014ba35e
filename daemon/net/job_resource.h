// The log of a job, as an MCP resource.
#pragma once

#include "jobs/runner.h"
#include "mcp/resources.h"

namespace selfagent {

/// job://{id}/log: the state of the job and the ends of its output, 64 kB of each stream; can
/// be subscribed to. `runner` and `store` must outlive it. The id can be completed.
mcp::Resource job_log_resource(const JobRunner& runner, Store& store);

}  // namespace selfagent
