#include "kernel/kernel_folder.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "process/descriptors.h"

namespace selfagent {
namespace {

namespace fs = std::filesystem;

constexpr const char* folder_prefix = "selfagent-kernel-";
// Much longer than any kernel needs from its folder to its first socket.
constexpr std::chrono::minutes longest_without_socket{10};

/// Where such folders are, the best place first.
std::array<fs::path, 2> kernel_folder_parents(const Sandbox& sandbox) {
  return {"/run/user/" + std::to_string(sandbox.uid()), "/tmp"};
}

bool is_old_folder_of(const fs::path& path, uid_t user) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != user) {
    return false;
  }
  const int64_t age_ms = unix_ms() - int64_t{1000} * info.st_mtim.tv_sec;
  return milliseconds(age_ms) > longest_without_socket;
}

bool somebody_listens(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path;
  if (text.size() >= sizeof address.sun_path) return false;
  text.copy(address.sun_path, text.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return !socket ||
         ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
             0 ||
         (errno != ECONNREFUSED && errno != ENOENT);
}

bool has_kernel(const fs::path& folder) {
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(folder, problem)) {
    std::error_code gone;
    if (entry.symlink_status(gone).type() == fs::file_type::socket &&
        somebody_listens(entry.path())) {
      return true;
    }
  }
  return static_cast<bool>(problem);
}

}  // namespace

KernelFolder::KernelFolder(const Sandbox& sandbox) : sandbox_(sandbox) {
  const AsUser rights(sandbox_);
  for (const fs::path& parent : kernel_folder_parents(sandbox_)) {
    std::string path = parent / folder_prefix;
    path += "XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) continue;  // with the mode 0700
    path_ = path;
    return;
  }
  throw system_error("cannot make a folder for a kernel in /tmp", errno);
}

KernelFolder::KernelFolder(const Sandbox& sandbox, fs::path path)
    : sandbox_(sandbox), path_(std::move(path)) {}

KernelFolder::~KernelFolder() {
  const AsUser rights(sandbox_);
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void KernelFolder::write(const std::string& name, std::string_view content) const {
  const AsUser rights(sandbox_);
  const fs::path path = path_ / name;
  const UniqueFd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  const int failed = file ? write_all(file.get(), content) : errno;
  if (failed != 0) throw system_error("cannot write " + path.string(), failed);
}

void remove_abandoned_kernel_folders(const Sandbox& sandbox) {
  const AsUser rights(sandbox);
  int removed = 0;
  for (const fs::path& parent : kernel_folder_parents(sandbox)) {
    std::error_code problem;
    for (const auto& entry : fs::directory_iterator(parent, problem)) {
      const fs::path& path = entry.path();
      if (!path.filename().string().starts_with(folder_prefix) ||
          !is_old_folder_of(path, sandbox.uid()) || has_kernel(path)) {
        continue;
      }
      std::error_code failure;
      fs::remove_all(path, failure);
      if (!failure) ++removed;
    }
  }
  if (removed > 0) log::info("removed folders of kernels that are gone: {}", removed);
}

}  // namespace selfagent
