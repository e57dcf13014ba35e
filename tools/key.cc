// Presses keys and shortcuts.
#include "tool/act.h"

namespace selfagent {
namespace {

struct Args {
  std::string keys;
  int hold_ms = 0;
  ActionOptions after;
};

ToolResult run(const Args& args, ToolContext& context) {
  return act(context, args.after, "pressed " + args.keys, [&] {
    context.desktop.keyboard().press(args.keys, milliseconds(args.hold_ms), context.stop);
  });
}

}  // namespace

Tool key() {
  return make_tool<Args>({
      .name = "key",
      .title = "Press keys",
      .description =
          "Presses a key or a shortcut in the window that has the keyboard focus: \"Return\", "
          "\"ctrl+shift+t\", \"alt+F4\". Spaces separate several that are pressed one after the "
          "other: \"ctrl+a Delete\", \"Down Down Return\". Keys are characters, names of X11 in "
          "any case (Return, Escape, Tab, BackSpace, Delete, Home, End, Page_Up, Page_Down, Up, "
          "Down, Left, Right, F1 to F12, space, plus, XF86AudioPlay) or usual aliases (enter, esc, "
          "del, pgup, pgdn, win, cmd). Modifiers are ctrl, shift, alt, altgr, super. For text use "
          "type. Waits until the screen comes to rest and returns what changed; an unknown name is "
          "refused with the nearest names before anything is pressed.",
      .area = ToolArea::desktop,
      .annotations =
          {.read_only = false, .destructive = true, .idempotent = false, .open_world = true},
      .params =
          {
              param("keys", &Args::keys, "Chords separated by spaces, keys of a chord joined by +.")
                  .range(1, 2000),
              param("hold_ms", &Args::hold_ms,
                    "How long the last key of each chord stays down, for games and key repeat; a "
                    "normal press is 35 ms.")
                  .range(0, 10000)
                  .optional(),
              action_params(&Args::after),
          },
      .run = run,
  });
}

}  // namespace selfagent
