#include "mcp/desktop_resources.h"

#include <thread>

#include "base/error.h"
#include "base/utf8.h"
#include "base/wait.h"
#include "process/file_watcher.h"
#include "process/files.h"
#include "tool/act.h"

namespace selfagent::mcp {

namespace {

constexpr milliseconds least_interval{500};
constexpr milliseconds retry_interval{1000};  // while the display is away
constexpr uint64_t most_bytes = 8 << 20;
constexpr size_t most_names = 1000;

// Tells of changes of the screen.
class ScreenChanges : public Watch {
 public:
  ScreenChanges(Desktop& desktop, std::function<void()> changed)
      : desktop_(desktop), changed_(std::move(changed)) {
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  }

 private:
  void work(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      try {
        follow(stop);
      } catch (const Error&) {
        // The display is away: subscribers want to know when it is back, with another picture.
        if (!sleep_until(Deadline::after(retry_interval), stop)) return;
        lost_ = true;
      }
    }
  }

  void follow(const std::stop_token& stop) {
    constexpr std::chrono::hours forever{1};
    const auto watch = desktop_.screen().watch(Repainting::counted);
    if (std::exchange(lost_, false)) changed_();
    while (!stop.stop_requested()) {
      // What is drawn during the pause is in the watch and ends the next wait at once.
      if (watch->settle(forever, milliseconds(0), forever, stop).changed) changed_();
      if (!sleep_until(Deadline::after(least_interval), stop)) return;
    }
  }

  Desktop& desktop_;
  const std::function<void()> changed_;
  bool lost_ = false;  // on the thread
  std::jthread thread_;
};

// Tells of changes of a file or a folder.
struct FileChanges : Watch {
  std::unique_ptr<FileWatcher::Watch> watch;
};

// "a/b" of the workspace, without a way out of it.
std::filesystem::path inside(const Sandbox& sandbox, const std::string& path) {
  const auto relative = std::filesystem::path(path).lexically_normal();
  const auto at = sandbox.workspace() / relative;
  // Symlinks may lead out of it. No secret is kept by this: the user's rights do that.
  std::error_code error;
  const auto real = std::filesystem::weakly_canonical(at, error).lexically_relative(
      std::filesystem::weakly_canonical(sandbox.workspace(), error));
  if (path.find('\0') != std::string::npos || relative.is_absolute() || error || real.empty() ||
      *real.begin() == "..") {
    throw Error(ErrorCode::not_found,
                "\"" + to_utf8(path.substr(0, path.find('\0'))).substr(0, 200) +
                    "\" is not inside the workspace " + sandbox.workspace().string() +
                    ": the tool read_file reads other files");
  }
  return at;
}

const char* mime_of(const std::filesystem::path& path, bool text) {
  static const std::map<std::string, const char*> known{
      {".png", "image/png"},       {".jpg", "image/jpeg"},      {".jpeg", "image/jpeg"},
      {".gif", "image/gif"},       {".webp", "image/webp"},     {".svg", "image/svg+xml"},
      {".pdf", "application/pdf"}, {".zip", "application/zip"}, {".json", "application/json"},
      {".html", "text/html"},      {".css", "text/css"},        {".csv", "text/csv"},
      {".md", "text/markdown"},    {".xml", "text/xml"},        {".wav", "audio/wav"}};
  const auto at = known.find(path.extension().string());
  if (at != known.end()) return at->second;
  return text ? "text/plain" : "application/octet-stream";
}

ResourceContents read_folder(const Files& files, const std::filesystem::path& path,
                             const std::stop_token& stop) {
  ResourceContents contents;
  contents.mime = "text/plain";
  size_t count = 0;
  files.walk(path, 1, stop, [&](const FolderEntry& entry) {
    if (++count <= most_names) {
      contents.text += to_utf8(entry.name) + (S_ISDIR(entry.info.st_mode) ? "/\n" : "\n");
    }
    return false;
  });
  if (count > most_names) {
    contents.text += "... " + std::to_string(count - most_names) + " more: use list_files\n";
  }
  return contents;
}

ResourceContents read_file(const Sandbox& sandbox, const std::string& path,
                           const std::stop_token& stop) {
  const Files files(sandbox);
  const auto at = inside(sandbox, path);
  if (S_ISDIR(files.info(at).st_mode)) return read_folder(files, at, stop);
  std::string bytes = files.read(at, most_bytes);
  ResourceContents contents;
  const bool text = is_utf8(bytes);
  contents.mime = mime_of(at, text);
  if (text) {
    contents.text = std::move(bytes);
  } else {
    contents.blob = std::move(bytes);
  }
  return contents;
}

}  // namespace

