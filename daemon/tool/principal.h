// Who calls: the holder of one token, and what that token allows.
#pragma once

#include <set>
#include <string>

#include "tool/tool.h"

namespace selfagent {

/// What the holder of a token may do. Only `full` reaches anything besides the tools: chat, jobs,
/// the live view.
enum class Profile {
  full,     ///< everything
  look,     ///< tools that change nothing
  desktop,  ///< tools of the screen, pointer, keyboard and windows
  code,     ///< tools of files and commands
};

struct Principal {
  std::string name = "owner";  ///< names the token in the log; never the token itself
  Profile profile = Profile::full;
  std::set<std::string> approve;  ///< tools whose calls a person must approve

  /// True if `tool` is listed for this principal and may be called by it.
  bool allows(const Tool& tool) const;
};

}  // namespace selfagent
