// Folders: walking, moving and deleting, by descriptor, so that no symlink that appears meanwhile
// is followed.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "process/command.h"
#include "process/descriptors.h"
#include "process/files.h"

namespace selfagent {

namespace fs = std::filesystem;

namespace {

constexpr int deepest_folder = 128;  // each level holds a descriptor

void check(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "cancelled");
}

// The names in the folder `fd`, sorted.
std::vector<std::string> names_in(int fd) {
  const auto close = [](DIR* folder) { ::closedir(folder); };
  const std::unique_ptr<DIR, decltype(close)> folder(::fdopendir(::fcntl(fd, F_DUPFD_CLOEXEC, 3)),
                                                     close);
  std::vector<std::string> names;
  if (!folder) return names;
  ::rewinddir(folder.get());
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string link_target(int folder, const std::string& name) {
  std::array<char, 4096> link;
  const ssize_t length = ::readlinkat(folder, name.c_str(), link.data(), link.size());
  return length < 0 ? "" : std::string(link.data(), static_cast<size_t>(length));
}

// A folder to go into; on failure `problem` says why.
UniqueFd enter(int folder, const std::string& name, std::string& problem) {
  try {
    UniqueFd inner = open_at(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (!inner) problem = std::strerror(errno);
    return inner;
  } catch (const Error&) {
    problem = "procfs is not listed";
    return UniqueFd();
  }
}

struct Walk {
  const std::stop_token& stop;
  const std::function<bool(const FolderEntry&)>& visit;

  void folder(int fd, const fs::path& path, int depth) const {
    for (const auto& name : names_in(fd)) {
      check(stop);
      FolderEntry entry{fd, name, path / name, {}, "", ""};
      if (::fstatat(fd, name.c_str(), &entry.info, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone
      if (S_ISLNK(entry.info.st_mode)) entry.link = link_target(fd, name);
      UniqueFd inner;
      if (depth > 1 && S_ISDIR(entry.info.st_mode)) inner = enter(fd, name, entry.problem);
      if (visit(entry) && inner) folder(inner.get(), entry.path, depth - 1);
    }
  }
};

// Empties the folder `fd` and returns how many entries went.
uint64_t empty_folder(int fd, const fs::path& path, int depth, const std::stop_token& stop) {
  uint64_t count = 0;
  if (depth == 0) {
    throw Error(ErrorCode::resource_exhausted,
                path.string() + " is nested too deep: use the shell tool (rm -r)");
  }
  for (const auto& name : names_in(fd)) {
    check(stop);
    if (::unlinkat(fd, name.c_str(), 0) != 0) {
      if (errno != EISDIR) throw system_error("cannot delete " + (path / name).string(), errno);
      std::string problem;
      const UniqueFd inner = enter(fd, name, problem);
      if (!inner) {
        throw Error(ErrorCode::permission_denied,
                    "cannot delete " + (path / name).string() + ": " + problem);
      }
      count += empty_folder(inner.get(), path / name, depth - 1, stop);
      if (::unlinkat(fd, name.c_str(), AT_REMOVEDIR) != 0) {
        throw system_error("cannot delete " + (path / name).string(), errno);
      }
    }
    ++count;
  }
  return count;
}

// Throws if `target` is, or contains, the home or the workspace.
void protect(const Sandbox& sandbox, const struct stat& target, const fs::path& path) {
  for (const fs::path& root : {sandbox.home(), sandbox.workspace()}) {
    for (fs::path at = root; !at.empty(); at = at.parent_path()) {
      struct stat info{};
      const bool known = ::stat(at.c_str(), &info) == 0;
      if (known && info.st_dev == target.st_dev && info.st_ino == target.st_ino) {
        throw Error(ErrorCode::permission_denied,
                    path.string() +
                        " holds the home or the workspace and stays where it is: name "
                        "what is in it instead");
      }
      if (!at.has_relative_path()) break;
    }
  }
}

}  // namespace

void Files::walk(const fs::path& folder, int depth, const std::stop_token& stop,
                 const std::function<bool(const FolderEntry&)>& visit) const {
  const UniqueFd fd = open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);
  if (!fd) throw failure("list", folder, errno);
  Walk{stop, visit}.folder(fd.get(), "", std::min(depth, deepest_folder));
}

void Files::move(const fs::path& from, const fs::path& to, const std::stop_token& stop) const {
  const Place source = place_of(from, nullptr);
  struct stat info{};
  if (::fstatat(source.folder.get(), source.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    throw failure("move", from, errno);
  }
  if (S_ISDIR(info.st_mode)) protect(sandbox_, info, from);
  std::vector<fs::path> made;
  const Place target = place_of(to, &made);
  struct stat there{};
  if (::fstatat(target.folder.get(), target.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
    const bool folder = S_ISDIR(there.st_mode);
    throw Error(ErrorCode::conflict,
                to.string() + " exists already (a " + kind_of(there.st_mode) + "): " +
                    (folder ? "to move into it, give " + (to / source.name).string()
                            : "delete it first with delete_file, or choose another name"));
  }
  constexpr unsigned no_replace = 1;  // RENAME_NOREPLACE
  if (::syscall(SYS_renameat2, source.folder.get(), source.name.c_str(), target.folder.get(),
                target.name.c_str(), no_replace) == 0) {
    return;
  }
  // File systems without RENAME_NOREPLACE say EINVAL, as do folders moved into themselves.
  if (errno == EINVAL && ::renameat(source.folder.get(), source.name.c_str(), target.folder.get(),
                                    target.name.c_str()) == 0) {
    return;
  }
  if (errno == EINVAL) {
    throw Error(ErrorCode::invalid_argument,
                "cannot move " + from.string() + " into itself, to " + to.string());
  }
  if (errno != EXDEV) throw failure("move to", to, errno);
  // Another file system: a copy that keeps times, modes and links is mv's own business.
  CommandRequest request;
  request.argv = {"mv", "-n", "-T", "--", from, to};
  request.finishes = true;  // half a copy is worse than a copy that nobody asked for any more
  const CommandResult result = run_command(sandbox_, request, stop);
  if (result.cancelled)
    throw Error(ErrorCode::cancelled, "cancelled while " + to.string() + " was being copied");
  if (result.exit_code != 0)
    throw Error(ErrorCode::internal, "cannot move " + from.string() + ": " + result.err);
}

uint64_t Files::remove(const fs::path& path, bool recursive, const std::stop_token& stop) const {
  if (!path.has_relative_path()) {
    throw Error(ErrorCode::permission_denied, "/ is not deleted: name what is in it instead");
  }
  const Place place = place_of(path, nullptr);
  struct stat info{};
  if (::fstatat(place.folder.get(), place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    throw failure("delete", path, errno);
  }
  uint64_t count = 1;
  int flags = 0;
  if (S_ISDIR(info.st_mode)) {
    protect(sandbox_, info, path);
    flags = AT_REMOVEDIR;
    if (recursive) {
      std::string problem;
      const UniqueFd fd = enter(place.folder.get(), place.name, problem);
      if (!fd) throw failure("delete", path, EACCES);
      count += empty_folder(fd.get(), path, deepest_folder, stop);
    }
  }
  if (::unlinkat(place.folder.get(), place.name.c_str(), flags) == 0) return count;
  if (errno == ENOTEMPTY || errno == EEXIST) {
    throw Error(ErrorCode::conflict, path.string() +
                                         " is a folder that is not empty: list it, and give "
                                         "recursive=true if all of it may go");
  }
  throw failure("delete", path, errno);
}

}  // namespace selfagent
