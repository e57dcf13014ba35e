// Clicks a mouse button at a position on the screen.
#include "tool/act.h"

namespace selfagent {
namespace {

struct Args {
  int x = 0;
  int y = 0;
  Button button = Button::left;
  int count = 1;
  std::vector<Modifier> modifiers;
  ActionOptions after;
};

ToolResult run(const Args& args, ToolContext& context) {
  static constexpr const char* times[] = {"", "clicked ", "double-clicked ", "triple-clicked "};
  const std::string done = std::string(times[args.count]) +
                           Codec<Button>::encode(args.button).get<std::string>() + " at (" +
                           std::to_string(args.x) + "," + std::to_string(args.y) + ")";
  return act(context, args.after, done, [&] {
    context.desktop.pointer().click({args.x, args.y}, args.button, args.count, args.modifiers,
                                    context.stop);
  });
}

}  // namespace

Tool click() {
  return make_tool<Args>({
      .name = "click",
      .title = "Click",
      .description =
          "Moves the mouse pointer to (x, y) and clicks there. Aim at the middle of the button, "
          "link or field, with the position taken from a recent screenshot. Then waits until the "
          "screen comes to rest and returns what the click changed: how much of the screen and "
          "where, the active window before and after, windows that opened or closed. \"nothing "
          "changed on the screen\" means that the click missed or the program ignores it: look "
          "again, do not repeat it blindly. Use key for shortcuts, drag to select or move things, "
          "count 2 for what opens by a double click.",
      .area = ToolArea::desktop,
      .annotations =
          {.read_only = false, .destructive = true, .idempotent = false, .open_world = true},
      .params =
          {
              param("x", &Args::x, "Screen pixels from the left edge, 0 to width - 1."),
              param("y", &Args::y, "Screen pixels from the top edge, 0 to height - 1."),
              param("button", &Args::button, "Which mouse button.").optional(),
              param("count", &Args::count, "2 is a double click, 3 a triple click.")
                  .range(1, 3)
                  .optional(),
              param("modifiers", &Args::modifiers, "Keys held during the click.").optional(),
              action_params(&Args::after),
          },
      .run = run,
  });
}

}  // namespace selfagent
