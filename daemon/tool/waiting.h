// Waits for one thing to become true on the desktop.
//
// Nothing is asked again and again: the screen's damage, the events of windows, the end of a
// process and the request to stop are what wakes a wait up.
#pragma once

#include <sys/types.h>

#include <string>

#include "tool/line_pattern.h"
#include "tool/tool.h"

namespace selfagent {

/// How a wait ended. Every wait throws Error(cancelled) when the call is cancelled.
struct Waited {
  bool met = false;
  std::string seen;  ///< What is there now: what was met, or what was seen instead.
};

/// Nothing is drawn for `quiet`, but for what repaints by itself.
Waited wait_settled(ToolContext& context, milliseconds quiet, Deadline deadline);

/// There is a window whose title matches, or, if `gone`, there is none. `active_only`: only the
/// active window counts.
Waited wait_window(ToolContext& context, const LinePattern& title, bool gone, bool active_only,
                   Deadline deadline);

/// Something in `area` looks different from what it looked like at the call. Throws
/// Error(invalid_argument) if it is not inside the screen.
Waited wait_change(ToolContext& context, Rect area, Deadline deadline);

/// `text` is shown on the screen or, if `gone`, is not. Throws Error(unavailable) if there is
/// nothing that could read the screen.
Waited wait_text(ToolContext& context, const std::string& text, bool gone, Deadline deadline);

/// The process has ended. Throws Error(not_found) for one that never was, as far as is known.
Waited wait_process(ToolContext& context, pid_t pid, Deadline deadline);

}  // namespace selfagent
