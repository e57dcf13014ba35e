// Reads or sets the clipboard.
#include "base/utf8.h"
#include "tool/tool.h"

namespace selfagent {
namespace {

constexpr size_t most_bytes = 100'000;  // about 25,000 tokens

struct Args {
  std::optional<std::string> text;
};

ToolResult run(const Args& args, ToolContext& context) {
  Clipboard& clipboard = context.desktop.clipboard();
  if (args.text) {
    clipboard.set_text(*args.text);
    return ToolResult::text("the clipboard holds " +
                            std::to_string(code_points(*args.text).size()) + " characters now");
  }
  const std::string text = clipboard.text(context.stop);
  if (text.empty()) return ToolResult::text("the clipboard is empty");
  if (text.size() <= most_bytes) return ToolResult::text(text);
  return ToolResult::text(std::string(utf8_prefix(text, most_bytes)))
      .add("this was the beginning: the clipboard holds " + std::to_string(text.size()) +
           " bytes, " + std::to_string(most_bytes) + " are shown");
}

}  // namespace

Tool clipboard() {
  return make_tool<Args>({
      .name = "clipboard",
      .title = "Read or set the clipboard",
      .description =
          "With text: puts it on the clipboard, for pasting with ctrl+v (ctrl+shift+v in a "
          "terminal); the quickest way to enter long text. Without text: returns the text on the "
          "clipboard; select something and press ctrl+c first to read it exactly, without reading "
          "pixels. Only text, no pictures or files. Whatever was on the clipboard is replaced.",
      .area = ToolArea::desktop,
      .annotations =
          {.read_only = false, .destructive = false, .idempotent = true, .open_world = false},
      .params =
          {
              param("text", &Args::text, "Text to put on the clipboard; leave it out to read.")
                  .range(0, 10'000'000),
          },
      .run = run,
  });
}

}  // namespace selfagent
