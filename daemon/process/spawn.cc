// Between fork and exec only async-signal-safe calls are allowed: other threads of the daemon may
// have held any lock at the moment of the fork. So every string and path is prepared before, and
// the child's part is plain C.
//
// The child inherits the daemon's memory until exec. It is safe from the sandbox user meanwhile:
// setresuid makes the process non-dumpable, which forbids ptrace and /proc/PID/mem. Source:
// prctl(2), PR_SET_DUMPABLE.
#include "process/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"

namespace selfagent {

namespace {

// The step at which the child failed, and why: sent through a close-on-exec pipe, so end of file
// means success.
struct Failure {
  enum Step : int { user, cwd, exec } step;
  int error_number;
};

// What the child needs, as plain pointers.
struct ChildPlan {
  const std::vector<const char*>& candidates;
  char* const* argv;
  char* const* envp;
  const char* cwd;
  bool switches;
  uid_t uid;
  gid_t gid;
  const gid_t* groups;
  size_t group_count;
  std::array<int, 3> fds;
  int failure_fd;
  unsigned highest_fd;
  rlim_t descriptor_limit;
};

[[noreturn]] void fail(const ChildPlan& plan, Failure::Step step) {
  const Failure failure{step, errno};
  [[maybe_unused]] const auto written = ::write(plan.failure_fd, &failure, sizeof failure);
  ::_exit(127);
}

void close_on_exec_from(unsigned first, unsigned highest) {
#if defined(SYS_close_range)
  constexpr unsigned cloexec = 1U << 2;  // CLOSE_RANGE_CLOEXEC
  if (::syscall(SYS_close_range, first, ~0U, cloexec) == 0) return;
#endif
  for (unsigned fd = first; fd < highest; ++fd) ::fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC);
}

void reset_signals() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void run_child(const ChildPlan& plan) {
  ::setsid();
  ::umask(022);
  // glibc's wrappers would try to change every thread; there is only this one.
  if (plan.switches && (::syscall(SYS_setgroups, plan.group_count, plan.groups) != 0 ||
                        ::syscall(SYS_setresgid, plan.gid, plan.gid, plan.gid) != 0 ||
                        ::syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid) != 0)) {
    fail(plan, Failure::user);
  }
  if (::chdir(plan.cwd) != 0) fail(plan, Failure::cwd);
  for (int fd = 0; fd < 3; ++fd) {
    if (::dup2(plan.fds[static_cast<size_t>(fd)], fd) < 0) fail(plan, Failure::exec);
  }
  close_on_exec_from(3, plan.highest_fd);
  // The daemon raised its own for its connections; programs that use select fail above 1024.
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = std::min(plan.descriptor_limit, descriptors.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
  }
  reset_signals();
  int error_number = ENOENT;
  for (const char* candidate : plan.candidates) {
    ::execve(candidate, plan.argv, plan.envp);
    if (errno != ENOENT && errno != ENOTDIR) error_number = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  errno = error_number;
  fail(plan, Failure::exec);
}

std::vector<std::string> candidates_of(const std::string& name, const std::string& search_path) {
  if (name.find('/') != std::string::npos) return {name};
  std::vector<std::string> candidates;
  for (size_t start = 0; start <= search_path.size();) {
    const size_t end = std::min(search_path.find(':', start), search_path.size());
    if (end > start) candidates.push_back(search_path.substr(start, end - start) + "/" + name);
    start = end + 1;
  }
  return candidates;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (auto& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

void check(const Program& program) {
  if (program.argv.empty() || program.argv[0].empty()) {
    throw Error(ErrorCode::invalid_argument, "the command is empty");
  }
  for (const auto& word : program.argv) {
    if (word.find('\0') != std::string::npos) {
      throw Error(ErrorCode::invalid_argument, "the command contains a NUL byte: leave it out");
    }
  }
  for (const auto& [name, value] : program.env) {
    if (name.empty() || name.find_first_of(std::string("=\0", 2)) != std::string::npos ||
        value.find('\0') != std::string::npos) {
      throw Error(ErrorCode::invalid_argument,
                  "\"" + name + "\" is not a legal environment variable");
    }
  }
}

Error error_of(const Failure& failure, const Sandbox& sandbox, const Program& program,
               const std::string& cwd) {
  const std::string why = std::strerror(failure.error_number);
  if (failure.step == Failure::user) {
    return Error(ErrorCode::internal, "cannot become the user " + sandbox.user() + ": " + why);
  }
  if (failure.step == Failure::cwd) {
    return Error(ErrorCode::invalid_argument, "cannot start in the folder " + cwd + ": " + why);
  }
  const std::string& name = program.argv[0];
  if (failure.error_number == ENOENT) {
    return Error(ErrorCode::not_found, "there is no program \"" + name + "\" (PATH is " +
                                           sandbox.environment().at("PATH") + ")");
  }
  if (failure.error_number == E2BIG) {
    return Error(ErrorCode::invalid_argument,
                 "the command is too long: 128 KiB is the limit for one argument. Write it to a "
                 "file and run that");
  }
  return system_error("cannot run \"" + name + "\"", failure.error_number);
}

// A duplicate above the standard descriptors, so that no dup2 in the child overwrites a source.
UniqueFd duplicate_above_standard(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) throw system_error("fcntl(F_DUPFD_CLOEXEC)", errno);
  return copy;
}

// Blocks every signal of this thread while it lives: none of the daemon's handlers may run in the
// child.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

pid_t fork_child(const ChildPlan& plan) {
  const SignalsBlocked blocked;
  const pid_t pid = ::fork();
  if (pid == 0) run_child(plan);
  if (pid < 0) throw system_error("cannot start a process", errno);
  return pid;
}

// Waits for exec; returns false and fills `failure` if the child could not get there.
bool reached_exec(int failure_fd, Failure& failure) {
  // 10 s: far more than exec needs, but another process of the sandbox user could stop the child
  // before it.
  pollfd wait{failure_fd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&wait, 1, 10'000);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) {
    failure = {Failure::exec, ETIMEDOUT};
    return false;
  }
  ssize_t count = 0;
  do {
    count = ::read(failure_fd, &failure, sizeof failure);
  } while (count < 0 && errno == EINTR);
  return count != sizeof failure;
}

unsigned highest_descriptor() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  return static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, 1 << 20));
}

}  // namespace

