// Lists a folder, or the files below it that fit a pattern.
#include "base/utf8.h"
#include "process/files.h"
#include "process/glob.h"
#include "schema/output.h"
#include "tool/tool.h"

namespace selfagent {
namespace {

constexpr size_t most_shown = 500;
constexpr size_t most_visited = 200'000;  // about a second
constexpr int pattern_depth = 16;

struct Args {
  std::string path = ".";
  std::optional<int> depth;
  std::string glob;
};

// 2026-07-28T09:41:00.123Z to the second.
std::string changed_at(const FolderEntry& entry) {
  return iso_time(static_cast<int64_t>(entry.info.st_mtim.tv_sec) * 1000).substr(0, 19) + "Z";
}

Json json_of(const FolderEntry& entry) {
  Json json = {{"path", to_utf8(entry.path.string())},
               {"kind", kind_of(entry.info.st_mode)},
               {"bytes", S_ISREG(entry.info.st_mode) ? entry.info.st_size : 0},
               {"changed", changed_at(entry)}};
  if (!entry.link.empty()) json["link"] = to_utf8(entry.link);
  if (!entry.problem.empty()) json["problem"] = entry.problem;
  return json;
}

std::string line_of(const FolderEntry& entry) {
  const std::string time = changed_at(entry);
  const mode_t mode = entry.info.st_mode;
  std::string size = S_ISREG(mode) ? std::to_string(entry.info.st_size) : kind_of(mode);
  size.insert(0, size.size() < 12 ? 12 - size.size() : 0, ' ');
  std::string line = size + "  " + time + "  " + entry.path.string();
  if (S_ISDIR(mode)) line += "/";
  if (!entry.link.empty()) line += " -> " + entry.link;
  if (!entry.problem.empty()) line += "  (not listed: " + entry.problem + ")";
  return line;
}

// These hold thousands of files that nobody reads; named as `path` they are listed like any other.
bool is_skipped(const FolderEntry& entry) {
  return entry.name == ".git" || entry.name == "node_modules";
}

std::string heading(const std::string& path, const Args& args, int depth, size_t count, bool all) {
  std::string text = path + ": " + (all ? "" : "more than ") + std::to_string(count) +
                     (count == 1 ? " entry" : " entries");
  if (!args.glob.empty()) text += " that fit " + args.glob;
  if (depth > 1) text += ", " + std::to_string(depth) + " levels deep";
  return text;
}

ToolResult run(const Args& args, ToolContext& context) {
  const Files files(context.sandbox);
  const auto path = files.resolve(args.path);
  const bool deep_pattern = args.glob.find('/') != std::string::npos;
  const int depth = args.depth.value_or(deep_pattern ? pattern_depth : 1);
  size_t count = 0;
  size_t visited = 0;
  std::string lines;
  Json entries = Json::array();
  files.walk(path, depth, context.stop, [&](const FolderEntry& entry) {
    if (++visited > most_visited) return false;
    if (args.glob.empty() || glob_matches(args.glob, entry.path.string())) {
      if (++count <= most_shown) {
        lines += "\n" + line_of(entry);
        entries.push_back(json_of(entry));
      }
    }
    return !is_skipped(entry);
  });
  std::string text = heading(path, args, depth, count, visited <= most_visited) + lines;
  if (count > most_shown) {
    text += "\n... " + std::to_string(count - most_shown) +
            " more: name a folder below, lower depth or give a glob";
  }
  ToolResult result = ToolResult::text(text);
  result.structured = {{"folder", to_utf8(path.string())},
                       {"entries", std::move(entries)},
                       {"count", count},
                       {"complete", count <= most_shown && visited <= most_visited}};
  return result;
}

Json output_schema() {
  const Json entry =
      object_schema({{"path", field("string", "Its path below the folder.")},
                     {"kind", field("string", "file, folder, symlink, FIFO, socket or device.")},
                     {"bytes", field("integer", "Size of a file, otherwise 0.")},
                     {"changed", field("string", "Time of the last change, ISO 8601, UTC.")}},
                    {{"link", field("string", "Where a symlink points.")},
                     {"problem", field("string", "Why a folder could not be listed.")}});
  return object_schema({{"folder", field("string", "The folder that was listed.")},
                        {"entries", list_field(entry, "What is there, at most 500.")},
                        {"count", field("integer", "How many there are.")},
                        {"complete", field("boolean", "False if entries were left out.")}});
}

}  // namespace

Tool list_files() {
  return make_tool<Args>({
      .name = "list_files",
      .title = "List files",
      .description =
          "Lists a folder of the sandbox: one line for each entry with its size in bytes (or its "
          "kind: folder, symlink, "
          "FIFO, socket, device), the time of its last change in UTC and its path below the "
          "folder; folders end in /. "
          "With depth it goes into folders, with glob it shows only what fits, for example glob "
          "\"**/*.py\". It goes "
          "into neither .git nor node_modules (unless they are the path) nor through symlinks. At "
          "most 500 entries are "
          "shown, then their number. To search in the content of files use search_files.",
      .area = ToolArea::code,
      .annotations =
          {.read_only = true, .destructive = false, .idempotent = true, .open_world = false},
      .params =
          {
              param("path", &Args::path,
                    "The folder: absolute, ~/..., or relative to the workspace.")
                  .optional(),
              param("depth", &Args::depth,
                    "Levels of folders to list: 1 is the folder alone, the default; 16 if the glob "
                    "has a slash.")
                  .range(1, 64),
              param("glob", &Args::glob,
                    "Show only entries that fit: *, ?, [a-z], {a,b}; ** goes across folders. "
                    "Without a slash it is compared "
                    "with the name alone.")
                  .optional(),
          },
      .output_schema = output_schema(),
      .run = run,
  });
}

}  // namespace selfagent
