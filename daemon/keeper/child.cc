#include "keeper/child.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "keeper/exec.h"

namespace selfagent::keeper {
namespace {

constexpr int pipe_bytes = 1 << 20;

struct Failure {
  Step step;
  int error;
};

// What the child dups to its standard descriptors.
struct Ends {
  int in = -1;
  int out = -1;
  int err = -1;
};

[[noreturn]] void fail(int report, Step step) {
  const Failure failure{step, errno};
  (void)!::write(report, &failure, sizeof failure);
  ::_exit(127);
}

bool limit(const Config& config) {
  constexpr __rlimit_resource_t resources[limit_count] = {RLIMIT_CPU, RLIMIT_AS, RLIMIT_NPROC,
                                                          RLIMIT_FSIZE, RLIMIT_NOFILE};
  for (int i = 0; i < limit_count; ++i) {
    if (config.limits[i] == unlimited) continue;
    rlimit value{};
    if (::getrlimit(resources[i], &value) != 0) return false;
    const rlim_t old_most = value.rlim_max;
    value.rlim_cur = std::min<rlim_t>(config.limits[i], old_most);
    // Programs may raise their own limit of descriptors; the others are orders.
    if (i != limit_files) value.rlim_max = value.rlim_cur;
    // At the hard limit of processor time the kernel sends KILL instead of XCPU.
    if (i == limit_cpu_s) value.rlim_max = std::min(old_most, value.rlim_cur + 1);
    if (::setrlimit(resources[i], &value) != 0) return false;
  }
  return true;
}

// Disks are asked for it only when nobody else does. Source: ioprio_set(2), whose constants glibc
// does not have.
void set_idle_io() {
  constexpr int this_process = 1;  // IOPRIO_WHO_PROCESS
  constexpr int idle = 3 << 13;    // IOPRIO_CLASS_IDLE
  ::syscall(SYS_ioprio_set, this_process, 0, idle);
}

[[noreturn]] void run_child(const Plan& plan, const Ends& ends, int report) {
  ::setsid();
  ::umask(022);
  make_killable();
  if (plan.config.nice != 0) (void)!::nice(plan.config.nice);
  if (plan.config.idle_io != 0) set_idle_io();
  unblock_signals();
  if (plan.config.terminal != 0) ::ioctl(ends.in, TIOCSCTTY, 0);
  ::dup2(ends.in, 0);
  ::dup2(ends.out, 1);
  ::dup2(ends.err, 2);
  // All else is closed at exec: every descriptor of the keeper is opened so.
  if (!limit(plan.config)) fail(report, Step::limits);
  if (plan.config.switches != 0 &&
      !become(plan.config.uid, plan.config.gid, plan.groups, plan.config.group_count)) {
    fail(report, Step::user);
  }
  if (::chdir(plan.folder) != 0) fail(report, Step::folder);
  exec_first(plan.candidates, plan.arguments, plan.variables);
  fail(report, Step::exec);
}

// Holds what the shell opens by way of /proc, see guest.h, until it is killed.
[[noreturn]] void stand_in(const Plan& plan, const Ends& ends, int report) {
  const pid_t keeper = ::getppid();
  ::setsid();
  ::prctl(PR_SET_NAME, "selfagent-cmd");
  unblock_signals();
  const bool stands = ::fchdir(plan.guest_folder) == 0 && ::dup2(ends.in, 0) == 0 &&
                      ::dup2(ends.out, 1) == 1 && ::dup2(ends.err, 2) == 2;
  if (!stands) fail(report, Step::host);
  if (plan.config.switches != 0 &&
      !become(plan.config.uid, plan.config.gid, plan.groups, plan.config.group_count)) {
    fail(report, Step::user);
  }
  // After a change of user both are needed anew. There is nothing of another user's in this
  // memory.
  ::prctl(PR_SET_DUMPABLE, 1);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != keeper || ::dup2(plan.guest_command, 3) != 3) fail(report, Step::host);
  // The end of file on `report`, which goes with them, says that all is ready.
  ::syscall(SYS_close_range, 4U, ~0U, 0U);
  ::close(report);  // of an old kernel
  while (true) ::pause();
}

struct Child {
  const Plan& plan;
  const Ends& ends;
  int report;
};

int child_main(void* argument) {
  const Child& child = *static_cast<const Child*>(argument);
  run_child(child.plan, child.ends, child.report);
}

// Until its exec the child works in this process's memory, on a stack of its own, and this process
// stands still: nothing is copied. Source: clone(2), CLONE_VFORK.
pid_t start_child(Child child) {
  alignas(64) static char stack[64 * 1024];
  return ::clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &child);
}

// A large one, of whose ends `ours` does not block.
bool make_pipe(int (&ends)[2], int ours) {
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  ::fcntl(ends[ours], F_SETPIPE_SZ, pipe_bytes);
  return ::fcntl(ends[ours], F_SETFL, O_NONBLOCK) == 0;
}

