// The prompts of a sandbox.
#pragma once

#include "mcp/prompts.h"
#include "process/sandbox.h"

namespace selfagent::mcp {

/// operate_desktop(task, application): how to work with the screen.
Prompt operate_desktop_prompt();

/// run_coding_task(task, language, folder): how to work with files and commands. Language and
/// folder can be completed. `sandbox` must outlive it.
Prompt run_coding_task_prompt(const Sandbox& sandbox);

}  // namespace selfagent::mcp
