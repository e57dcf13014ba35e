// What every action tool shares: the options after the action, and the report of its effect.
#pragma once

#include <functional>
#include <string>

#include "tool/tool.h"

namespace selfagent {

/// Options of click, move, drag, scroll, type, key, window and launch.
struct ActionOptions {
  int settle_ms = 1500;     ///< Longest wait for the screen to come to rest; 0 returns at once.
  bool screenshot = false;  ///< Attach the picture after settling.
};

/// The rows for `options`, a member of Args.
template <class Args>
ParamRows<Args> action_params(ActionOptions Args::* options) {
  return ParamRows<Args>({
      param("settle_ms", options, &ActionOptions::settle_ms,
            "Longest wait in milliseconds for the screen to come to rest after the action; 0 "
            "returns at once.")
          .range(0, 30000)
          .optional()
          .row(),
      param("screenshot", options, &ActionOptions::screenshot,
            "Attach a picture of the whole screen, taken after the screen came to rest.")
          .optional()
          .row(),
  });
}

/// Runs `action`, waits for the screen and reports `done` (a sentence: what was done) with the
/// effect: what changed, where, the active window before and after, how long it took.
ToolResult act(ToolContext& context, const ActionOptions& options, const std::string& done,
               const std::function<void()>& action);

/// The whole screen as a PNG.
EncodedImagePtr screen_picture(Desktop& desktop, bool cursor);

}  // namespace selfagent
