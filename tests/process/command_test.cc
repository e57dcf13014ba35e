#include "process/command.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "base/unique_fd.h"
#include "scratch.h"

namespace selfagent {
namespace {

CommandRequest bash(const std::string& command) {
  CommandRequest request;
  request.argv = {"/bin/bash", "-c", command};
  return request;
}

CommandResult run(const Scratch& scratch, const CommandRequest& request,
                  const std::stop_token& stop = {}) {
  return run_command(Sandbox({"", scratch.path(), ":77"}), request, stop);
}

CommandResult run(const Scratch& scratch, const std::string& command) {
  return run(scratch, bash(command));
}

// As ps shows it, 'X' if there is no such process.
char state_letter(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(status)), {});
  const size_t name_end = text.rfind(") ");
  return name_end == std::string::npos ? 'X' : text[name_end + 2];
}

// False also for a zombie that nobody has reaped yet.
bool is_alive(int pid) {
  const char state = state_letter(pid);
  return state != 'Z' && state != 'X';
}

// Far from the 1000 s that commands sleep here, and from the load of a machine.
constexpr milliseconds soon{20'000};

// Its deadline comes with its first output, however long a busy machine takes until then.
CommandResult run_to_deadline(
    const Scratch& scratch, const std::string& command,
    const std::function<void(std::string_view)>& before = [](std::string_view) {}) {
  CommandRequest request = bash(command);
  request.deadline = Deadline::after(soon);
  request.on_output = [&](std::string_view piece, bool) {
    before(piece);
    request.deadline = Deadline(Clock::now());
  };
  return run(scratch, request);
}

int pid_in(const Scratch& scratch, const std::string& name) {
  REQUIRE(eventually([&] { return scratch.read(name).find('\n') != std::string::npos; }));
  return std::stoi(scratch.read(name));
}

int open_descriptors() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("a command's exit code, output and errors come back") {
  const Scratch scratch;
  const auto result = run(scratch, "echo out; echo err >&2; exit 7");
  CHECK(result.exit_code == 7);
  CHECK(result.signal == 0);
  CHECK(result.out == "out\n");
  CHECK(result.err == "err\n");
  CHECK(result.out_bytes == 4);
  CHECK_FALSE(result.timed_out);
  CHECK_FALSE(result.left_children);
}

TEST_CASE("a signal that ends a command is named") {
  const Scratch scratch;
  const auto result = run(scratch, "kill -SEGV $$");
  CHECK(result.signal == 11);
  CHECK(result.exit_code == -1);
}

TEST_CASE("commands that trip a shell with a sentinel are exact") {
  const Scratch scratch;
  CHECK(run(scratch, "echo a # comment").out == "a\n");
  CHECK(run(scratch, "echo 'open").exit_code == 2);
  CHECK(run(scratch, "cat <<END\nhere\n").out == "here\n");
  CHECK(run(scratch, "exit 3; echo never").exit_code == 3);
  CHECK(run(scratch, "set -e; false; echo never").out.empty());
  CHECK(run(scratch, "printf 'Password: '").out == "Password: ");
}

TEST_CASE("programs that wait for a person end by themselves") {
  const Scratch scratch;
  scratch.write("text", "some text\n");
  auto request =
      bash("python3 -i 2> /dev/null; less text; git -C / log; read answer < /dev/tty; echo end");
  request.deadline = Deadline::after(std::chrono::seconds(20));
  const auto result = run(scratch, request);
  CHECK_FALSE(result.timed_out);
  CHECK_THAT(result.out, ContainsSubstring("end\n"));
}

TEST_CASE("bytes that are no text arrive unchanged") {
  const Scratch scratch;
  const auto result = run(scratch, R"(printf 'a\0b\xff\xfe\xc3')");
  CHECK(result.out == std::string("a\0b\xff\xfe\xc3", 6));
}

TEST_CASE("200 programs that end at once lose neither output nor exit code") {
  const Scratch scratch;
  const int before = open_descriptors();
  int complete = 0;
  for (int i = 0; i < 200; ++i) {
    const auto result = run(scratch, "echo $((6 * 7)); exit 42");
    complete += result.out == "42\n" && result.exit_code == 42 ? 1 : 0;
  }
  CHECK(complete == 200);
  CHECK(open_descriptors() == before);
}

TEST_CASE("input is given, then end of file") {
  const Scratch scratch;
  auto request = bash("cat; echo end");
  request.input = std::string(300'000, 'x');
  const auto result = run(scratch, request);
  CHECK(result.out.size() == 300'004);
  CHECK(result.out.compare(299'999, 5, "xend\n") == 0);
  CHECK(run(scratch, "cat; read line || echo eof").out == "eof\n");
}

TEST_CASE("a background child that holds the pipe does not hang the call and lives on") {
  const Scratch scratch;
  const Sandbox sandbox({"", scratch.path(), ""});
  const auto result = run_command(
      sandbox,
      bash("(echo $BASHPID > pid; for i in {1..3000}; do [ -e go ] && break; sleep 0.01; "
           "done; echo still; echo ok > done) & echo hi"),
      {});
  CHECK(result.out == "hi\n");
  CHECK(result.exit_code == 0);
  CHECK(result.left_children);
  CHECK(result.elapsed < soon);
  const int child = pid_in(scratch, "pid");
  CHECK(is_alive(child));
  scratch.write("go", "");
  // It writes to the pipe that the call has left: no SIGPIPE may end it.
  CHECK(eventually([&] { return scratch.read("done") == "ok\n"; }));
}

TEST_CASE("a background child that writes for ever does not hang the call") {
  const Scratch scratch;
  const Sandbox sandbox({"", scratch.path(), ""});
  const auto result = run_command(sandbox, bash("yes & echo $! > pid"), {});
  CHECK(result.exit_code == 0);
  CHECK(result.elapsed < soon);
  ::kill(pid_in(scratch, "pid"), SIGKILL);
}

TEST_CASE("the deadline kills the whole group") {
  const Scratch scratch;
  const auto result =
      run_to_deadline(scratch, "(sleep 1000 & echo $! > pid; echo begun; wait) & wait");
  CHECK(result.timed_out);
  CHECK_FALSE(result.cancelled);
  CHECK(result.signal == SIGTERM);
  CHECK(result.elapsed < soon);
  const int grandchild = pid_in(scratch, "pid");
  CHECK(eventually([&] { return !is_alive(grandchild); }));
}

TEST_CASE("output before the deadline is kept") {
  const Scratch scratch;
  const auto result = run_to_deadline(scratch, "echo before; sleep 1000");
  CHECK(result.timed_out);
  CHECK(result.out == "before\n");
}

TEST_CASE("a command that ignores TERM is killed 2 s later") {
  const Scratch scratch;
  const auto result =
      run_to_deadline(scratch, "trap '' TERM; echo ready; while :; do sleep 1000; done");
  CHECK(result.timed_out);
  CHECK(result.signal == SIGKILL);
  CHECK(result.elapsed >= milliseconds(2000));
  CHECK(result.elapsed < soon);
}

TEST_CASE("a stopped command is killed too") {
  const Scratch scratch;
  bool stopped = false;
  const auto result = run_to_deadline(scratch, "echo $$; kill -STOP $$", [&](std::string_view pid) {
    stopped = eventually([&] { return state_letter(std::stoi(std::string(pid))) == 'T'; });
  });
  CHECK(stopped);
  CHECK(result.timed_out);
  // Not by the KILL that comes 2 s later.
  CHECK(result.signal == SIGTERM);
  CHECK(result.elapsed < soon);
}

TEST_CASE("a stop request ends a command within 100 ms") {
  const Scratch scratch;
  // The best of twenty: a machine that builds at the same time may be late often.
  auto took = Clock::duration::max();
  for (int i = 0; i < 20 && took >= milliseconds(100); ++i) {
    std::stop_source source;
    Clock::time_point asked;
    std::jthread stopper;
    auto request = bash("echo $$; sleep 1000");
    request.on_output = [&](std::string_view, bool) {
      stopper = std::jthread([&] {
        asked = Clock::now();
        source.request_stop();
      });
    };
    const auto result = run(scratch, request, source.get_token());
    took = Clock::now() - asked;
    CHECK(result.cancelled);
    CHECK_FALSE(result.timed_out);
    CHECK_FALSE(is_alive(std::stoi(result.out)));
  }
  CHECK(took < milliseconds(100));
}

TEST_CASE("a command ends with a daemon that is killed, unless it is to finish") {
  const std::string user = GENERATE("", "nobody");
  if (!user.empty() && !can_switch_users()) return;
  for (const bool finishes : {false, true}) {
    const Scratch scratch;
    const pid_t daemon = ::fork();
    if (daemon == 0) {
      CommandRequest request = bash("echo $$ > begun; mv begun pid; exec sleep 1000");
      request.finishes = finishes;
      run_command(Sandbox({user, scratch.path(), ":77"}), request, {});
      ::_exit(0);
    }
    REQUIRE(eventually([&] { return std::filesystem::exists(scratch / "pid"); }));
    const int command = pid_in(scratch, "pid");
    CHECK(is_alive(command));
    ::kill(daemon, SIGKILL);
    ::waitpid(daemon, nullptr, 0);
    if (finishes) {
      CHECK(is_alive(command));
      ::kill(command, SIGKILL);
    }
    CHECK(eventually([&] { return !is_alive(command); }));
  }
}

TEST_CASE("a command is not started after a stop request") {
  const Scratch scratch;
  std::stop_source source;
  source.request_stop();
  CHECK(run(scratch, bash("touch started"), source.get_token()).cancelled);
  CHECK_FALSE(std::filesystem::exists(scratch / "started"));
}

TEST_CASE("200 MB of output pass through bounded memory, head and tail are kept") {
  const Scratch scratch;
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  auto request = bash("echo first; yes 0123456789abcde | head -c 200000000; echo last");
  request.keep_bytes = 100'000;
  const auto result = run(scratch, request);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  CHECK(result.out_bytes == 200'000'011);
  CHECK(result.out.size() == 100'000);
  CHECK(result.out.substr(0, 6) == "first\n");
  CHECK(result.out.substr(result.out.size() - 5) == "last\n");
  CHECK(after.ru_maxrss - before.ru_maxrss < 16 * 1024);  // KiB
}

TEST_CASE("every piece is passed on as it comes, in order") {
  const Scratch scratch;
  auto request = bash("for i in 1 2 3; do echo $i; done; echo problem >&2");
  std::string out;
  std::string err;
  request.on_output = [&](std::string_view piece, bool error) { (error ? err : out) += piece; };
  run(scratch, request);
  CHECK(out == "1\n2\n3\n");
  CHECK(err == "problem\n");
}

TEST_CASE("a reader that throws ends the command") {
  const Scratch scratch;
  auto request = bash("echo $$ > pid; echo hello; sleep 1000");
  request.on_output = [](std::string_view, bool) { throw std::runtime_error("no"); };
  CHECK_THROWS_AS(run(scratch, request), std::runtime_error);
  const int pid = pid_in(scratch, "pid");
  CHECK_FALSE(is_alive(pid));
}

TEST_CASE("a long command reports its progress") {
  const Scratch scratch;
  auto request = bash("echo hello; while [ ! -e ticked ]; do sleep 0.01; done");
  request.deadline = Deadline::after(soon);
  uint64_t bytes = 0;
  request.on_tick = [&](milliseconds, uint64_t so_far) {
    bytes = so_far;
    // The first tick may come before the output.
    if (so_far > 0) scratch.write("ticked", "");
  };
  CHECK(run(scratch, request).exit_code == 0);
  CHECK(bytes == 6);
}

TEST_CASE("the environment holds what is documented and no secret of the daemon") {
  ::setenv("LLM_API_KEY", "sk-secret", 1);
  ::setenv("SELFAGENT_TOKEN", "token-secret", 1);
  const Scratch scratch;
  auto request = bash("env");
  request.env = {{"GREETING", "hi there"}, {"PAGER", "more"}};
  const auto env = "\n" + run(scratch, request).out;
  CHECK_THAT(env, !ContainsSubstring("secret"));
  CHECK_THAT(env, ContainsSubstring("\nGREETING=hi there\n"));
  CHECK_THAT(env, ContainsSubstring("\nPAGER=more\n"));
  CHECK_THAT(env, ContainsSubstring("\nGIT_PAGER=cat\n"));
  CHECK_THAT(env, ContainsSubstring("\nDISPLAY=:77\n"));
  CHECK_THAT(env, ContainsSubstring("\nLC_CTYPE=C.UTF-8\n"));
  CHECK_THAT(env, ContainsSubstring("\nHOME="));
}

TEST_CASE("a program inherits three descriptors, default signals and its own session") {
  const Scratch scratch;
  const UniqueFd secret(::open("/etc/hostname", O_RDONLY));  // not close-on-exec
  sigset_t usr1;
  ::sigemptyset(&usr1);
  ::sigaddset(&usr1, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &usr1, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  CommandRequest list;
  list.argv = {"/bin/ls", "/proc/self/fd"};
  CHECK(run(scratch, list).out == "0\n1\n2\n3\n");  // 3 is the folder that ls reads
  CommandRequest status;
  status.argv = {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"};
  CHECK(run(scratch, status).out == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  CHECK(run(scratch, "umask; [ $(ps -o sid= -p $$) = $$ ] && echo leader").out == "0022\nleader\n");
  ::signal(SIGPIPE, SIG_DFL);
  ::pthread_sigmask(SIG_UNBLOCK, &usr1, nullptr);
}

TEST_CASE("a program that is not there is named with the search path") {
  const Scratch scratch;
  CommandRequest request;
  request.argv = {"no-such-program"};
  try {
    run(scratch, request);
    FAIL("it ran");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::not_found);
    CHECK_THAT(error.what(), ContainsSubstring("no-such-program"));
    CHECK_THAT(error.what(), ContainsSubstring("/usr/bin"));
  }
}

TEST_CASE("requests that cannot be carried out say why") {
  const Scratch scratch;
  const auto code_of = [&](const CommandRequest& request) {
    try {
      run(scratch, request);
    } catch (const Error& error) {
      return to_string(error.code());
    }
    return "ran";
  };
  auto request = bash("true");
  request.cwd = scratch / "missing";
  CHECK(code_of(request) == std::string("invalid_argument"));
  CHECK(code_of(bash(std::string(200'000, 'x'))) == std::string("invalid_argument"));
  CHECK(code_of(bash(std::string("a\0b", 3))) == std::string("invalid_argument"));
  request = bash("true");
  request.env = {{"A=B", "c"}};
  CHECK(code_of(request) == std::string("invalid_argument"));
  scratch.write("text", "no program");
  request = bash("true");
  request.argv = {scratch / "text"};
  CHECK(code_of(request) == std::string("permission_denied"));
  CHECK(code_of(CommandRequest{}) == std::string("invalid_argument"));
}

TEST_CASE("as another user a command has that user's rights alone") {
  if (!can_switch_users()) return;
  const Scratch scratch;
  const Sandbox sandbox({"nobody", scratch / "work", ""});
  CHECK(sandbox.switches_user());
  scratch.write("secret", "s");
  std::filesystem::permissions(scratch / "secret", std::filesystem::perms::owner_read);
  auto request = bash(
      "id -u; id -G; cat ../secret; cat /proc/$PPID/environ; kill $PPID; touch mine; "
      "echo visible > /dev/stderr");
  const auto result = run_command(sandbox, request, {});
  const auto gid = std::to_string(sandbox.gid());
  CHECK(result.out == std::to_string(sandbox.uid()) + "\n" + gid + "\n");
  CHECK_THAT(result.err, ContainsSubstring("secret: Permission denied"));
  CHECK_THAT(result.err, ContainsSubstring("environ: Permission denied"));
  CHECK_THAT(result.err, ContainsSubstring("Operation not permitted"));
  // The pipe belongs to root unless it is given away.
  CHECK_THAT(result.err, ContainsSubstring("visible\n"));
  CHECK(std::filesystem::exists(scratch / "work/mine"));
  request = bash("cat");
  request.input = "given";
  CHECK(run_command(sandbox, request, {}).out == "given");
}

TEST_CASE("the reaper takes no exit code from others") {
  const pid_t own = ::fork();
  if (own == 0) ::_exit(9);
  const pid_t adopted = ::fork();
  if (adopted == 0) ::_exit(8);
  Reaper reaper;
  reaper.adopt(adopted);
  CHECK(eventually([&] { return !std::filesystem::exists("/proc/" + std::to_string(adopted)); }));
  int status = 0;
  CHECK(::waitpid(own, &status, 0) == own);
  CHECK(WEXITSTATUS(status) == 9);
}

TEST_CASE("16 threads run commands at once without mixing them up") {
  const Scratch scratch;
  const Sandbox sandbox({"", scratch.path(), ""});
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 16; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 10; ++i) {
          const auto result = run_command(
              sandbox, bash("echo " + std::to_string(t) + "; exit " + std::to_string(t)), {});
          if (result.exit_code == t && result.out == std::to_string(t) + "\n") ++right;
        }
      });
    }
  }
  CHECK(right == 160);
}

TEST_CASE("the home of the tools is the one that the daemon was given") {
  const char* before = std::getenv("HOME");
  const std::string own = before == nullptr ? "" : before;
  ::setenv("HOME", "/tmp", 1);
  const Sandbox sandbox(Sandbox::Settings{});
  before == nullptr ? ::unsetenv("HOME") : ::setenv("HOME", own.c_str(), 1);
  CHECK(sandbox.environment().at("HOME") == "/tmp");
}

}  // namespace selfagent
