// Tells the size of the screen, where the pointer is and which window is active.
#include <string>

#include "tool/tool.h"

namespace selfagent {
namespace {

struct Args {};

std::string describe(const Window& window) {
  const Rect& area = window.geometry;
  return "\"" + window.title + "\" (" + window.window_class + ") at x=" + std::to_string(area.x) +
         " y=" + std::to_string(area.y) + ", " + std::to_string(area.width) + "x" +
         std::to_string(area.height);
}

ToolResult run(const Args&, ToolContext& context) {
  const Size size = context.desktop.screen().size();
  const Point pointer = context.desktop.pointer().position();
  const auto active = context.desktop.windows().active();
  return ToolResult::text(
      "display " + context.desktop.display() + "\nscreen " + std::to_string(size.width) + "x" +
      std::to_string(size.height) + " pixels: x is 0 to " + std::to_string(size.width - 1) +
      ", y is 0 to " + std::to_string(size.height - 1) + "\nscale 1.0: a screenshot without " +
      "max_side has one pixel for each pixel of the screen\npointer at (" +
      std::to_string(pointer.x) + "," + std::to_string(pointer.y) +
      ")\nactive window: " + (active ? describe(*active) : std::string("none")));
}

}  // namespace

Tool screen_info() {
  return make_tool<Args>({
      .name = "screen_info",
      .title = "Describe the screen",
      .description =
          "Returns as text the size of the screen in pixels, the valid range of x and y, the "
          "position of the mouse pointer and the active window (the one that gets typed text). "
          "Costs far fewer tokens than a screenshot; use it to check coordinates or the focus, and "
          "windows for the list of all windows.",
      .area = ToolArea::desktop,
      .annotations =
          {.read_only = true, .destructive = false, .idempotent = true, .open_world = false},
      .params = {},
      .run = run,
  });
}

}  // namespace selfagent
