// Moves the mouse pointer without pressing a button.
#include "tool/act.h"

namespace selfagent {
namespace {

struct Args {
  int x = 0;
  int y = 0;
  ActionOptions after;
};

ToolResult run(const Args& args, ToolContext& context) {
  const std::string done =
      "moved the pointer to (" + std::to_string(args.x) + "," + std::to_string(args.y) + ")";
  return act(context, args.after, done, [&] { context.desktop.pointer().move({args.x, args.y}); });
}

}  // namespace

Tool move() {
  return make_tool<Args>({
      .name = "move",
      .title = "Move the pointer",
      .description =
          "Moves the mouse pointer to (x, y) without clicking: for tooltips, menus that open when "
          "pointed at, and between mouse_button down and up. click, drag and scroll move the "
          "pointer themselves. Waits until the screen comes to rest and returns what changed.",
      .area = ToolArea::desktop,
      .annotations =
          {.read_only = false, .destructive = false, .idempotent = true, .open_world = false},
      .params =
          {
              param("x", &Args::x, "Screen pixels from the left edge, 0 to width - 1."),
              param("y", &Args::y, "Screen pixels from the top edge, 0 to height - 1."),
              action_params(&Args::after),
          },
      .run = run,
  });
}

}  // namespace selfagent
