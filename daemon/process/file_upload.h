// A file that arrives piece by piece: whole under its name in the end, or not there at all.
//
// The bytes go to a file without a name in the folder of the target (temporary_file.h), which the
// kernel removes even if the daemon is killed. Where a file system does not know that, and for
// uploads that are to be resumed, it is a hidden file there. At the end: fsync, mode and owner of
// the file that is replaced, rename.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "process/file_fence.h"
#include "process/files.h"

namespace selfagent {

/// What the caller expected is not so: nothing was written.
class VersionMismatch : public Error {
 public:
  explicit VersionMismatch(const std::string& message) : Error(ErrorCode::conflict, message) {}
};

/// Part of a file that is kept for an upload to go on.
struct KeptUpload {
  uint64_t offset = 0;  ///< Bytes that are there.
  uint64_t total = 0;   ///< Bytes that the file will have.
};

/// The next bytes are not those that are missing; `kept` says which are.
class OffsetMismatch : public Error {
 public:
  OffsetMismatch(KeptUpload there, const std::string& message)
      : Error(ErrorCode::conflict, message), kept(there) {}
  KeptUpload kept;
};

/// One upload; one thread at a time. Blocks as the disk does. Throws Error: resource_exhausted when
/// the disk is or would be full, conflict when something else than a regular file is in the way.
class FileUpload {
 public:
  struct Request {
    std::filesystem::path path;      ///< absolute
    std::optional<uint64_t> length;  ///< bytes that are announced
    /// Whether the file that is there (null: none) is the one to be replaced; asked at the begin
    /// and at the end.
    std::function<bool(const struct stat*)> fits = [](const struct stat*) { return true; };
    bool create_only = false;  ///< Never replaces a file, even one that appears at the last moment.
    /// Bytes from `offset` on of `total`; what has come is kept when the rest does not.
    struct Part {
      uint64_t offset = 0;
      uint64_t total = 0;
    };
    std::optional<Part> part;
  };
  struct Result {
    bool complete = true;  ///< false: a part; more is missing
    bool created = false;
    uint64_t have = 0;  ///< bytes
    struct stat info{};
  };

  /// Makes what is needed; throws without a trace.
  FileUpload(const Sandbox& sandbox, const FileFence& fence, Request request);
  /// Removes what was not finished, unless it is a part.
  ~FileUpload();
  FileUpload(const FileUpload&) = delete;
  FileUpload& operator=(const FileUpload&) = delete;

  /// The hidden file that a killed daemon might leave; empty if it leaves none.
  std::filesystem::path hidden_path() const {
    if (hidden_.empty() && !before_) return {};
    return place_.path.parent_path() / (hidden_.empty() ? stopover_ : hidden_);
  }

  void write(std::string_view bytes);
  /// Puts the file in its place, or keeps the part.
  Result finish();

  /// What is kept for `path`, if anything.
  static std::optional<KeptUpload> kept(const Sandbox& sandbox, const FileFence& fence,
                                        const std::filesystem::path& path);
  /// Forgets that; false if there was nothing.
  static bool forget(const Sandbox& sandbox, const FileFence& fence,
                     const std::filesystem::path& path);

 private:
  void find_place(const Files& files, const FileFence& fence);
  void look(const Files& files);
  void open_unnamed(const Files& files);
  void open_part(const Files& files);
  void check_space(uint64_t more) const;
  void check_version() const;
  void put_in_place();
  [[noreturn]] void fail(int error_number) const;

  const Sandbox& sandbox_;
  const Request request_;
  Files::Place place_;
  std::vector<std::filesystem::path> made_;
  std::optional<struct stat> before_;
  std::string hidden_;    // its name in the folder, "" while it has none
  std::string stopover_;  // the name that a file without one gets on its way to its place
  UniqueFd fd_;
  uint64_t have_ = 0;     // bytes in the file
  uint64_t flushed_ = 0;  // bytes that are on their way to the disk
  bool finished_ = false;
};

}  // namespace selfagent
