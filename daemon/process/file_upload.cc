#include "process/file_upload.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>

#include "base/random.h"
#include "process/descriptors.h"
#include "process/temporary_file.h"

namespace selfagent {

namespace fs = std::filesystem;

namespace {

constexpr unsigned rename_no_replace = 1;  // RENAME_NOREPLACE

// Larger writes get larger pieces of the page cache (Linux 6.16: ext4), and in a virtual machine
// that gives its free memory back, large free pieces are those that the host must find anew: 1 MiB
// at once is written at a quarter of this rate there, and elsewhere hardly faster.
constexpr size_t write_size = 16u << 10;

// The disk begins to work while the rest arrives, so that little is left for fsync.
constexpr uint64_t flush_step = 8u << 20;

// The hidden file of an upload that can go on is ".selfagent-HASH-TOTAL.part": found by the name
// it is for, however long that is.
std::string part_prefix(const std::string& name) {
  return ".selfagent-" + sha256_hex(name).substr(0, 16) + "-";
}

struct FoundPart {
  std::string name;
  KeptUpload kept;
};

std::optional<FoundPart> find_part(int folder_fd, const std::string& name) {
  const UniqueFd listed = open_at(folder_fd, ".", O_RDONLY | O_DIRECTORY, 0);
  const auto close = [](DIR* folder) { ::closedir(folder); };
  const std::unique_ptr<DIR, decltype(close)> folder(
      listed ? ::fdopendir(::fcntl(listed.get(), F_DUPFD_CLOEXEC, 3)) : nullptr, close);
  if (!folder) return std::nullopt;
  const std::string prefix = part_prefix(name);
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view found = entry->d_name;
    if (!found.starts_with(prefix) || !found.ends_with(".part")) continue;
    struct stat info{};
    if (::fstatat(folder_fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(info.st_mode)) {
      continue;
    }
    FoundPart part{entry->d_name, {static_cast<uint64_t>(info.st_size), 0}};
    const std::string_view total = found.substr(prefix.size(), found.size() - prefix.size() - 5);
    std::from_chars(total.data(), total.data() + total.size(), part.kept.total);
    return part;
  }
  return std::nullopt;
}

// Folders that were made for an upload which came to nothing.
void remove_folders(const std::vector<fs::path>& made) {
  for (auto at = made.rbegin(); at != made.rend(); ++at) ::rmdir(at->c_str());
}

}  // namespace

FileUpload::FileUpload(const Sandbox& sandbox, const FileFence& fence, Request request)
    : sandbox_(sandbox), request_(std::move(request)) {
  const Files files(sandbox_);
  try {
    find_place(files, fence);
    fence.check_name(place_.folder.get(), place_.name, place_.path);
    look(files);
    check_version();
    if (request_.part) {
      open_part(files);
    } else {
      if (request_.length) check_space(*request_.length);
      open_unnamed(files);
    }
  } catch (...) {
    remove_folders(made_);
    throw;
  }
}

FileUpload::~FileUpload() {
  if (finished_ || request_.part) return;
  fd_.reset();
  try {
    const AsUser rights(sandbox_);
    if (!hidden_.empty()) ::unlinkat(place_.folder.get(), hidden_.c_str(), 0);
    remove_folders(made_);
  } catch (const Error&) {
    // Without the user's rights nothing is touched.
  }
}

// First without making folders: a refusal leaves nothing.
void FileUpload::find_place(const Files& files, const FileFence& fence) {
  try {
    place_ = files.target_of(request_.path, nullptr);
    return;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
  }
  check_version();
  fence.check_nearest(request_.path);
  place_ = files.target_of(request_.path, &made_);
}

void FileUpload::fail(int error_number) const {
  throw system_error("cannot write " + place_.path.string(), error_number);
}

// What is at the target's place.
void FileUpload::look(const Files& files) {
  struct stat info{};
  if (::fstatat(place_.folder.get(), place_.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) throw files.failure("write", place_.path, errno);
    before_.reset();
    return;
  }
  if (!S_ISREG(info.st_mode)) {
    throw Error(ErrorCode::conflict, place_.path.string() + " is a " + kind_of(info.st_mode) +
                                         ", not a regular file: nothing was written");
  }
  // Renaming needs rights on the folder alone; a file that is write-protected shall stay as it is.
  const UniqueFd writable =
      open_at(place_.folder.get(), place_.name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW, 0);
  if (!writable && errno != ETXTBSY) throw files.failure("write", place_.path, errno);
  before_ = info;
}

void FileUpload::check_version() const {
  if (request_.fits(before_ ? &*before_ : nullptr)) return;
  throw VersionMismatch(request_.path.string() +
                        (before_ ? " has another version" : " is missing") +
                        ", nothing was written: ask for its ETag (HEAD) and decide again");
}

void FileUpload::check_space(uint64_t more) const {
  struct statvfs system{};
  if (::fstatvfs(place_.folder.get(), &system) != 0) return;
  const uint64_t free = static_cast<uint64_t>(system.f_bavail) * system.f_frsize;
  if (more <= free) return;
  throw Error(ErrorCode::resource_exhausted,
              "cannot write " + place_.path.string() + ": " + std::to_string(more) +
                  " bytes do not fit, " + std::to_string(free) + " are free: delete something");
}

void FileUpload::open_unnamed(const Files& files) {
  TemporaryFile file = open_temporary(place_.folder.get());
  if (!file.fd) throw files.failure("write", place_.path, errno);
  fd_ = std::move(file.fd);
  stopover_ = file.name;
  if (file.named) hidden_ = file.name;
}

void FileUpload::open_part(const Files& files) {
  const auto& part = *request_.part;
  const auto found = find_part(place_.folder.get(), place_.name);
  const KeptUpload there = found ? found->kept : KeptUpload{0, part.total};
  if (part.offset > 0 && (part.offset != there.offset || part.total != there.total)) {
    throw OffsetMismatch(
        there, request_.path.string() + ": " + std::to_string(there.offset) + " bytes of " +
                   std::to_string(there.total) + " are there, and these begin at " +
                   std::to_string(part.offset) + " of " + std::to_string(part.total) +
                   ": go on at what is there, or begin at 0");
  }
  check_space(part.total - part.offset);
  hidden_ = part_prefix(place_.name) + std::to_string(part.total) + ".part";
  if (found && found->name != hidden_) ::unlinkat(place_.folder.get(), found->name.c_str(), 0);
  fd_ = open_at(place_.folder.get(), hidden_, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (!fd_) throw files.failure("write", place_.path, errno);
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw OffsetMismatch(there, request_.path.string() +
                                    " is being uploaded by someone else: wait for the end of that");
  }
  // Between the look and the lock another one may have written, or finished.
  struct stat info{};
  struct stat named{};
  if (::fstat(fd_.get(), &info) != 0 || !S_ISREG(info.st_mode)) fail(EEXIST);
  if (::fstatat(place_.folder.get(), hidden_.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0 ||
      named.st_ino != info.st_ino || named.st_dev != info.st_dev) {
    throw OffsetMismatch({0, part.total},
                         request_.path.string() + " was uploaded by someone else meanwhile");
  }
  have_ = static_cast<uint64_t>(info.st_size);
  if (part.offset == 0 && ::ftruncate(fd_.get(), 0) != 0) fail(errno);
  if (part.offset == 0) have_ = 0;
  if (have_ != part.offset) {
    throw OffsetMismatch(
        {have_, part.total},
        request_.path.string() + " has " + std::to_string(have_) + " bytes meanwhile: go on there");
  }
  flushed_ = have_;
  if (::lseek(fd_.get(), static_cast<off_t>(have_), SEEK_SET) < 0) fail(errno);
}

void FileUpload::write(std::string_view bytes) {
  if (request_.part && bytes.size() > request_.part->total - have_) {
    throw Error(ErrorCode::invalid_argument,
                "more came than the " + std::to_string(request_.part->total) + " announced bytes");
  }
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, write_size);
    const int failed = write_all(fd_.get(), piece);
    if (failed != 0) fail(failed);
    have_ += piece.size();
    bytes.remove_prefix(piece.size());
  }
  if (have_ - flushed_ < flush_step) return;
  // An early start, no promise: errors show at fsync.
  ::sync_file_range(fd_.get(), static_cast<off_t>(flushed_), static_cast<off_t>(have_ - flushed_),
                    SYNC_FILE_RANGE_WRITE);
  flushed_ = have_;
}

