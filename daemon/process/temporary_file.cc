#include "process/temporary_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include "base/random.h"
#include "process/descriptors.h"

namespace selfagent {

namespace {

constexpr std::string_view temporary_prefix = ".selfagent-";
constexpr std::string_view temporary_suffix = ".tmp";
constexpr size_t temporary_bytes = 6;  // that make the name unique
// Some 10 ms of listing.
constexpr int most_swept_entries = 20'000;

std::string temporary_name() {
  return std::string(temporary_prefix) + random_hex(temporary_bytes) +
         std::string(temporary_suffix);
}

bool is_temporary_name(std::string_view name) {
  if (name.size() != temporary_prefix.size() + 2 * temporary_bytes + temporary_suffix.size() ||
      !name.starts_with(temporary_prefix) || !name.ends_with(temporary_suffix)) {
    return false;
  }
  const std::string_view digits = name.substr(temporary_prefix.size(), 2 * temporary_bytes);
  return digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_called(int fd, int folder, const char* name) {
  struct stat info{};
  struct stat named{};
  return ::fstat(fd, &info) == 0 && ::fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         info.st_ino == named.st_ino && info.st_dev == named.st_dev;
}

// A writer that lives holds the lock, and a file that was renamed meanwhile is another's.
void remove_left_over(int folder, const char* name) {
  const UniqueFd fd = open_at(folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0);
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 || !is_called(fd.get(), folder, name)) return;
  ::unlinkat(folder, name, 0);
}

}  // namespace

TemporaryFile open_named_temporary(int folder) {
  while (true) {
    TemporaryFile file{UniqueFd(), temporary_name(), true};
    file.fd = open_at(folder, file.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!file.fd) return file;
    // Between the two it may have been taken for left over. Not every file system has locks.
    ::flock(file.fd.get(), LOCK_EX);
    if (is_called(file.fd.get(), folder, file.name.c_str())) return file;
  }
}

TemporaryFile open_temporary(int folder) {
  TemporaryFile file{open_at(folder, ".", O_TMPFILE | O_WRONLY, 0600), temporary_name(), false};
  if (file.fd) ::flock(file.fd.get(), LOCK_EX);
  // Not every file system knows O_TMPFILE; some say so in odd ways.
  if (file.fd || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)) {
    return file;
  }
  return open_named_temporary(folder);
}

bool link_temporary(int fd, int folder, const std::string& name) {
  const std::string from = "/proc/self/fd/" + std::to_string(fd);
  return ::linkat(AT_FDCWD, from.c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

bool rename_temporary(TemporaryFile& file, int folder, const std::string& name) {
  if (!file.named) {
    if (!link_temporary(file.fd.get(), folder, file.name)) return false;
    file.named = true;
  }
  return ::renameat(folder, file.name.c_str(), folder, name.c_str()) == 0;
}

void sweep_temporaries(int folder) {
  const UniqueFd listed = open_at(folder, ".", O_RDONLY | O_DIRECTORY, 0);
  const auto close = [](DIR* open) { ::closedir(open); };
  const std::unique_ptr<DIR, decltype(close)> entries(
      listed ? ::fdopendir(::fcntl(listed.get(), F_DUPFD_CLOEXEC, 3)) : nullptr, close);
  if (!entries) return;
  for (int count = 0; count < most_swept_entries; ++count) {
    const dirent* entry = ::readdir(entries.get());
    if (entry == nullptr) return;
    if (is_temporary_name(entry->d_name)) remove_left_over(folder, entry->d_name);
  }
}

}  // namespace selfagent
