// Replaces texts in a file, all or none.
#include "process/edits.h"
#include "process/files.h"
#include "tool/tool.h"

namespace selfagent {
namespace {

constexpr uint64_t most_bytes = 16 << 20;

}  // namespace

template <>
struct Codec<Edit> {
  static const ParamList<Edit>& params() {
    static const ParamList<Edit> list = {
        param("old", &Edit::old, "Text to replace, exactly as in the file, indentation included.")
            .range(1, most_bytes),
        param("new", &Edit::replacement, "What stands there afterwards; empty deletes."),
        param("count", &Edit::count, "How often `old` must occur; every one is replaced.")
            .range(1, 1'000'000)
            .optional(),
    };
    return list;
  }
  static Json schema() { return params().schema(); }
  static Edit decode(const Json& value, const std::string& where) {
    try {
      return params().decode(value);
    } catch (const ParameterError& error) {
      throw ParameterError(where + ": " + error.what());
    }
  }
  static Json encode(const Edit& edit) {
    return {{"old", edit.old}, {"new", edit.replacement}, {"count", edit.count}};
  }
};

namespace {

struct Args {
  std::string path;
  std::vector<Edit> edits;
};

ToolResult run(const Args& args, ToolContext& context) {
  const Files files(context.sandbox);
  const auto path = files.resolve(args.path);
  const struct stat before = files.info(path);
  const Edited edited = apply_edits(files.read(path, most_bytes), args.edits, most_bytes);
  const Written written = files.write(path, edited.text, &before);
  return ToolResult::text(
      "edited " + written.path.string() + " (" + std::to_string(edited.replacements) +
      (edited.replacements == 1 ? " replacement" : " replacements") + ", now " +
      std::to_string(edited.text.size()) +
      " bytes); changed lines, as they are numbered now: " + edited.changed_lines);
}

}  // namespace

Tool edit_file() {
  return make_tool<Args>({
      .name = "edit_file",
      .title = "Edit a file",
      .description = "Replaces exact texts in an existing file: the way to change a part of it. "
                     "All edits of a call are one "
                     "transaction, applied in order, each to the text as the earlier ones left it: "
                     "if one `old` does not occur "
                     "exactly `count` times (once unless given), nothing is changed and the error "
                     "shows the nearest lines or where "
                     "it occurs. Take `old` from read_file, with enough lines around it to be "
                     "unique. The file is replaced "
                     "atomically, mode and owner are kept; if someone else changed it meanwhile "
                     "the call fails. Works on text up "
                     "to 16 MiB of any encoding. Returns the numbers of the changed lines. Use "
                     "write_file to create a file.",
      .area = ToolArea::code,
      .annotations =
          {.read_only = false, .destructive = true, .idempotent = false, .open_world = false},
      .params =
          {
              param("path", &Args::path,
                    "The file: absolute, ~/..., or relative to the workspace."),
              param("edits", &Args::edits, "The replacements, in order.").range(1, 100),
          },
      .run = run,
  });
}

}  // namespace selfagent
