// Starts a program as the sandbox user: the fork, and everything that must be given up before exec.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "process/sandbox.h"

namespace selfagent {

/// A program to start. The descriptors stay the caller's; -1 means /dev/null.
struct Program {
  std::vector<std::string> argv;           ///< argv[0] is looked up in the sandbox's PATH.
  std::filesystem::path cwd;               ///< Empty: the workspace.
  std::map<std::string, std::string> env;  ///< Added to Sandbox::environment().
  int in = -1;
  int out = -1;
  int err = -1;
};

/// Starts `program` as the leader of its own session and process group and returns its pid, which
/// the caller must wait for. It gets the sandbox's user, groups and environment, umask 022, default
/// signals, and no descriptor but the three. It may gain privileges by setuid programs
/// (no_new_privs is not set): which of them exist is the image's choice, and Chromium's own sandbox
/// needs them. Throws Error(not_found) if there is no such program, Error(invalid_argument) for a
/// bad working directory.
pid_t spawn(const Sandbox& sandbox, const Program& program);

/// A descriptor that becomes readable when the child `pid` has ended; empty where the kernel has
/// none. Source: pidfd_open(2), Linux 5.3.
UniqueFd open_pidfd(pid_t pid);

/// Both ends of a pipe, owned by the sandbox user: a program that opens /dev/stdout opens its inode
/// anew.
struct Pipe {
  explicit Pipe(const Sandbox& sandbox);
  UniqueFd read;  ///< Does not block.
  UniqueFd write;
};

}  // namespace selfagent
