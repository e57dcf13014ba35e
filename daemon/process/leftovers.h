// Finds processes that an earlier daemon started and could not end.
#pragma once

#include <functional>
#include <string>

namespace selfagent {

/// Kills (SIGKILL) every process whose environment at its start held `variable` with one of the
/// values that `wanted` accepts. Returns how many. Reads /proc, so it sees the processes of this
/// user, or all as root.
size_t kill_marked_processes(const std::string& variable,
                             const std::function<bool(const std::string& value)>& wanted);

}  // namespace selfagent