pid_t spawn(const Sandbox& sandbox, const Program& program) {
  check(program);
  auto env = program.env;
  env.merge(sandbox.environment());
  std::vector<std::string> assignments;
  for (const auto& [name, value] : env) assignments.push_back(name + "=" + value);
  std::vector<std::string> words = program.argv;
  const auto argv = pointers_to(words);
  const auto envp = pointers_to(assignments);
  const auto paths = candidates_of(program.argv[0], sandbox.environment().at("PATH"));
  std::vector<const char*> candidates;
  for (const auto& path : paths) candidates.push_back(path.c_str());
  const std::string cwd = program.cwd.empty() ? sandbox.workspace() : program.cwd;

  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) throw system_error("/dev/null", errno);
  std::array<UniqueFd, 3> fds;
  const std::array<int, 3> given = {program.in, program.out, program.err};
  for (size_t i = 0; i < 3; ++i) {
    fds[i] = duplicate_above_standard(given[i] < 0 ? null.get() : given[i]);
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error("pipe", errno);
  const UniqueFd failure_read = duplicate_above_standard(UniqueFd(ends[0]).get());
  UniqueFd failure_write = duplicate_above_standard(UniqueFd(ends[1]).get());

  const pid_t pid = fork_child({candidates,
                                argv.data(),
                                envp.data(),
                                cwd.c_str(),
                                sandbox.switches_user(),
                                sandbox.uid(),
                                sandbox.gid(),
                                sandbox.groups().data(),
                                sandbox.groups().size(),
                                {fds[0].get(), fds[1].get(), fds[2].get()},
                                failure_write.get(),
                                highest_descriptor(),
                                sandbox.descriptor_limit()});
  failure_write.reset();
  Failure failure{};
  if (reached_exec(failure_read.get(), failure)) return pid;
  ::kill(pid, SIGKILL);
  siginfo_t ended;
  while (::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED) != 0 && errno == EINTR) {
  }
  throw error_of(failure, sandbox, program, cwd);
}

UniqueFd open_pidfd(pid_t pid) {
#if defined(SYS_pidfd_open)
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
#else
  return UniqueFd();
#endif
}

Pipe::Pipe(const Sandbox& sandbox) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error("pipe", errno);
  read.reset(ends[0]);
  write.reset(ends[1]);
  ::fcntl(read.get(), F_SETFL, O_NONBLOCK);
  if (sandbox.switches_user() && ::fchown(write.get(), sandbox.uid(), sandbox.gid()) != 0) {
    throw system_error("cannot give a pipe to " + sandbox.user(), errno);
  }
}

}  // namespace selfagent
