// The last steps of a child before its program: for the keeper's child and for that of the daemon.
//
// Between fork and exec of a process with threads only async-signal-safe calls are allowed, so this
// is plain C: nothing here allocates, locks or throws.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>

namespace selfagent::keeper {

inline void unblock_signals() {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Default actions for all signals, those that were ignored, too.
inline void default_signals() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
}

inline void reset_signals() {
  default_signals();
  unblock_signals();
}

/// Lets the kernel's out-of-memory killer take this process, and what it starts, before the daemon
/// and its keepers. Source: proc(5), /proc/PID/oom_score_adj: raising it needs no privilege.
inline void make_killable() {
  constexpr char more_killable[] = "500";
  const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  (void)!::write(file, more_killable, sizeof more_killable - 1);
  ::close(file);
}

/// Takes on a user's ids for good. False, with errno set, if that is not allowed. By system calls,
/// because glibc's wrappers would try to change every thread, and there is only this one.
inline bool become(uid_t uid, gid_t gid, const gid_t* groups, size_t group_count) {
  return ::syscall(SYS_setgroups, group_count, groups) == 0 &&
         ::syscall(SYS_setresgid, gid, gid, gid) == 0 &&
         ::syscall(SYS_setresuid, uid, uid, uid) == 0;
}

/// Runs the first of `candidates` (paths, a null pointer at the end) that can be run. Returns only
/// if there is none, with the errno that says most.
inline void exec_first(const char* const* candidates, char* const* arguments,
                       char* const* variables) {
  int error = ENOENT;
  for (; *candidates != nullptr; ++candidates) {
    ::execve(*candidates, arguments, variables);
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  errno = error;
}

}  // namespace selfagent::keeper
