// A call of a tool by a job that needs no model.
#pragma once

#include <string>

#include "jobs/outcome.h"
#include "tool/registry.h"

namespace selfagent {

/// Arguments that the tool refuses are a result, too. REQUIRES: `tool` is in `registry`.
ToolResult call_for_job(const JobRun& run, const Registry& registry, const ContextFactory& contexts,
                        const std::string& tool, const Json& arguments);

}  // namespace selfagent
