// Searches the content of files for a text or a regular expression.
//
// grep does the work, as a process of the sandbox user: a pathological expression then costs that
// process its time and memory, not the daemon's, and it ends with the deadline.
#include "base/utf8.h"
#include "process/command.h"
#include "process/files.h"
#include "process/glob.h"
#include "schema/output.h"
#include "tool/tool.h"

namespace selfagent {
namespace {

constexpr milliseconds longest_search{30'000};
constexpr size_t most_line_bytes = 300;
constexpr size_t most_pending_bytes = 64 << 10;  // of a line that has not ended

struct Args {
  std::string pattern;
  std::string path = ".";
  std::string glob;
  int limit = 100;
  bool regex = false;
  bool ignore_case = false;
};

// Takes grep's output "./PATH NUL NUMBER:LINE\n" apart as it comes.
class Matches {
 public:
  Matches(const Args& args, std::function<void()> full) : args_(args), full_(std::move(full)) {}

  void append(std::string_view piece) {
    while (!piece.empty() && !is_full()) {
      const size_t end = piece.find('\n');
      const std::string_view part = piece.substr(0, end);
      pending_ +=
          part.substr(0, most_pending_bytes - std::min(most_pending_bytes, pending_.size()));
      if (end == std::string_view::npos) return;
      take(pending_);
      pending_.clear();
      piece.remove_prefix(end + 1);
    }
  }
  bool is_full() const { return count_ == args_.limit; }
  int count() const { return count_; }
  int files() const { return files_; }
  const std::string& text() const { return text_; }
  const Json& list() const { return list_; }

 private:
  void take(std::string_view line) {
    const size_t nul = line.find('\0');
    if (nul == std::string_view::npos) return;
    std::string_view path = line.substr(0, nul);
    if (path.substr(0, 2) == "./") path.remove_prefix(2);
    if (!args_.glob.empty() && !glob_matches(args_.glob, path)) return;
    if (path != path_) ++files_;
    path_ = path;
    std::string_view match = line.substr(nul + 1);
    if (!match.empty() && match.back() == '\r') match.remove_suffix(1);
    const std::string_view shown = utf8_prefix(match, most_line_bytes);
    text_ += "\n" + to_utf8(path_) + ":" + to_utf8(shown) +
             (shown.size() < match.size() ? " [...]" : "");
    const size_t colon = shown.find(':');
    list_.push_back(
        {{"path", to_utf8(path_)},
         {"line", std::atoi(std::string(shown.substr(0, colon)).c_str())},
         {"text", colon == std::string_view::npos ? "" : to_utf8(shown.substr(colon + 1))}});
    if (++count_ == args_.limit) full_();
  }

  const Args& args_;
  const std::function<void()> full_;
  std::string pending_;
  std::string path_;
  std::string text_;
  Json list_ = Json::array();
  int count_ = 0;
  int files_ = 0;
};

std::vector<std::string> grep_command(const Args& args, const std::string& where) {
  std::vector<std::string> argv = {"grep",
                                   "-rnHIsZ",
                                   "--devices=skip",
                                   "--exclude-dir=.git",
                                   "--exclude-dir=node_modules",
                                   args.regex ? "-E" : "-F"};
  if (args.ignore_case) argv.push_back("-i");
  argv.insert(argv.end(), {"-e", args.pattern, "--", where});
  return argv;
}

std::string report(const Matches& matches, const CommandResult& result, const std::string& path) {
  std::string text =
      std::to_string(matches.count()) + (matches.count() == 1 ? " match in " : " matches in ") +
      std::to_string(matches.files()) + (matches.files() == 1 ? " file" : " files") + " of " + path;
  if (matches.is_full()) text += " (stopped at the limit: there may be more)";
  if (result.timed_out) {
    text += " (stopped after " + std::to_string(result.elapsed.count() / 1000) +
            " s: there may be more; name a folder below or give a glob)";
  }
  return text + matches.text();
}

ToolResult run(const Args& args, ToolContext& context) {
  if (args.pattern.find('\n') != std::string::npos) {
    throw Error(
        ErrorCode::invalid_argument,
        "the pattern contains a line break, but is looked for within lines: give one line of it");
  }
  CommandRequest request;
  std::filesystem::path path;
  {
    const Files files(context.sandbox);
    path = files.resolve(args.path);
    const mode_t mode = files.info(path).st_mode;
    if (!S_ISDIR(mode) && !S_ISREG(mode)) {
      throw Error(ErrorCode::conflict,
                  path.string() + " is a " + kind_of(mode) + ", neither a folder nor a file");
    }
    // Relative to the folder, so that its own name is never one of the excluded ones.
    request.cwd = S_ISDIR(mode) ? path : path.parent_path();
    request.argv = grep_command(args, S_ISDIR(mode) ? "." : "./" + path.filename().string());
  }
  std::stop_source enough;
  const std::stop_callback forward(context.stop, [&] { enough.request_stop(); });
  Matches matches(args, [&] { enough.request_stop(); });
  request.deadline = Deadline::after(longest_search).sooner(context.deadline);
  request.keep_bytes = 4096;
  request.on_output = [&](std::string_view piece, bool error) {
    if (!error) matches.append(piece);
  };
  const CommandResult result = run_command(context.sandbox, request, enough.get_token());
  if (context.stop.stop_requested()) throw Error(ErrorCode::cancelled, "cancelled");
  if (result.exit_code == 2 && matches.count() == 0 && !result.err.empty()) {
    throw Error(ErrorCode::invalid_argument, "grep says: " + to_utf8(result.err));
  }
  ToolResult answer = ToolResult::text(report(matches, result, path.string()));
  answer.structured = {{"searched", to_utf8(path.string())},
                       {"matches", matches.list()},
                       {"files", matches.files()},
                       {"complete", !matches.is_full() && !result.timed_out}};
  return answer;
}

Json output_schema() {
  const Json match =
      object_schema({{"path", field("string", "The file, relative to the folder searched.")},
                     {"line", field("integer", "Number of the line, from 1.")},
                     {"text", field("string", "The line, at most 300 bytes.")}});
  return object_schema(
      {{"searched", field("string", "The file or folder.")},
       {"matches", list_field(match, "Line by line.")},
       {"files", field("integer", "How many files have matches.")},
       {"complete", field("boolean", "False if it stopped at limit or after 30 s.")}});
}

}  // namespace

Tool search_files() {
  return make_tool<Args>({
      .name = "search_files",
      .title = "Search in files",
      .description = "Finds the lines that contain a text in one file or in all files below a "
                     "folder. The pattern is plain text "
                     "unless regex is true (then a POSIX extended regular expression, as of grep "
                     "-E, with \\w, \\b and \\s). "
                     "Returns the number of matches, then path:line number:line for each, paths "
                     "relative to the folder searched; "
                     "lines over 300 bytes are cut. Binary files, .git and node_modules are "
                     "skipped, symlinks are not followed. It "
                     "stops at limit matches or after 30 s and says so. Use read_file with offset "
                     "to see the surroundings, and "
                     "list_files with glob to find files by name.",
      .area = ToolArea::code,
      .annotations =
          {.read_only = true, .destructive = false, .idempotent = true, .open_world = false},
      .params =
          {
              param("pattern", &Args::pattern, "What to find within a line.").range(1, 10'000),
              param("path", &Args::path,
                    "File or folder: absolute, ~/..., or relative to the workspace.")
                  .optional(),
              param("glob", &Args::glob,
                    "Search only files that fit, for example *.py or src/**/*.{ts,tsx}. Without a "
                    "slash it is compared with "
                    "the name alone.")
                  .optional(),
              param("limit", &Args::limit, "Most matches to return.").range(1, 1000).optional(),
              param("regex", &Args::regex, "The pattern is a regular expression.").optional(),
              param("ignore_case", &Args::ignore_case, "Treat upper and lower case alike.")
                  .optional(),
          },
      .output_schema = output_schema(),
      .run = run,
  });
}

}  // namespace selfagent