Resource screen_resource(Desktop& desktop) {
  Resource resource;
  resource.uri = "screen://current";
  resource.name = "screen";
  resource.title = "The screen";
  resource.description =
      "The desktop as it is at this moment, with the mouse pointer, as a PNG whose pixels are the "
      "screen's. Subscribers are told when it changed, at most twice a second.";
  resource.mime = "image/png";
  resource.profiles = {Profile::full, Profile::look, Profile::desktop};
  resource.read = [&desktop](const std::string&, const Variables&, const std::stop_token&) {
    ResourceContents contents;
    contents.mime = "image/png";
    contents.image = screen_picture(desktop, true);
    return contents;
  };
  resource.watch = [&desktop](const Variables&, std::function<void()> changed) {
    return std::make_unique<ScreenChanges>(desktop, std::move(changed));
  };
  return resource;
}

Resource workspace_resource(const Sandbox& sandbox) {
  Resource resource;
  resource.uri = "file://" + sandbox.workspace().string() + "/{+path}";
  resource.name = "workspace";
  resource.title = "Files of the workspace";
  resource.description =
      "A file of the workspace by its path there, such as src/main.py: text as text, everything "
      "else as a blob, at most 8 MiB. A folder is the list of its names. Subscribers are told when "
      "it comes, goes or changes, at most twice a second.";
  resource.profiles = {Profile::full, Profile::code};
  resource.watch = [&sandbox, watcher = std::make_shared<FileWatcher>(sandbox, least_interval)](
                       const Variables& variables, std::function<void()> changed) {
    std::filesystem::path path;
    {
      const AsUser rights(sandbox);
      path = inside(sandbox, variables.at("path"));
    }
    auto watch = std::make_unique<FileChanges>();
    watch->watch = watcher->add(sandbox.workspace(), path, std::move(changed));
    return watch;
  };
  resource.read = [&sandbox](const std::string&, const Variables& variables,
                             const std::stop_token& stop) {
    return read_file(sandbox, variables.at("path"), stop);
  };
  resource.complete["path"] = [&sandbox](const std::string& typed, const Variables&) {
    return complete_path(sandbox, typed, false);
  };
  return resource;
}

std::vector<std::string> complete_path(const Sandbox& sandbox, const std::string& typed,
                                       bool folders_only) {
  constexpr size_t most_proposals = 300;
  const size_t slash = typed.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : typed.substr(0, slash + 1);
  const std::string begin = typed.substr(folder.size());
  std::vector<std::string> proposals;
  try {
    const Files files(sandbox);
    files.walk(inside(sandbox, folder.empty() ? "." : folder), 1, {},
               [&](const FolderEntry& entry) {
                 const bool is_folder = S_ISDIR(entry.info.st_mode);
                 const bool hidden = entry.name.starts_with('.') && !begin.starts_with('.');
                 if (proposals.size() < most_proposals && !hidden && is_utf8(entry.name) &&
                     entry.name.starts_with(begin) && (is_folder || !folders_only)) {
                   proposals.push_back(folder + entry.name + (is_folder ? "/" : ""));
                 }
                 return false;
               });
  } catch (const Error&) {
    // There is no such folder: nothing to propose.
  }
  return proposals;
}

}  // namespace selfagent::mcp
