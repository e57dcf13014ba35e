// Creates or replaces a file.
#include "base/base64.h"
#include "process/files.h"
#include "tool/tool.h"

namespace selfagent {
namespace {
enum class Encoding { utf8, base64 };
}  // namespace

template <>
struct EnumWords<Encoding> {
  static constexpr std::array words{"utf8", "base64"};
};

namespace {

struct Args {
  std::string path;
  std::string content;
  Encoding encoding = Encoding::utf8;
  bool append = false;
};

ToolResult run(const Args& args, ToolContext& context) {
  const std::string content =
      args.encoding == Encoding::base64 ? base64_decode(args.content) : args.content;
  const Files files(context.sandbox);
  const auto path = files.resolve(args.path);
  const Written written = args.append ? files.append(path, content) : files.write(path, content);
  std::string text = args.append ? "appended " : written.created ? "created " : "replaced ";
  if (args.append) text += std::to_string(content.size()) + " bytes to ";
  text += written.path.string();
  if (!args.append) text += " (" + std::to_string(content.size()) + " bytes)";
  if (args.append && written.created) text += ", which is new";
  if (written.path != path) text += ", the target of the symlink " + path.string();
  if (!written.folders.empty()) {
    text += "; made the folder " + written.folders.back().string();
  }
  return ToolResult::text(text);
}

}  // namespace

Tool write_file() {
  return make_tool<Args>({
      .name = "write_file",
      .title = "Write a file",
      .description = "Creates a file, or replaces all of its content; with append it adds to the "
                     "end. Missing folders are made. "
                     "Replacing is atomic: other programs see the old content or the new, and when "
                     "it fails (no right, no disk "
                     "space) nothing has changed. Mode and owner of an existing file are kept, new "
                     "files get 0644; a symlink "
                     "stays and its target is written. Use edit_file to change a part of a file, "
                     "and the shell tool for chmod or "
                     "to download something. Returns the full path, whether it was new, and the "
                     "number of bytes.",
      .area = ToolArea::code,
      .annotations =
          {.read_only = false, .destructive = true, .idempotent = false, .open_world = false},
      .params =
          {
              param("path", &Args::path,
                    "The file: absolute, ~/..., or relative to the workspace."),
              param("content", &Args::content,
                    "The whole content, exactly as it shall be in the file; end text with a "
                    "newline."),
              param("encoding", &Args::encoding,
                    "How content is given: utf8 is text as it is, base64 is for binary files.")
                  .optional(),
              param("append", &Args::append, "Add to the end instead of replacing.").optional(),
          },
      .run = run,
  });
}

}  // namespace selfagent