void FileUpload::put_in_place() {
  const int folder = place_.folder.get();
  if (hidden_.empty() && !before_) {
    if (link_temporary(fd_.get(), folder, place_.name)) return;
    if (errno != EEXIST) fail(errno);
    if (request_.create_only) {
      throw VersionMismatch(place_.path.string() + " exists meanwhile, nothing was written");
    }
  }
  if (hidden_.empty()) {
    if (!link_temporary(fd_.get(), folder, stopover_)) fail(errno);
    hidden_ = stopover_;
  }
  if (request_.create_only) {
    if (::syscall(SYS_renameat2, folder, hidden_.c_str(), folder, place_.name.c_str(),
                  rename_no_replace) == 0) {
      return;
    }
    if (errno == EEXIST) {
      throw VersionMismatch(place_.path.string() + " exists meanwhile, nothing was written");
    }
    if (errno != EINVAL) fail(errno);
  }
  if (::renameat(folder, hidden_.c_str(), folder, place_.name.c_str()) != 0) fail(errno);
}

FileUpload::Result FileUpload::finish() {
  Result result;
  result.have = have_;
  if (request_.part && have_ < request_.part->total) {
    result.complete = false;
    return result;
  }
  const Files files(sandbox_);
  look(files);
  if (const int error = take_over(fd_.get(), before_ ? &*before_ : nullptr); error != 0)
    fail(error);
  if (::fsync(fd_.get()) != 0) fail(errno);
  look(files);  // fsync may have taken long
  check_version();
  put_in_place();
  finished_ = true;
  result.created = !before_;
  if (::fstat(fd_.get(), &result.info) != 0) fail(errno);
  return result;
}

std::optional<KeptUpload> FileUpload::kept(const Sandbox& sandbox, const FileFence& fence,
                                           const fs::path& path) {
  const Files files(sandbox);
  const Files::Place place = files.target_of(path, nullptr);
  fence.check_name(place.folder.get(), place.name, place.path);
  const auto found = find_part(place.folder.get(), place.name);
  if (!found) return std::nullopt;
  return found->kept;
}

bool FileUpload::forget(const Sandbox& sandbox, const FileFence& fence, const fs::path& path) {
  const Files files(sandbox);
  const Files::Place place = files.target_of(path, nullptr);
  fence.check_name(place.folder.get(), place.name, place.path);
  const auto found = find_part(place.folder.get(), place.name);
  if (!found) return false;
  if (::unlinkat(place.folder.get(), found->name.c_str(), 0) == 0) return true;
  throw files.failure("delete", place.path, errno);
}

}  // namespace selfagent
