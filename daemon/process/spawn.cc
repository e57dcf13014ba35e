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
#include <sys/prctl.h>
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
#include "keeper/exec.h"
#include "keeper/protocol.h"

namespace selfagent {

namespace {

// So that no dup2 in the child overwrites what is still to be copied.
constexpr int above_standard = 3;

// The step at which the child failed, and why: sent through a close-on-exec pipe, so end of file
// means success.
struct Failure {
  keeper::Step step;
  int error_number;
};

// What the child needs, as plain pointers.
struct ChildPlan {
  const std::vector<const char*>& candidates;  // a null pointer at the end
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
  rlim_t process_limit;
  pid_t parent;  // 0: the child outlives it
};

[[noreturn]] void fail(const ChildPlan& plan, keeper::Step step) {
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

[[noreturn]] void run_child(const ChildPlan& plan) {
  ::setsid();
  ::umask(022);
  keeper::make_killable();
  const rlimit processes{plan.process_limit, plan.process_limit};
  if (plan.process_limit != RLIM_INFINITY && ::setrlimit(RLIMIT_NPROC, &processes) != 0) {
    fail(plan, keeper::Step::limits);
  }
  if (plan.switches && !keeper::become(plan.uid, plan.gid, plan.groups, plan.group_count)) {
    fail(plan, keeper::Step::user);
  }
  if (::chdir(plan.cwd) != 0) fail(plan, keeper::Step::folder);
  for (int fd = 0; fd < 3; ++fd) {
    if (::dup2(plan.fds[static_cast<size_t>(fd)], fd) < 0) fail(plan, keeper::Step::exec);
  }
  close_on_exec_from(3, plan.highest_fd);
  // The daemon raised its own for its connections; programs that use select fail above 1024.
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = std::min(plan.descriptor_limit, descriptors.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
  }
  // After the change of the user, which clears it. The parent may have ended before.
  if (plan.parent != 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != plan.parent) ::_exit(127);
  }
  keeper::reset_signals();
  keeper::exec_first(plan.candidates.data(), plan.argv, plan.envp);
  fail(plan, keeper::Step::exec);
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
    failure = {keeper::Step::exec, ETIMEDOUT};
    return false;
  }
  ssize_t count = 0;
  do {
    count = ::read(failure_fd, &failure, sizeof failure);
  } while (count < 0 && errno == EINTR);
  return count != sizeof failure;
}

// Not above the hard limit that this process has itself.
rlim_t process_limit(const Sandbox& sandbox) {
  rlimit own{};
  if (!sandbox.switches_user() || ::getrlimit(RLIMIT_NPROC, &own) != 0) return RLIM_INFINITY;
  return std::min<rlim_t>(most_processes, own.rlim_max);
}

unsigned highest_descriptor() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  return static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, 1 << 20));
}

}  // namespace

ExecPlan plan_exec(const Sandbox& sandbox, const Program& program) {
  check(program);
  ExecPlan plan;
  auto env = program.env;
  env.merge(sandbox.environment());
  for (const auto& [name, value] : env) plan.assignments.push_back(name + "=" + value);
  plan.arguments = program.argv;
  plan.candidates = candidates_of(program.argv[0], sandbox.environment().at("PATH"));
  plan.cwd = program.cwd.empty() ? sandbox.workspace() : program.cwd;
  return plan;
}

std::string find_program(const Sandbox& sandbox, const std::string& name) {
  const AsUser as_user(sandbox);
  for (const auto& path : candidates_of(name, sandbox.environment().at("PATH"))) {
    // With the rights of the file system; access() takes those of the real user.
    if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) return path;
  }
  return "";
}

Error exec_error(keeper::Step step, int error_number, const Sandbox& sandbox,
                 const ExecPlan& plan) {
  const std::string why = std::strerror(error_number);
  if (step == keeper::Step::user) {
    return Error(ErrorCode::internal, "cannot become the user " + sandbox.user() + ": " + why);
  }
  if (step == keeper::Step::limits) {
    return Error(ErrorCode::internal, "cannot set the limits of the program: " + why);
  }
  if (step == keeper::Step::host) {
    const bool away = error_number == ESRCH || error_number == ETIMEDOUT ||
                      error_number == ECONNREFUSED || error_number == ENOENT;
    if (!away) return system_error("cannot run a command in the session", error_number);
    return Error(ErrorCode::unavailable, "the shell of the session does not take it: " + why);
  }
  if (step == keeper::Step::folder) {
    return Error(ErrorCode::invalid_argument,
                 "cannot start in the folder " + plan.cwd + ": " + why);
  }
  const std::string& name = plan.arguments[0];
  if (error_number == ENOENT) {
    return Error(ErrorCode::not_found, "there is no program \"" + name + "\" (PATH is " +
                                           sandbox.environment().at("PATH") + ")");
  }
  if (error_number == E2BIG) {
    return Error(ErrorCode::invalid_argument,
                 "the command is too long: 128 KiB is the limit for one argument. Write it to a "
                 "file and run that");
  }
  return system_error("cannot run \"" + name + "\"", error_number);
}

pid_t spawn(const Sandbox& sandbox, const Program& program) {
  ExecPlan plan = plan_exec(sandbox, program);
  const auto argv = pointers_to(plan.arguments);
  const auto envp = pointers_to(plan.assignments);
  std::vector<const char*> candidates;
  for (const auto& path : plan.candidates) candidates.push_back(path.c_str());
  candidates.push_back(nullptr);

  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) throw system_error("/dev/null", errno);
  std::array<UniqueFd, 3> fds;
  const std::array<int, 3> given = {program.in, program.out, program.err};
  for (size_t i = 0; i < 3; ++i) {
    fds[i] = duplicate(given[i] < 0 ? null.get() : given[i], above_standard);
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error("pipe", errno);
  const UniqueFd failure_read = duplicate(UniqueFd(ends[0]).get(), above_standard);
  UniqueFd failure_write = duplicate(UniqueFd(ends[1]).get(), above_standard);

  const pid_t pid = fork_child({candidates,
                                argv.data(),
                                envp.data(),
                                plan.cwd.c_str(),
                                sandbox.switches_user(),
                                sandbox.uid(),
                                sandbox.gid(),
                                sandbox.groups().data(),
                                sandbox.groups().size(),
                                {fds[0].get(), fds[1].get(), fds[2].get()},
                                failure_write.get(),
                                highest_descriptor(),
                                sandbox.descriptor_limit(),
                                process_limit(sandbox),
                                program.outlives ? 0 : ::getpid()});
  failure_write.reset();
  Failure failure{};
  if (reached_exec(failure_read.get(), failure)) return pid;
  ::kill(pid, SIGKILL);
  siginfo_t ended;
  while (::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED) != 0 && errno == EINTR) {
  }
  throw exec_error(failure.step, failure.error_number, sandbox, plan);
}

UniqueFd duplicate(int fd, int least) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, least));
  if (!copy) throw system_error("fcntl(F_DUPFD_CLOEXEC)", errno);
  return copy;
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
