// Writing: a temporary file in the same folder (temporary_file.h), fsync, then its name. Where that
// cannot be (no right to the folder, another owner, a mount point), the space is reserved first and
// the file written in place, so that a full disk still changes nothing.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "process/descriptors.h"
#include "process/files.h"
#include "process/temporary_file.h"

namespace selfagent {

namespace fs = std::filesystem;

namespace {

// Disappears again unless it was put in its place.
class Temporary {
 public:
  explicit Temporary(int folder) : folder_(folder), file_(open_temporary(folder)) {}
  ~Temporary() {
    if (file_.fd && file_.named && !kept_) ::unlinkat(folder_, file_.name.c_str(), 0);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  explicit operator bool() const { return static_cast<bool>(file_.fd); }
  int get() const { return file_.fd.get(); }
  /// `is_new`: nothing of that name was there, so that it needs no other one on its way.
  bool put(const std::string& name, bool is_new) {
    kept_ = is_new && !file_.named && link_temporary(file_.fd.get(), folder_, name);
    if (!kept_) kept_ = rename_temporary(file_, folder_, name);
    return kept_;
  }

 private:
  const int folder_;
  TemporaryFile file_;
  bool kept_ = false;
};

bool same_version(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

// May block for as long as the disk is slow. Returns 0 or an errno.
int overwrite(int fd, std::string_view content) {
  const auto size = static_cast<off_t>(content.size());
  if (size > 0) {
    const int reserved = ::posix_fallocate(fd, 0, size);
    if (reserved != 0 && reserved != EOPNOTSUPP && reserved != EINVAL) return reserved;
  }
  const int failed = write_all(fd, content);
  if (failed != 0) return failed;
  return ::ftruncate(fd, size) == 0 && ::fsync(fd) == 0 ? 0 : errno;
}

}  // namespace

// True if it could be done by renaming, false if the way is barred and nothing has happened.
bool Files::replace(const Place& place, std::string_view content, const struct stat* before,
                    const struct stat* expected) const {
  sweep_temporaries(place.folder.get());
  Temporary temporary(place.folder.get());
  if (!temporary) {
    if (before != nullptr && (errno == EACCES || errno == EPERM)) return false;
    throw failure("write", place.path, errno);
  }
  const int failed = write_all(temporary.get(), content);
  if (failed != 0) throw failure("write", place.path, failed);
  if (take_over(temporary.get(), before) != 0) return false;
  if (::fsync(temporary.get()) != 0) throw failure("write", place.path, errno);
  struct stat now{};
  if (expected != nullptr &&
      (::fstatat(place.folder.get(), place.name.c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0 ||
       !same_version(*expected, now))) {
    throw Error(ErrorCode::conflict, place.path.string() +
                                         " was changed by someone else meanwhile, nothing was "
                                         "written: read it again");
  }
  if (temporary.put(place.name, before == nullptr)) return true;
  if (errno == EBUSY || errno == EPERM || errno == EACCES) return false;
  throw failure("write", place.path, errno);
}

Written Files::write(const fs::path& path, std::string_view content,
                     const struct stat* expected) const {
  Written written;
  const Place place = target_of(path, &written.folders);
  written.path = place.path;
  struct stat before{};
  written.created =
      ::fstatat(place.folder.get(), place.name.c_str(), &before, AT_SYMLINK_NOFOLLOW) != 0;
  UniqueFd existing;
  if (!written.created) {
    if (!S_ISREG(before.st_mode)) {
      throw Error(ErrorCode::conflict, place.path.string() + " is a " + kind_of(before.st_mode) +
                                           ", not a regular file: nothing was written");
    }
    // Renaming needs rights on the folder alone; a file that is write-protected shall stay as it
    // is.
    existing = open_at(place.folder.get(), place.name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW, 0);
    if (!existing && errno != ETXTBSY) throw failure("write", place.path, errno);
  }
  if (replace(place, content, written.created ? nullptr : &before, expected)) return written;
  written.in_place = true;
  const int error_number = existing ? overwrite(existing.get(), content) : ETXTBSY;
  if (error_number != 0) throw failure("write", place.path, error_number);
  return written;
}

Written Files::append(const fs::path& path, std::string_view content) const {
  Written written;
  const Place place = target_of(path, &written.folders);
  written.path = place.path;
  written.in_place = true;
  struct stat before{};
  written.created =
      ::fstatat(place.folder.get(), place.name.c_str(), &before, AT_SYMLINK_NOFOLLOW) != 0;
  if (!written.created && !S_ISREG(before.st_mode)) {
    throw Error(ErrorCode::conflict, place.path.string() + " is a " + kind_of(before.st_mode) +
                                         ", not a regular file: nothing was written");
  }
  const UniqueFd fd =
      open_at(place.folder.get(), place.name,
              O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOFOLLOW, new_file_mode);
  if (!fd) throw failure("write", place.path, errno);
  if (written.created) ::fchmod(fd.get(), new_file_mode);
  if (::fstat(fd.get(), &before) != 0) throw failure("write", place.path, errno);
  int error_number = write_all(fd.get(), content);
  if (error_number == 0 && ::fsync(fd.get()) != 0) error_number = errno;
  if (error_number == 0) return written;
  if (::ftruncate(fd.get(), before.st_size) == 0 && written.created) {
    ::unlinkat(place.folder.get(), place.name.c_str(), 0);
  }
  throw failure("write", place.path, error_number);
}

}  // namespace selfagent
