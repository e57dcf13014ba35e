// The command line: `selfagent serve` and the commands that talk to a running daemon.
#pragma once

namespace selfagent {

/// Exit status: 0 done, 1 the work failed, 2 the words were wrong. Errors are one sentence on
/// standard error.
int run_command_line(int argc, char** argv);

}  // namespace selfagent
