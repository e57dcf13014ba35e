// Jobs of the kind gui: one tool call per line, e.g. `click 10 10` and `type "hello\n"`.
#pragma once

#include <string>
#include <vector>

#include "jobs/outcome.h"
#include "tool/command_line.h"

namespace selfagent {

struct GuiStep {
  int line = 0;  ///< counted from 1
  std::string text;
  ToolCommand command;
};

/// The steps of `script`; blank lines and lines that begin with `#` are skipped. Throws
/// Error(invalid_argument) that begins with "line 3: ".
std::vector<GuiStep> parse_gui_script(const std::string& script, const Registry& registry);

/// Runs the steps in order on the calling thread, up to the first that fails. Nothing runs if a
/// line cannot be read. Each step writes action_intent before and action_result after; its text
/// goes to stdout, its pictures to NNN-TOOL.png in the workspace, NNN being the line.
JobOutcome run_gui_job(const JobRun& run, Store& store, const Registry& registry,
                       const ContextFactory& contexts);

}  // namespace selfagent
