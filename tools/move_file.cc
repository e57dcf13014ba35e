// Moves or renames a file or folder.
#include "process/files.h"
#include "tool/tool.h"

namespace selfagent {
namespace {

struct Args {
  std::string from;
  std::string to;
};

ToolResult run(const Args& args, ToolContext& context) {
  const Files files(context.sandbox);
  const auto from = files.resolve(args.from);
  const auto to = files.resolve(args.to);
  files.move(from, to, context.stop);
  return ToolResult::text("moved " + from.string() + " to " + to.string());
}

}  // namespace

Tool move_file() {
  return make_tool<Args>({
      .name = "move_file",
      .title = "Move or rename",
      .description = "Moves or renames a file, a folder with all that is in it, or a symlink "
                     "itself. Nothing is ever overwritten: if "
                     "`to` exists the call fails, also when it is a folder (give the full new "
                     "name, folder included). Missing "
                     "folders of `to` are made. Between file systems it copies and then deletes. "
                     "To copy, use the shell tool "
                     "(cp -a). Returns both full paths.",
      .area = ToolArea::code,
      .annotations =
          {.read_only = false, .destructive = true, .idempotent = false, .open_world = false},
      .params =
          {
              param("from", &Args::from,
                    "What to move: absolute, ~/..., or relative to the workspace."),
              param("to", &Args::to, "Its new path, name included; must not exist yet."),
          },
      .run = run,
  });
}

}  // namespace selfagent
