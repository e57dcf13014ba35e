// Starts a program as the sandbox user: the fork, and everything that must be given up before exec.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "process/sandbox.h"

namespace selfagent {

/// Of all programs of the sandbox user, the desktop's included: a fork bomb must not take the
/// machine. Not set where that user is the daemon's own.
inline constexpr uint64_t most_processes = 4096;

namespace keeper {
enum class Step : uint32_t;
}

/// A program to start. The descriptors stay the caller's; -1 means /dev/null.
struct Program {
  std::vector<std::string> argv;           ///< argv[0] is looked up in the sandbox's PATH.
  std::filesystem::path cwd;               ///< Empty: the workspace.
  std::map<std::string, std::string> env;  ///< Added to Sandbox::environment().
  int in = -1;
  int out = -1;
  int err = -1;
  bool outlives = false;  ///< It goes on when this thread, or the whole daemon, ends before it.
};

/// What a child process needs for the exec of a program, as strings.
struct ExecPlan {
  std::vector<std::string> candidates;  ///< Paths at which the program may be, tried in turn.
  std::vector<std::string> arguments;
  std::vector<std::string> assignments;  ///< The whole environment, NAME=VALUE.
  std::string cwd;
};

/// Throws Error(invalid_argument) for an empty command, a NUL byte or an illegal variable.
ExecPlan plan_exec(const Sandbox& sandbox, const Program& program);

/// The path of the program `name` that the sandbox's user can run: itself if it has a slash, else
/// the first in the PATH; "" if there is none.
std::string find_program(const Sandbox& sandbox, const std::string& name);

/// What to tell about a child that failed in `step` (keeper/protocol.h): not_found if there is no
/// such program, invalid_argument for a bad working directory or a command that is too long.
Error exec_error(keeper::Step step, int error_number, const Sandbox& sandbox, const ExecPlan& plan);

/// Starts `program` as the leader of its own session and process group and returns its pid, which
/// the caller must wait for. It gets the sandbox's user, groups and environment, umask 022, default
/// signals, at most most_processes, a high oom_score_adj, and no descriptor but the three. Unless
/// it outlives this thread it is killed with it: prctl(2), PR_SET_PDEATHSIG. It may gain privileges
/// by setuid programs (no_new_privs is not set): which of them exist is the image's choice, and
/// Chromium's own sandbox needs them. Throws Error(not_found) if there is no such program,
/// Error(invalid_argument) for a bad working directory.
pid_t spawn(const Sandbox& sandbox, const Program& program);

/// A close-on-exec duplicate of `fd` whose number is at least `least`. Throws Error.
UniqueFd duplicate(int fd, int least);

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
