// Lists the windows.
#include <cstdio>

#include "tool/tool.h"

namespace selfagent {
namespace {

struct Args {};

std::string line(const Window& window) {
  const Rect& area = window.geometry;
  char id[24];
  std::snprintf(id, sizeof id, "0x%llx", static_cast<unsigned long long>(window.id));
  std::string text = std::string(id) + " \"" + window.title + "\" class=" + window.window_class;
  if (window.pid != 0) text += " pid=" + std::to_string(window.pid);
  text += " x=" + std::to_string(area.x) + " y=" + std::to_string(area.y) + " " +
          std::to_string(area.width) + "x" + std::to_string(area.height);
  if (window.desktop > 0) text += " workspace=" + std::to_string(window.desktop);
  if (window.active) text += " active";
  if (window.minimized) text += " minimized";
  if (window.maximized) text += " maximized";
  return text;
}

ToolResult run(const Args&, ToolContext& context) {
  const auto windows = context.desktop.windows().list();
  if (windows.empty()) return ToolResult::text("there are no windows; launch starts a program");
  std::string text = std::to_string(windows.size()) + " windows, the topmost first:";
  for (auto window = windows.rbegin(); window != windows.rend(); ++window) {
    text += "\n" + line(*window);
  }
  return ToolResult::text(std::move(text));
}

}  // namespace

Tool windows() {
  return make_tool<Args>({
      .name = "windows",
      .title = "List windows",
      .description =
          "Lists the windows as text, the topmost first: id, title, class (the program), process "
          "id, position and size of the inside of the window in screen pixels, and whether it is "
          "active (gets typed text), minimized or maximized. Use it to find a window that is "
          "covered or minimized, and pass its id to window. Cheaper than a screenshot, but shows "
          "no contents; menus and tooltips are not in the list.",
      .area = ToolArea::desktop,
      .annotations =
          {.read_only = true, .destructive = false, .idempotent = true, .open_world = false},
      .params = {},
      .run = run,
  });
}

}  // namespace selfagent
