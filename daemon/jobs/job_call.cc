#include "jobs/job_call.h"

namespace selfagent {

ToolResult call_for_job(const JobRun& run, const Registry& registry, const ContextFactory& contexts,
                        const std::string& tool, const Json& arguments) {
  ToolContext context = contexts(run.stop, run.deadline);
  try {
    return call_tool(*registry.find(tool), arguments, context);
  } catch (const ParameterError& error) {
    return ToolResult::error(tool + " refused: " + error.what());
  }
}

}  // namespace selfagent
