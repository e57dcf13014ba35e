#include "process/leftovers.h"

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace selfagent {

namespace {

// The value of `variable` in the environment with which `process` was started, "" if it has none.
std::string start_value(const std::filesystem::path& process, const std::string& variable) {
  std::ifstream in(process / "environ", std::ios::binary);
  std::string entry;
  while (std::getline(in, entry, '\0')) {
    if (entry.starts_with(variable + "=")) return entry.substr(variable.size() + 1);
  }
  return "";
}

}  // namespace

size_t kill_marked_processes(const std::string& variable,
                             const std::function<bool(const std::string& value)>& wanted) {
  size_t killed = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (problem != std::errc() || end != name.data() + name.size() || pid == getpid()) continue;
    const std::string value = start_value(entry.path(), variable);
    if (!value.empty() && wanted(value) && ::kill(pid, SIGKILL) == 0) ++killed;
  }
  return killed;
}

}  // namespace selfagent
