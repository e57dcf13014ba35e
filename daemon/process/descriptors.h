// Opening and writing descriptors: the two calls beneath files*.cc; not for tools.
#pragma once

#include <fcntl.h>

#include <filesystem>
#include <string_view>

#include "base/unique_fd.h"

namespace selfagent {

/// openat(2) that follows no magic link and throws Error(permission_denied) for anything in a
/// procfs. Otherwise empty on failure, with errno set.
UniqueFd open_at(int folder, const std::filesystem::path& path, int flags, mode_t mode);

/// Writes all of `content`. Returns 0 or an errno.
int write_all(int fd, std::string_view content);

}  // namespace selfagent
