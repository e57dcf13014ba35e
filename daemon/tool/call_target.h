// What a call would act on, as a person would name it: what stands at a position, what has the
// focus, which window that is; and the files that a command names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tool/tool.h"

namespace selfagent {

struct CallTarget {
  std::string window;              ///< its title; "" where no window is
  bool terminal = false;           ///< the window is that of a terminal
  std::vector<std::string> names;  ///< of what would be pressed
  /// Of the other buttons of the window, for a key that may press the default one.
  std::vector<std::string> buttons;
};

/// Looked up by accessibility, for at most 2 seconds: what no program tells stays unknown.
CallTarget target_at(ToolContext& context, Point at);
CallTarget target_of_focus(ToolContext& context);
CallTarget target_at_pointer(ToolContext& context);

/// The text of a file as the sandbox user reads it; nothing if there is none, it is no UTF-8 text,
/// or larger than 1 MiB.
std::optional<std::string> text_of_file(const ToolContext& context, const std::string& path);
bool file_exists(const ToolContext& context, const std::string& path);
/// The home and the workspace of the sandbox user.
std::vector<std::string> own_folders(const ToolContext& context);

}  // namespace selfagent
