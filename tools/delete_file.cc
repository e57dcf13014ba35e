// Deletes a file or folder.
#include "process/files.h"
#include "tool/tool.h"

namespace selfagent {
namespace {

struct Args {
  std::string path;
  bool recursive = false;
};

ToolResult run(const Args& args, ToolContext& context) {
  const Files files(context.sandbox);
  const auto path = files.resolve(args.path);
  const uint64_t count = files.remove(path, args.recursive, context.stop);
  std::string text = "deleted " + path.string();
  if (count > 1)
    text +=
        " and the " + std::to_string(count - 1) + (count == 2 ? " entry in it" : " entries in it");
  return ToolResult::text(text);
}

}  // namespace

Tool delete_file() {
  return make_tool<Args>({
      .name = "delete_file",
      .title = "Delete a file or folder",
      .description = "Deletes a file, a symlink (not its target) or an empty folder; with "
                     "recursive a folder and everything in it. "
                     "There is no trash: it cannot be undone. Folders that hold the home or the "
                     "workspace are refused. If a "
                     "recursive deletion fails or is cancelled half way, what was deleted before "
                     "stays deleted. Returns the full "
                     "path and how many entries went.",
      .area = ToolArea::code,
      .annotations =
          {.read_only = false, .destructive = true, .idempotent = false, .open_world = false},
      .params =
          {
              param("path", &Args::path,
                    "What to delete: absolute, ~/..., or relative to the workspace."),
              param("recursive", &Args::recursive,
                    "Also delete a folder that is not empty, with its content.")
                  .optional(),
          },
      .run = run,
  });
}

}  // namespace selfagent
