// The folder of a kernel's sockets.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "process/sandbox.h"

namespace selfagent {

/// A folder that only the sandbox user may enter, removed at the end. Its path is short: that of a
/// socket has at most 107 bytes.
class KernelFolder {
 public:
  /// Makes it. Throws Error if there is no room for it.
  explicit KernelFolder(const Sandbox& sandbox);
  /// One that is there.
  KernelFolder(const Sandbox& sandbox, std::filesystem::path path);
  ~KernelFolder();
  KernelFolder(const KernelFolder&) = delete;
  KernelFolder& operator=(const KernelFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Makes a file that only that user may read.
  void write(const std::string& name, std::string_view content) const;

 private:
  const Sandbox& sandbox_;
  std::filesystem::path path_;
};

/// Removes the folders in which no kernel listens and that are older than a kernel takes to start:
/// whoever made them was killed.
void remove_abandoned_kernel_folders(const Sandbox& sandbox);

}  // namespace selfagent
