// Jobs over plain REST: POST /schedule, GET /status/{id}, /jobs, POST /cancel/{id}, GET
// /download/{id}, events.
#pragma once

#include "jobs/runner.h"
#include "net/event_stream.h"
#include "net/router.h"
#include "planner/approvals.h"

namespace selfagent {

void add_job_routes(Router& router, JobRunner& runner, const Approvals& approvals,
                    EventStreams& streams);

}  // namespace selfagent
