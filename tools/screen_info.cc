// Tells the size of the screen, where the pointer is and which window is active.
#include <string>

#include "schema/output.h"
#include "tool/tool.h"
#include "tool/window_output.h"

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
  ToolResult result = ToolResult::text(
      "display " + context.desktop.display() + "\nscreen " + std::to_string(size.width) + "x" +
      std::to_string(size.height) + " pixels: x is 0 to " + std::to_string(size.width - 1) +
      ", y is 0 to " + std::to_string(size.height - 1) + "\nscale 1.0: a screenshot without " +
      "max_side has one pixel for each pixel of the screen\npointer at (" +
      std::to_string(pointer.x) + "," + std::to_string(pointer.y) +
      ")\nactive window: " + (active ? describe(*active) : std::string("none")));
  result.structured = {{"display", context.desktop.display()},
                       {"width", size.width},
                       {"height", size.height},
                       {"scale", 1.0},
                       {"pointer_x", pointer.x},
                       {"pointer_y", pointer.y}};
  if (active) result.structured["active_window"] = window_json(*active);
  return result;
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
      .output_schema = object_schema(
          {{"display", field("string", "The name of the X display.")},
           {"width", field("integer", "Of the screen in pixels: x is 0 to width - 1.")},
           {"height", field("integer", "Of the screen in pixels: y is 0 to height - 1.")},
           {"scale", field("number", "Pixels of a screenshot for each pixel of the screen.")},
           {"pointer_x", field("integer", "Where the mouse pointer is.")},
           {"pointer_y", field("integer", "Where the mouse pointer is.")}},
          {{"active_window", window_schema()}}),
      .run = run,
  });
}

}  // namespace selfagent