// The end for the program is its user's: one that opens /dev/stdout opens its inode anew.
bool give_to_user(const Config& config, int end) {
  return config.switches == 0 || ::fchown(end, config.uid, config.gid) == 0;
}

bool make_terminal(const Config& config, Started& started, Ends& ends) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0 || ::grantpt(terminal) != 0 || ::unlockpt(terminal) != 0) return false;
  const winsize size{static_cast<unsigned short>(config.rows),
                     static_cast<unsigned short>(config.columns), 0, 0};
  ::ioctl(terminal, TIOCSWINSZ, &size);
  const char* name = ::ptsname(terminal);
  ends.in = name == nullptr ? -1 : ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (ends.in < 0) return false;
  if (config.switches != 0 && ::fchown(ends.in, config.uid, static_cast<gid_t>(-1)) != 0) {
    return false;
  }
  ends.out = ends.err = ends.in;
  started.out = started.input = terminal;
  return ::fcntl(terminal, F_SETFL, O_RDWR | O_NONBLOCK) == 0;
}

bool take_pipes(const Config& config, const Supplies& supplies, Started& started, Ends& ends) {
  started.out = supplies.out[0];
  started.err = supplies.err[0];
  ends = {supplies.null, supplies.out[1], supplies.err[1]};
  if (!give_to_user(config, ends.out) || !give_to_user(config, ends.err)) return false;
  if (config.open_input == 0) return true;
  int input[2];
  if (!make_pipe(input, 1)) return false;
  ::close(supplies.null);
  ends.in = input[0];
  started.input = input[1];
  return give_to_user(config, ends.in);
}

void close_pipes(const Supplies& supplies) {
  for (const int end :
       {supplies.out[0], supplies.out[1], supplies.err[0], supplies.err[1], supplies.null}) {
    ::close(end);
  }
}

// Takes `count` strings off `at`; null if they are not all there.
char** strings(char*& at, char* end, uint32_t count) {
  char** list = static_cast<char**>(std::calloc(count + 1, sizeof(char*)));
  if (list == nullptr) return nullptr;
  for (uint32_t i = 0; i < count; ++i) {
    char* nul = static_cast<char*>(std::memchr(at, 0, static_cast<size_t>(end - at)));
    if (nul == nullptr) return nullptr;
    list[i] = at;
    at = nul + 1;
  }
  return list;
}

}  // namespace

bool read_plan(char* bytes, size_t size, Plan& plan) {
  if (size < sizeof(Config)) return false;
  char* at = bytes;
  char* const end = at + size;
  std::memcpy(&plan.config, at, sizeof(Config));
  at += sizeof(Config);
  const Config& config = plan.config;
  const size_t groups = size_t{config.group_count} * sizeof(gid_t);
  if (config.magic != magic || groups > static_cast<size_t>(end - at)) return false;
  plan.groups = reinterpret_cast<const gid_t*>(at);
  at += groups;
  char** folder = strings(at, end, 1);
  if (folder == nullptr) return false;
  plan.folder = folder[0];
  plan.candidates = strings(at, end, config.candidate_count);
  plan.arguments = strings(at, end, config.argument_count);
  plan.variables = strings(at, end, config.variable_count);
  return plan.candidates != nullptr && plan.arguments != nullptr && plan.variables != nullptr;
}

bool make_supplies(Supplies& supplies) {
  supplies.null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  return supplies.null >= 0 && make_pipe(supplies.out, 0) && make_pipe(supplies.err, 0) &&
         ::pipe2(supplies.report, O_CLOEXEC) == 0;
}

Started start(const Plan& plan, const Supplies& supplies) {
  Started started;
  Ends ends;
  const int(&report)[2] = supplies.report;
  if (plan.config.terminal != 0) close_pipes(supplies);
  const bool made = plan.config.terminal != 0 ? make_terminal(plan.config, started, ends)
                                              : take_pipes(plan.config, supplies, started, ends);
  if (!made) {
    started.step = Step::exec;
    started.error = errno;
    return started;
  }
  pid_t pid = -1;
  if (plan.config.guest == 0) {
    pid = start_child({plan, ends, report[1]});
  } else if ((pid = ::fork()) == 0) {
    stand_in(plan, ends, report[1]);
  }
  if (pid < 0) {
    started.step = Step::exec;
    started.error = errno;
    return started;
  }
  ::close(report[1]);
  ::close(ends.in);
  if (plan.config.terminal == 0) {
    ::close(ends.out);
    ::close(ends.err);
  }
  Failure failure{};
  ssize_t count = 0;
  do {
    count = ::read(report[0], &failure, sizeof failure);
  } while (count < 0 && errno == EINTR);
  ::close(report[0]);
  if (count == sizeof failure) {
    started.step = failure.step;
    started.error = failure.error;
    return started;
  }
  started.pid = pid;
  return started;
}

}  // namespace selfagent::keeper
