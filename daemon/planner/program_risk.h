// What makes one command risky: what its program is known to do with such arguments. What the shell
// around it does is judged in shell_risk.cc.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "planner/known_programs.h"
#include "planner/shell_risk.h"

namespace selfagent {

/// One command of a shell text.
struct ShellCall {
  std::string name;  ///< of its program, without the folder
  std::string line;  ///< all of it, for reasons
  Words args;
  bool expands = false;  ///< the shell would change one of them
};

/// What stands around a command.
struct ShellSurroundings {
  const RiskPlace& place;
  bool outside;  ///< a `cd` has led out of the agent's own folders
  /// A path as `place.exists` takes it; nothing where it starts in a folder that nobody knows.
  std::function<std::optional<std::string>(const std::string& path)> path_of;
  /// Judges a command that this one runs.
  std::function<void(const std::string& text)> judge;
};

/// Adds to `reasons` why `call` is risky.
void judge_program(const ShellCall& call, const ShellSurroundings& around, Reasons& reasons);

/// The reason of what cannot be told from its text.
std::string unclear_reason(const std::string& why, const std::string& text);

}  // namespace selfagent
