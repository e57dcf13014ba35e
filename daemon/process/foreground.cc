#include "process/foreground.h"

#include <fstream>
#include <iterator>
#include <sstream>

namespace selfagent {
namespace {

std::string proc_text(pid_t pid, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string program_name(pid_t pid) {
  std::string name = proc_text(pid, "comm");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  // The leader of a pipeline may end before the rest of it.
  return name.empty() ? "a program" : name;
}

/// The process group in the foreground of the terminal of `pid`; -1 without one.
pid_t foreground_group(pid_t pid) {
  const std::string stat = proc_text(pid, "stat");
  const size_t name_end = stat.rfind(')');  // the name itself may have brackets and spaces
  if (name_end == std::string::npos) return -1;
  std::istringstream rest(stat.substr(name_end + 1));
  std::string state;
  int parent = 0;
  int group = 0;
  int session = 0;
  int terminal = 0;
  int foreground = -1;
  rest >> state >> parent >> group >> session >> terminal >> foreground;
  return rest ? foreground : -1;
}

}  // namespace

std::string running_under(pid_t pid) {
  if (pid <= 0) return "";
  const pid_t group = foreground_group(pid);
  if (group > 0 && group != pid) return program_name(group);
  std::istringstream children(proc_text(pid, "task/" + std::to_string(pid) + "/children"));
  pid_t child = 0;
  return children >> child ? program_name(child) : "";
}

}  // namespace selfagent
