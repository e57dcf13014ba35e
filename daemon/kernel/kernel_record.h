// What a daemon notes down of a kernel, so that the next one can go on with it.
//
// It lies in the kernel's folder of the process table, which belongs to the daemon alone: what is
// in the folder of the sockets is the sandbox user's.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "kernel/kernels.h"

namespace selfagent {

struct KernelRecord {
  KernelLanguage language = KernelLanguage::python;
  std::string session;
  std::filesystem::path folder;  ///< Of its sockets.
  std::string key;               ///< What its messages are signed with.
};

/// Into the folder of its process, readable for this user alone. Throws Error.
void write_kernel_record(const std::filesystem::path& process_folder, const KernelRecord& record);

/// Nothing if there is none or if it cannot be read.
std::optional<KernelRecord> read_kernel_record(const std::filesystem::path& process_folder);

void remove_kernel_record(const std::filesystem::path& process_folder);

/// How many runs there were, and whether somebody was told the end of the last one. Not
/// thread-safe.
class KernelRuns {
 public:
  struct State {
    int run = 0;
    bool untold = false;
  };

  /// Without the file it remembers nothing.
  explicit KernelRuns(const std::filesystem::path& process_folder);

  State read() const;
  /// Outlives the daemon, not the machine: so does the kernel.
  void write(const State& state) const;

 private:
  UniqueFd file_;
};

}  // namespace selfagent
