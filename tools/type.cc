// Types text into the window that has the focus.
#include "base/utf8.h"
#include "tool/act.h"

namespace selfagent {
namespace {

struct Args {
  std::string text;
  ActionOptions after;
};

ToolResult run(const Args& args, ToolContext& context) {
  // The text itself is not repeated: it may be a password.
  const std::string done = "typed " + std::to_string(code_points(args.text).size()) + " characters";
  return act(context, args.after, done,
             [&] { context.desktop.keyboard().type(args.text, context.stop); });
}

}  // namespace

Tool type() {
  return make_tool<Args>({
      .name = "type",
      .title = "Type text",
      .description =
          "Types text as if on a keyboard, into whatever has the keyboard focus: click into the "
          "field first, and check the active window in the answer. Any Unicode text works, emoji "
          "too, whatever the keyboard layout. \\n presses Return and \\t presses Tab, so a line "
          "break submits many forms and runs a command in a terminal. For shortcuts and single "
          "keys use key. For more than about 1,000 characters setting the clipboard and pressing "
          "ctrl+v (ctrl+shift+v in a terminal) is quicker; for a file write_file is better. "
          "Nothing is ever skipped silently. Returns how many characters were sent and what "
          "changed on the screen, not whether the program took them: look.",
      .area = ToolArea::desktop,
      .annotations =
          {.read_only = false, .destructive = true, .idempotent = false, .open_world = true},
      .params =
          {
              param("text", &Args::text, "What to type, at most 100,000 bytes of UTF-8.")
                  .range(1, 100000),
              action_params(&Args::after),
          },
      .run = run,
  });
}

}  // namespace selfagent
