// What runs on a terminal besides the shell that waits there for its next command.
#pragma once

#include <sys/types.h>

#include <string>

namespace selfagent {

/// The name of what the shell `pid`, which leads its session, has in the foreground, or of one of
/// the jobs that it has in the background; "" if there is neither, or no such process. A snapshot:
/// it may be another a moment later. Source: proc(5), /proc/PID/stat and
/// /proc/PID/task/TID/children.
std::string running_under(pid_t pid);

}  // namespace selfagent
