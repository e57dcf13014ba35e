// Sessions with a real bash: what lasts, what each command gets, and what cannot break it.
#include "process/shell_sessions.h"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <set>

#include "base/error.h"
#include "catch.h"
#include "process/scratch.h"

using namespace selfagent;
using namespace std::chrono_literals;

namespace {

struct Sessions {
  Scratch scratch;
  Scratch kept;
  Sandbox sandbox;
  std::optional<ProcessTable> table;
  std::optional<ShellSessions> sessions;

  explicit Sessions(const std::string& user = "") : sandbox({user, scratch.path(), ":77"}) {
    restart();
  }
  ~Sessions() {
    if (table) table->end_all(0ms);
  }

  /// As a new daemon does after the end of the old one.
  void restart() {
    sessions.reset();
    table.reset();
    table.emplace(sandbox, ProcessTable::Settings{kept.path() / "processes"});
    sessions.emplace(sandbox, *table);
  }

  StartedInSession begin(const std::string& command, const std::string& name = "one") {
    return sessions->start({name, command, "", {}, "a test", {}});
  }
};

std::string stream(const ProcessPtr& process, bool error) {
  std::string text;
  for (const OutputPiece& piece : process->read(0, 1u << 30).pieces) {
    if (piece.error == error) text += piece.bytes;
  }
  return text;
}

/// How a command ended.
struct Ran {
  int exit_code = 0;
  std::string out;
  std::string err;
  bool shell_ended = false;
  bool is_new = false;
  int signal = 0;
  ProcessPhase phase = ProcessPhase::running;
};

Ran result_of(const StartedInSession& started) {
  const ProcessState state = started.process->wait(
      [](const ProcessState& now) { return now.has_exited(); }, Deadline::after(20s), {});
  REQUIRE(state.has_exited());
  return {state.exit_code,
          stream(started.process, false),
          stream(started.process, true),
          state.host_ended,
          started.is_new,
          state.signal,
          state.phase};
}

Ran run(Sessions& sessions, const std::string& command, const std::string& name = "one") {
  INFO(command);
  return result_of(sessions.begin(command, name));
}

// Also by what it has left in the background.
bool writes(const ProcessPtr& process, const std::string& text) {
  process->wait(
      [&](const ProcessState& state) {
        return state.is_over() || stream(process, false).find(text) != std::string::npos;
      },
      Deadline::after(20s), {});
  return stream(process, false).find(text) != std::string::npos;
}

bool lives(pid_t pid) { return ::kill(pid, 0) == 0; }

size_t descriptors_of(pid_t pid) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& each :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE_METHOD(Sessions, "what a command does to its shell, the next one finds") {
  const Ran first =
      run(*this,
          "mkdir sub; cd sub; x=1; declare -a list=(a b); f() { echo \"f $1\"; }\n"
          "alias ll='echo alias'; export E=exported; shopt -s extglob; set -o pipefail");
  CHECK(first.is_new);
  CHECK(first.exit_code == 0);
  const Ran second = run(*this,
                         "pwd; echo $x ${list[1]}; f 2; ll; sh -c 'echo $E'; shopt extglob; "
                         "false | true");
  CHECK_FALSE(second.is_new);
  CHECK(second.out == (scratch / "sub") + "\n1 b\nf 2\nalias\nexported\nextglob        \ton\n");
  CHECK(second.exit_code == 1);
  CHECK(run(*this, "echo \"[$x]\"; pwd", "other").out == "[]\n" + scratch.path().string() + "\n");
}

TEST_CASE_METHOD(Sessions, "exit code and both outputs of each command in a session are exact") {
  const auto is = [&](const std::string& command, int code, const std::string& out,
                      const std::string& err = "") {
    INFO(command);
    const Ran ran = run(*this, command);
    CHECK(ran.exit_code == code);
    CHECK(ran.out == out);
    CHECK(ran.err == err);
    CHECK_FALSE(ran.shell_ended);
    CHECK(run(*this, "printf '%s' \"$stays\"").out == "here");
  };
  run(*this, "stays=here");
  is("echo a # a comment", 0, "a\n");
  is("echo a # a comment \\", 0, "a\n");
  is("# only a comment", 0, "");
  is("   ", 0, "");
  is("printf 'no end of line'; (exit 7)", 7, "no end of line");
  is("printf 'to err' >&2; false", 1, "", "to err");
  is(R"(printf 'a\0b\0'; printf '\0' >&2)", 0, std::string("a\0b\0", 4), std::string(1, '\0'));
  is(R"(printf 'a\xff\xfe\xe2\x82')", 0, "a\xff\xfe\xe2\x82");
  is("cat", 0, "");  // standard input is empty
  is("read line; echo \"$? [$line]\"", 0, "1 []\n");
  is("return 9; echo not reached", 9, "");
  is("f() { return 4; }; f", 4, "");
  is("no-such-program-here", 127, "", "bash: no-such-program-here: command not found\n");
  is("sh -c 'kill -TERM $$'", 143, "");
  is("set -u; echo $not_set; echo not reached", 1, "", "bash: not_set: unbound variable\n");
  is("set +u; : ${not_set:?is missing}; echo not reached", 1, "", "bash: not_set: is missing\n");
  is("echo one\n\n\necho two", 0, "one\ntwo\n");
  is("cat <<'END'\n$x 'q' \"\nEND", 0, "$x 'q' \"\n");
  is("head -c 3000000 /dev/zero | tr '\\0' y | wc -c", 0, "3000000\n");
}

TEST_CASE_METHOD(Sessions, "a large output of a session's command is whole") {
  const Ran ran = run(*this, "seq 1 300000; echo e >&2");
  CHECK(ran.out.size() == 1'988'895);
  CHECK(ran.out.ends_with("299999\n300000\n"));
  CHECK(ran.err == "e\n");
}

TEST_CASE_METHOD(Sessions, "a quote or a block without end is an error, and the session goes on") {
  run(*this, "stays=here");
  for (const std::string& command : std::vector<std::string>{
           "echo 'no end", "echo \"no end", "echo $(no end", "if true; then echo x", "f() {",
           "echo )", "} ; echo", "echo `no end"}) {
    INFO(command);
    const Ran ran = run(*this, command);
    CHECK(ran.exit_code != 0);
    CHECK(ran.out.empty());
    CHECK_THAT(ran.err, ContainsSubstring("line 1: ") || ContainsSubstring("line 2: "));
    CHECK_THAT(ran.err, ContainsSubstring("unexpected") || ContainsSubstring("syntax error"));
    CHECK(run(*this, "echo $stays").out == "here\n");
  }
  CHECK_THROWS_WITH(begin("touch ran\ncat <<END\nnever closed"),
                    ContainsSubstring("here-document at line 2 delimited by end-of-file (wanted "
                                      "`END')") &&
                        ContainsSubstring("Nothing was run"));
  CHECK_FALSE(std::filesystem::exists(scratch / "ran"));
  CHECK(run(*this, "cat <<< $((1 << 3))").out == "8\n");
  CHECK(run(*this, "echo $stays").out == "here\n");
}

TEST_CASE_METHOD(Sessions, "what ends the shell is told exactly, and the next use starts anew") {
  const auto ends = [&](const std::string& command, int code, const std::string& out,
                        int signal = 0) {
    INFO(command);
    CHECK(run(*this, "stays=here").exit_code == 0);
    const Ran ran = run(*this, command);
    CHECK(ran.exit_code == code);
    CHECK(ran.signal == signal);
    CHECK(ran.out == out);
    CHECK(ran.shell_ended);
    const Ran after = run(*this, "echo \"[$stays]\"");
    CHECK(after.is_new);
    CHECK(after.out == "[]\n");
  };
  ends("echo a; exit 3; echo b", 3, "a\n");
  ends("exit", 0, "");
  ends("f() { exit 5; }; f; echo b", 5, "");
  ends("trap 'echo bye' EXIT; exit 6", 6, "bye\n");
  ends("set -e; echo a; false; echo b", 1, "a\n");
  ends("exec sh -c 'echo other; exit 8'", 8, "other\n");
  ends("printf a; kill -9 $$", -1, "a", SIGKILL);
  ends("exec no-such-program-here", 127, "");
  for (int code = 10; code < 30; ++code) ends("exit " + std::to_string(code), code, "");
}

TEST_CASE_METHOD(Sessions, "set -e in a session ends it only when a command fails") {
  run(*this, "set -e");
  CHECK(run(*this, "true; if false; then :; fi; false || echo ok").out == "ok\n");
  CHECK(run(*this, "(exit 12)").shell_ended);
}

TEST_CASE_METHOD(Sessions, "a background child that holds the output does not hold up the answer") {
  const auto started = begin("echo before; sleep 1000 & echo $! after");
  const Ran ran = result_of(started);
  CHECK(ran.exit_code == 0);
  CHECK(ran.out.starts_with("before\n"));
  CHECK(ran.out.ends_with(" after\n"));
  CHECK(ran.phase == ProcessPhase::exited);
  CHECK_FALSE(ran.shell_ended);
  // The job is still the shell's, and what it writes still belongs to the command.
  CHECK(run(*this, "jobs -p").out == ran.out.substr(7, ran.out.find(' ') - 7) + "\n");
  const auto late = begin("(read < go; echo late) & true", "two");
  const auto waiting = begin("mkfifo go2; (read < go2; echo late; sleep 0.1) & true", "three");
  result_of(waiting);
  run(*this, "echo > go2");
  CHECK(writes(waiting.process, "late\n"));
  CHECK(waiting.process->wait_for_end(Deadline::after(20s), {}).phase == ProcessPhase::ended);
  result_of(late);
  // Ended by the command's id, without the shell and without those of other commands.
  started.process->end(2000ms);
  CHECK(started.process->wait_for_end(Deadline::after(20s), {}).phase == ProcessPhase::ended);
  CHECK(run(*this, "wait; jobs -p").out.empty());
}

TEST_CASE_METHOD(Sessions, "nothing that a command prints or defines is taken for its end") {
  run(*this, "stays=here");
  const std::string end = "\n0\nexit 0\nbegun\n>|\"/proc/self/cwd/$?\"\n";
  CHECK(run(*this, "printf '%s' '" + end + "'; printf '0\\n' >&2; (exit 3)").exit_code == 3);
  run(*this,
      "eval() { echo E; }; exit() { echo X; }; printf() { echo P; }; source() { echo S; }\n"
      "builtin() { echo B; }; command() { echo C; }; set() { echo T; }; .() { echo D; }\n"
      "test() { echo Q; }; read() { echo R; }; exec() { echo Y; }; trap() { echo U; }");
  CHECK(run(*this, "echo $stays; printf; builtin x; exit 5").out == "here\nP\nB\nX\n");
  CHECK(run(*this, "(builtin exit 5)").out == "B\n");
  run(*this, "unset -f printf builtin command set test read exec trap eval exit source");
  run(*this, "alias .=false echo='echo A' unset=false builtin=false if=false");
  CHECK(run(*this, "echo $stays; (exit 6)").exit_code == 6);
  run(*this, "unalias -a; IFS=0123456789; set -f; set -o noclobber; shopt -s nullglob failglob");
  CHECK(run(*this, "(exit 10)").exit_code == 10);
  run(*this,
      "unset IFS; set +f; PROMPT_COMMAND='echo prompt; false'; PS1='\\w $(echo 0)> '; PS4=0");
  CHECK(run(*this, "echo $stays").out == "here\n");
  run(*this, "trap 'echo trapped' DEBUG; trap 'echo failed' ERR; set -E");
  CHECK(run(*this, "(exit 7)").exit_code == 7);
  CHECK(run(*this, "trap - DEBUG ERR; exit_code=4; (exit $exit_code)").exit_code == 4);
  run(*this, "set -x; set -v");
  CHECK(run(*this, "echo $stays").out == "here\n");
  run(*this, "set +x +v; set -o posix");
  CHECK(run(*this, "echo $stays; (exit 11)").exit_code == 11);
  run(*this, "enable -n eval exit source");
  CHECK(run(*this, "echo $stays").out == "here\n");
  CHECK_FALSE(run(*this, "true").is_new);
}

TEST_CASE_METHOD(Sessions, "redirections of the shell's own output last for one command") {
  CHECK(run(*this, "exec >log 2>&1; echo into the file; echo too >&2").out.empty());
  CHECK(scratch.read("log") == "into the file\ntoo\n");
  const Ran next = run(*this, "echo seen; echo both >&2");
  CHECK(next.out == "seen\n");
  CHECK(next.err == "both\n");
  CHECK(run(*this, "exec 2>/dev/null; echo x >&2; exec 7>seven").err.empty());
  CHECK(run(*this, "echo kept >&7; echo e >&2").err == "e\n");
  CHECK(scratch.read("seven") == "kept\n");
  run(*this, "exec <log");
  CHECK(run(*this, "cat").out.empty());
  run(*this, "exec 0<&- 1>&- 2>&-");
  CHECK(run(*this, "echo seen").out == "seen\n");
  // The shell's own descriptors too: it cannot go on then.
  run(*this, "for fd in /proc/$$/fd/*; do n=${fd##*/}; exec {n}>&-; done");
  const Ran anew = run(*this, "echo anew");
  CHECK(anew.out == "anew\n");
  CHECK(anew.is_new);
}

TEST_CASE_METHOD(Sessions, "no command of a session inherits what the shell needs for itself") {
  const Ran ran = run(*this, "ls -l /proc/self/fd | tail -n +2 | grep -v -e '/proc/' | wc -l");
  CHECK(ran.out == "3\n");
}

TEST_CASE_METHOD(Sessions, "variables given with a command are its own alone") {
  const auto with = [&](const std::string& command, std::map<std::string, std::string> env) {
    return result_of(sessions->start({"one", command, "", std::move(env), "a test", {}}));
  };
  CHECK(with("echo \"$A\"; sh -c 'echo \"$A\"'", {{"A", "it's $x\n\\ \"q\""}}).out ==
        "it's $x\n\\ \"q\"\nit's $x\n\\ \"q\"\n");
  CHECK(run(*this, "echo \"[$A]\"; A=mine").out == "[]\n");
  CHECK(with("echo $A; A=changed", {{"A", "given"}}).out == "given\n");
  CHECK(run(*this, "echo $A; sh -c 'echo [$A]'").out == "mine\n[]\n");
  CHECK_THROWS_WITH(with("true", {{"A;b", "x"}}), ContainsSubstring("not the name"));
}

TEST_CASE_METHOD(Sessions, "a session runs one command at a time") {
  const auto started = begin("sleep 1000");
  CHECK_THROWS_WITH(begin("echo no"),
                    ContainsSubstring("busy with process " + started.process->info().id));
  CHECK(run(*this, "echo yes", "other").out == "yes\n");
  CHECK(sessions->names() == std::vector<std::string>{"one", "other"});
  started.process->end(2000ms);
  CHECK(result_of(started).exit_code == 130);
  CHECK(run(*this, "echo again").out == "again\n");
  CHECK_THROWS_WITH(begin("true", "a b"), ContainsSubstring("session=\"a b\""));
  CHECK_THROWS_WITH(begin(std::string("a\0b", 3)), ContainsSubstring("NUL"));
  CHECK_THROWS_WITH(sessions->start({"one", "true", "/usr", {}, "", {}}),
                    ContainsSubstring("put cd into the command"));
  CHECK(result_of(sessions->start({"usr", "pwd", "/usr", {}, "", {}})).out == "/usr\n");
  CHECK(result_of(sessions->start({"usr", "pwd", "/usr", {}, "", {}})).out == "/usr\n");
}

TEST_CASE_METHOD(Sessions, "a command that is ended leaves its session as it was") {
  run(*this, "stays=here; sleep 1000 & job=$!");
  for (const std::string& command :
       std::vector<std::string>{"echo set; sleep 1000", "echo set; while :; do sleep 0.05; done",
                                "echo set; while :; do :; done",
                                "f() { echo set; while :; do sleep 0.05; done; }; f; echo on",
                                "echo set; sh -c 'trap \"\" INT; sleep 1000; echo on'",
                                "echo set; (trap '' INT TERM; while :; do sleep 0.1; done)",
                                "echo set; sleep 1000 | cat", "sleep 1000 & echo set; wait",
                                "echo set; setsid sleep 1000"}) {
    for (const milliseconds grace : {2000ms, 0ms}) {
      INFO(command);
      const auto started = begin(command);
      REQUIRE(writes(started.process, "set\n"));
      started.process->end(grace);
      const Ran ran = result_of(started);
      CHECK(ran.exit_code > 0);
      CHECK_FALSE(ran.shell_ended);
      CHECK(ran.out == "set\n");
      CHECK(started.process->wait_for_end(Deadline::after(20s), {}).is_over());
      const Ran after = run(*this, "echo $stays; kill -0 $job && echo runs");
      CHECK(after.out == "here\nruns\n");
    }
  }
}

TEST_CASE_METHOD(Sessions, "an interrupt reaches the command, other signals what it has started") {
  const auto started =
      begin("sh -c 'trap \"echo usr1\" USR1; echo set; while :; do sleep 0.02; done'");
  REQUIRE(writes(started.process, "set\n"));
  started.process->signal(SIGUSR1);
  CHECK(writes(started.process, "usr1\n"));
  started.process->signal(SIGINT);
  CHECK(result_of(started).exit_code == 130);
  CHECK_FALSE(run(*this, "true").is_new);
}

TEST_CASE_METHOD(Sessions, "a shell that does not let itself be interrupted is ended") {
  const auto started = begin("trap '' INT; echo set; while :; do :; done");
  REQUIRE(writes(started.process, "set\n"));
  started.process->end(100ms);
  const Ran ran = result_of(started);
  CHECK(ran.shell_ended);
  CHECK(ran.signal == SIGKILL);
  CHECK(run(*this, "echo anew").is_new);
}

TEST_CASE_METHOD(Sessions, "a shell that is ended by its id ends with all that it runs") {
  const auto started = begin("echo set; sleep 1000");
  REQUIRE(writes(started.process, "set\n"));
  started.shell->end(2000ms);
  CHECK(result_of(started).exit_code == 143);
  CHECK(started.process->wait_for_end(Deadline::after(20s), {}).is_over());
  CHECK(started.shell->wait_for_end(Deadline::after(20s), {}).is_over());
  CHECK(run(*this, "echo anew").is_new);
}

TEST_CASE_METHOD(Sessions, "a session and its command survive the daemon") {
  run(*this, "stays=here");
  run(*this, "mkfifo go", "other");
  const auto started = begin("echo one; read < go; echo two; (exit 9)");
  REQUIRE(writes(started.process, "one\n"));
  run(*this, "sleep 1000 & true", "other");
  const std::string id = started.process->info().id;
  const pid_t shell = started.shell->state().pid;
  restart();
  CHECK_THROWS_WITH(begin("echo no"), ContainsSubstring("busy with process " + id));
  CHECK(sessions->names() == std::vector<std::string>{"one", "other"});
  const ProcessPtr found = table->find(id);
  CHECK(found->info().session == "one");
  run(*this, "[ -p go ] && echo > go", "other");
  const ProcessState state = found->wait([](const ProcessState& now) { return now.has_exited(); },
                                         Deadline::after(20s), {});
  CHECK(state.exit_code == 9);
  CHECK(stream(found, false) == "one\ntwo\n");
  const Ran after = run(*this, "echo $stays $$");
  CHECK_FALSE(after.is_new);
  CHECK(after.out == "here " + std::to_string(shell) + "\n");
  table->end_all(0ms);
  CHECK(eventually([&] { return !lives(shell); }));
  CHECK(run(*this, "echo $stays").is_new);
}

TEST_CASE_METHOD(Sessions, "a stand-in that somebody kills does not leave the session hanging") {
  const auto started = begin(
      "kill -9 $(ps -eo pid,comm | awk -v p=selfagent-cmd '$2 == p {print $1}' "
      "| while read p; do [ \"$(readlink /proc/$p/fd/1)\" = "
      "\"$(readlink /proc/$$/fd/1)\" ] && echo $p; done); sleep 1000");
  const Ran ran = result_of(started);
  CHECK(ran.shell_ended);
  CHECK(run(*this, "echo anew").is_new);
}

TEST_CASE_METHOD(Sessions, "sessions that nobody uses end, and there are not too many") {
  ShellSessions few(sandbox, *table, {50ms, 2});
  const auto first = few.start({"a", "sleep 1000 & echo $!", "", {}, "", {}});
  result_of(first);
  result_of(few.start({"b", "true", "", {}, "", {}}));
  CHECK(eventually([&] { return few.names().empty(); }));
  CHECK(result_of(few.start({"c", "true", "", {}, "", {}})).is_new);
  ShellSessions two(sandbox, *table, {1h, 2});
  result_of(two.start({"d", "true", "", {}, "", {}}));
  CHECK(eventually([&] { return few.names().empty(); }));
}

TEST_CASE("sessions of another user", "[user]") {
  if (!can_switch_users()) return;
  Sessions sessions("nobody");
  const Ran ran = run(sessions, "id -un; echo e >&2; (exit 3)");
  CHECK(ran.out == "nobody\n");
  CHECK(ran.err == "e\n");
  CHECK(ran.exit_code == 3);
  const auto started = sessions.begin("echo set; while :; do sleep 0.05; done");
  REQUIRE(writes(started.process, "set\n"));
  started.process->end(2000ms);
  CHECK(result_of(started).exit_code == 130);
  CHECK(run(sessions, "echo > /dev/stdout; exit 4").exit_code == 4);
}

namespace {

void leave_nothing(Sessions& sessions, int commands) {
  run(sessions, "n=0");
  const auto started = sessions.begin("true");
  result_of(started);
  const pid_t shell = started.shell->state().pid;
  const size_t before = descriptors_of(shell);
  const size_t mine = descriptors_of(::getpid());
  for (int i = 1; i <= commands; ++i) {
    const Ran ran = run(sessions, "n=$((n + 1)); echo $n; (exit " + std::to_string(i % 100) + ")");
    REQUIRE(ran.out == std::to_string(i) + "\n");
    REQUIRE(ran.exit_code == i % 100);
  }
  // A shell closes those of a command a moment after it has told the exit code.
  CHECK(eventually([&] { return descriptors_of(shell) <= before; }));
  // And three of the keeper that waits for the next program.
  CHECK(eventually([&] { return descriptors_of(::getpid()) <= mine + 3; }));
  // Not in a pipe, whose other programs may be there already, or not yet.
  CHECK(run(sessions, "jobs -p; pgrep -P $$ > children; wc -l < children").out == "0\n");
}

}  // namespace

TEST_CASE_METHOD(Sessions, "many commands leave nothing behind in their shell") {
  leave_nothing(*this, 200);
}

TEST_CASE_METHOD(Sessions, "ten thousand commands leave nothing behind in their shell", "[.long]") {
  leave_nothing(*this, 10'000);
}
