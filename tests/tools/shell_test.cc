#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <optional>
#include <thread>

#include "base/utf8.h"
#include "call.h"
#include "process/jail.h"
#include "process/output.h"

namespace selfagent {

TEST_CASE("shell returns exit code and both streams, and a failing command is no error") {
  Workshop workshop;
  const auto text = workshop.text("shell", {{"command", "echo out; echo err >&2; exit 3"}});
  CHECK_THAT(text, Catch::Matchers::StartsWith("exit code 3 after "));
  CHECK_THAT(text, Catch::Matchers::EndsWith(" ms\nstdout:\nout\nstderr:\nerr"));
  CHECK_THAT(workshop.text("shell", {{"command", "true"}}),
             ContainsSubstring("stdout: (empty)\nstderr: (empty)"));
  CHECK_THAT(workshop.text("shell", {{"command", "kill -9 $$"}}),
             ContainsSubstring("killed by signal 9"));
}

TEST_CASE("shell starts in the workspace, or in cwd, with env") {
  Workshop workshop;
  workshop.scratch.write("sub/x", "");
  const auto where = [&](const Json& arguments) { return workshop.text("shell", arguments); };
  CHECK_THAT(where({{"command", "pwd"}}),
             ContainsSubstring("stdout:\n" + workshop.scratch.path().string() + "\n"));
  CHECK_THAT(where({{"command", "pwd"}, {"cwd", "sub"}}),
             ContainsSubstring(workshop.scratch / "sub"));
  CHECK_THAT(where({{"command", "echo $A-$DISPLAY"}, {"env", {{"A", "b c"}}}}),
             ContainsSubstring("b c-:77"));
  CHECK_THAT(where({{"command", "pwd"}, {"cwd", "nowhere"}}),
             ContainsSubstring("ERROR shell failed: cannot start in the folder"));
}

TEST_CASE("shell does not kill what takes longer, and says how to go on") {
  Workshop workshop;
  // Long enough for a busy machine to begin it.
  const auto result = workshop.call(
      "shell", {{"command", "echo begun; until [ -e go ]; do sleep 0.01; done; echo done; exit 4"},
                {"timeout_ms", 3000}});
  CHECK_FALSE(result.is_error);
  const std::string& text = result.content[0].text;
  CHECK_THAT(text, Catch::Matchers::StartsWith("still running after "));
  CHECK_THAT(text, ContainsSubstring("stdout:\nbegun\n"));
  const std::string id = result.structured.at("id");
  CHECK_THAT(text, ContainsSubstring("process_read id=" + id + " offset=6"));
  CHECK(result.structured.at("still_running") == true);
  workshop.scratch.write("go", "");
  const auto end = workshop.call(
      "process_read", {{"id", id}, {"offset", 6}, {"wait_ms", 20'000}, {"until_exit", true}});
  CHECK_THAT(end.content[0].text, ContainsSubstring("exit code 4; waited until it has ended"));
  CHECK(end.structured.at("output") == "done\n");
  CHECK(end.structured.at("exit_code") == 4);
}

/// A shell tool whose daemon is killed: the next one has another table.
struct KilledDaemon {
  KilledDaemon() { next(); }
  ~KilledDaemon() { table->end_all(milliseconds(0)); }

  void next() {
    table.reset();
    table.emplace(sandbox, ProcessTable::Settings{kept.path() / "processes"});
  }
  ToolContext context(const std::string& call = "j-1/c1") {
    ToolContext made{desktop, sandbox, {}, deadline};
    made.processes = &*table;
    made.durable_id = call;
    return made;
  }
  // Its result is lost with the daemon.
  void begin(const Json& arguments) {
    deadline = Deadline::after(milliseconds(1));
    ToolContext now = context();
    REQUIRE(call_tool(tool, arguments, now).structured.at("still_running") == true);
    deadline = Deadline::never();
  }
  Resumption resumption(const Json& arguments, const std::string& call = "j-1/c1") {
    ToolContext now = context(call);
    return resumption_of(&tool, arguments, now);
  }

  const Scratch scratch;
  const Scratch kept;
  Sandbox sandbox{{"", scratch.path(), ":77"}};
  FakeDesktop desktop;
  Tool tool = shell();
  Deadline deadline = Deadline::never();
  std::optional<ProcessTable> table;
};

TEST_CASE(
    "shell goes on with a command during which the daemon was killed, and runs nothing again") {
  KilledDaemon daemon;
  const Json arguments = {
      {"command",
       "echo once >> log; echo begun; until [ -e go ]; do sleep 0.01; done; echo done; exit 4"},
      {"timeout_ms", 600'000}};
  daemon.begin(arguments);
  daemon.next();
  if (GENERATE(false, true)) {  // it may have ended before the next daemon is there
    daemon.scratch.write("go", "");
    daemon.table->started_by("j-1/c1")->wait_for_end(Deadline::after(std::chrono::seconds(20)), {});
    daemon.next();
  }
  const Resumption resumption = daemon.resumption(arguments);
  REQUIRE(resumption);
  daemon.scratch.write("go", "");
  ToolContext now = daemon.context();
  const ToolResult result = resume_call(daemon.tool, resumption, now);
  const std::string text = result.all_text();
  const std::string id = daemon.table->list().front()->info().id;
  CHECK_THAT(text, Catch::Matchers::StartsWith("exit code 4 after "));
  CHECK_THAT(text, ContainsSubstring("\n[the daemon was killed during this call"));
  CHECK_THAT(text, ContainsSubstring("started once, as process " + id));
  CHECK_THAT(text, ContainsSubstring("stdout:\nbegun\ndone\n"));
  CHECK(result.structured.at("id") == id);
  CHECK(daemon.table->list().size() == 1);
  CHECK(daemon.scratch.read("log") == "once\n");
}

TEST_CASE(
    "shell counts the time before the daemon was killed, and tells that a command still runs") {
  KilledDaemon daemon;
  const Json arguments = {{"command", "exec sleep 1000"}, {"timeout_ms", 1}};
  daemon.begin(arguments);
  daemon.next();
  ToolContext now = daemon.context();
  const std::string text = resume_call(daemon.tool, daemon.resumption(arguments), now).all_text();
  const std::string id = daemon.table->list().front()->info().id;
  CHECK_THAT(text, ContainsSubstring("still running after "));
  CHECK_THAT(text, ContainsSubstring("process_read id=" + id + " offset=0"));
}

TEST_CASE("shell does not go on with what it does not know for certain") {
  KilledDaemon daemon;
  const Json arguments = {{"command", "exec sleep 1000"}};
  daemon.begin(arguments);
  daemon.next();
  CHECK(daemon.resumption(arguments));
  CHECK_FALSE(daemon.resumption(arguments, "j-1/c2"));
  CHECK_FALSE(daemon.resumption(arguments, ""));
  CHECK_FALSE(daemon.resumption({{"command", "exec sleep 1000"}, {"session", "s"}}));
  CHECK_FALSE(daemon.resumption({{"commando", "x"}}));
  // A process without a keeper ended, and nobody knows how far it came.
  const ProcessPtr process = daemon.table->started_by("j-1/c1");
  std::ifstream file("/proc/" + std::to_string(process->state().pid) + "/stat");
  const std::string stat{std::istreambuf_iterator<char>(file), {}};
  ::kill(std::stoi(stat.substr(stat.rfind(')') + 4)), SIGKILL);
  process->wait_for_end(Deadline::after(std::chrono::seconds(20)), {});
  CHECK_FALSE(daemon.resumption(arguments));
  ::kill(process->state().pid, SIGKILL);
}

TEST_CASE("shell kills when it is told to, everything that the command started") {
  Workshop workshop;
  const auto text = workshop.text(
      "shell",
      {{"command", "setsid sleep 1000 & echo begun $!; sleep 1000"}, {"kill_after_ms", 3000}});
  CHECK_THAT(text, Catch::Matchers::StartsWith("ERROR killed after "));
  const auto at = text.find("begun ");
  REQUIRE(at != std::string::npos);
  CHECK(::kill(std::stoi(text.substr(at + 6)), 0) != 0);
}

TEST_CASE("shell honours the deadline and the stop token of the call") {
  Workshop workshop;
  workshop.deadline = Deadline::after(milliseconds(100));
  CHECK_THAT(workshop.text("shell", {{"command", "sleep 1000"}}),
             Catch::Matchers::StartsWith("still running"));
  workshop.deadline = Deadline::never();
  {
    const std::jthread stopper([&] {
      eventually([&] { return std::filesystem::exists(workshop.scratch / "begun"); });
      workshop.stop.request_stop();
    });
    CHECK_THAT(workshop.text("shell", {{"command", "touch begun; sleep 1000"}}),
               ContainsSubstring("ERROR cancelled"));
  }
  CHECK_THAT(workshop.text("shell", {{"command", "echo > never"}}),
             ContainsSubstring("cancelled before"));
  CHECK(workshop.scratch.read("never").empty());
}

TEST_CASE("shell's output that is no UTF-8 does not break the reply") {
  Workshop workshop;
  const auto text =
      workshop.text("shell", {{"command", R"(printf 'a\0\xff\xfe'; printf '\xe7' >&2)"}});
  CHECK(is_utf8(text));
  CHECK_THAT(text, ContainsSubstring("a\xE2\x90\x80\xEF\xBF\xBD\xEF\xBF\xBD"));
}

TEST_CASE("shell leaves the middle of long output out and says how much") {
  Workshop workshop;
  const auto result = workshop.call("shell", {{"command", "seq 1 1000000"}});
  const std::string& text = result.content[0].text;
  CHECK(count_characters(text) < 30'200);
  CHECK_THAT(text, ContainsSubstring("stdout:\n1\n2\n3\n"));
  CHECK_THAT(text, ContainsSubstring("bytes are left out here"));
  CHECK_THAT(text, ContainsSubstring("\n1000000\nstderr: (empty)"));
  const std::string id = result.structured.at("id");
  CHECK_THAT(text, ContainsSubstring("process_read id=" + id + " offset=15000 shows it\n"));
  // 9 * 2 + 90 * 3 + 900 * 4 bytes, then 5 for each number: the gap is in 3222.
  CHECK_THAT(text, ContainsSubstring("\n3221\n32\n[..."));
  const auto rest = workshop.call("process_read", {{"id", id}, {"offset", 15000}, {"limit", 8}});
  CHECK(rest.structured.at("output") == "22\n3223\n");
  const auto both = workshop.text(
      "shell", {{"command", "seq 1 100000; seq 1 100000 >&2; echo last; echo end >&2"}});
  CHECK(count_characters(both) < 30'300);
  CHECK_THAT(both, ContainsSubstring("last\nstderr:\n1\n"));
  CHECK_THAT(both, Catch::Matchers::EndsWith("\nend"));
  CHECK_THAT(both, ContainsSubstring(" offset=7500 shows it\n"));
  // A short second stream leaves its room to the first.
  const auto one = workshop.text("shell", {{"command", "printf '%020000d' 7; echo e >&2"}});
  CHECK_THAT(one, !ContainsSubstring("left out"));
}

TEST_CASE("shell tells of a child left in the background") {
  Workshop workshop;
  const auto text = workshop.text(
      "shell",
      {{"command", "(for i in {1..3000}; do [ -e go ] && break; sleep 0.01; done) & echo hi"}});
  CHECK_THAT(text, ContainsSubstring("exit code 0"));
  CHECK_THAT(text, ContainsSubstring("a background process still runs"));
  workshop.scratch.write("go", "");
}

TEST_CASE("shell reports progress after a second") {
  Workshop workshop;
  std::string said;
  workshop.progress = [&](double part, const std::string& message) {
    said = message;
    CHECK(part > 0);
    CHECK(part < 1);
    // The first may come before the output.
    if (message.ends_with(" s, 6 bytes of output")) workshop.scratch.write("ticked", "");
  };
  workshop.text("shell", {{"command", "echo hello; while [ ! -e ticked ]; do sleep 0.01; done"}});
  // On a busy machine it is not the first second.
  REQUIRE_THAT(said, Catch::Matchers::EndsWith(" s, 6 bytes of output"));
  CHECK(std::stoi(said) >= 1);
  CHECK(said == std::to_string(std::stoi(said)) + " s, 6 bytes of output");
}

TEST_CASE("shell's parameters are checked by name") {
  Workshop workshop;
  CHECK_THROWS_AS(workshop.call("shell", {{"command", ""}}), ParameterError);
  CHECK_THROWS_AS(workshop.call("shell", {{"command", "x"}, {"timeout_ms", 600'001}}),
                  ParameterError);
  CHECK_THROWS_AS(workshop.call("shell", {{"command", "x"}, {"env", {{"A", 1}}}}), ParameterError);
  CHECK_THROWS_AS(workshop.call("shell", {{"command", "x"}, {"session", ""}}), ParameterError);
  CHECK_THROWS_AS(workshop.call("shell", {{"command", "x"}, {"sesion", "a"}}), ParameterError);
}

TEST_CASE("limits end a program with the signal that belongs to them, and the answer says which") {
  Workshop workshop;
  const auto limited = [&](const std::string& command, const Json& limits) {
    return workshop.call("shell",
                         {{"command", command}, {"limits", limits}, {"timeout_ms", 300'000}});
  };
  // The loop is the shell itself, so its own end is the command's.
  const auto cpu = limited("while :; do :; done", {{"cpu_s", 1}});
  CHECK(cpu.structured.at("signal") == SIGXCPU);
  CHECK_THAT(cpu.content.back().text, ContainsSubstring("limits.cpu_s=1 ended it (SIGXCPU)"));
  // And a child's end is what the shell makes of it.
  const auto child = limited("head -c 3000000 /dev/zero > big; echo $?", {{"file_mb", 1}});
  CHECK_THAT(child.structured.at("stdout").get<std::string>(), Catch::Matchers::StartsWith("153"));
  CHECK(std::filesystem::file_size(workshop.scratch / "big") == 1 << 20);
  const auto file = limited("exec head -c 3000000 /dev/zero > big", {{"file_mb", 1}});
  CHECK(file.structured.at("signal") == SIGXFSZ);
  CHECK(file.structured.at("limits").get<std::string>().starts_with("limits.file_mb=1 ended it"));
  const auto memory =
      limited("python3 -c 'x = bytearray(300 << 20); print(len(x))'", {{"memory_mb", 200}});
  CHECK(memory.structured.at("exit_code") == 1);
  CHECK_THAT(memory.structured.at("stderr").get<std::string>(), ContainsSubstring("MemoryError"));
  CHECK_THAT(memory.content.back().text, ContainsSubstring("memory_mb=200 (an allocation"));
  const auto files = limited("ulimit -n; exit 1", {{"files", 33}});
  CHECK(files.structured.at("stdout") == "33\n");
}

TEST_CASE("limits lower the priority of a program, and what is no limit is refused by name") {
  Workshop workshop;
  const auto result =
      workshop.call("shell", {{"command", "nice; ionice; cat /proc/self/oom_score_adj; ulimit -t"},
                              {"limits", {{"nice", 7}, {"low_priority", true}}}});
  const int niceness = std::min(19, ::getpriority(PRIO_PROCESS, 0) + 7);
  CHECK(result.structured.at("stdout") == std::to_string(niceness) + "\nidle\n500\nunlimited\n");
  CHECK_FALSE(result.structured.contains("limits"));
  const auto refused = [&](const Json& limits) {
    try {
      return workshop.text("shell", {{"command", "true"}, {"limits", limits}});
    } catch (const ParameterError& error) {
      return std::string(error.what());
    }
  };
  CHECK_THAT(refused({{"memory", 5}}), ContainsSubstring("did you mean \"memory_mb\""));
  CHECK_THAT(refused({{"nice", -5}}), ContainsSubstring("nice=-5 is outside 0 to 19"));
  CHECK_THAT(refused({{"cpu_s", 0}}), ContainsSubstring("limits: cpu_s=0 is outside"));
}

// As a user of its own, whose processes are counted: root's are not.
TEST_CASE("a program that starts too many others gets no more, and the daemon stays") {
  if (!can_switch_users()) return;
  Workshop workshop("nobody");
  const auto result =
      workshop.call("shell", {{"command", "for i in $(seq 60); do sleep 100 & done; wait -n"},
                              {"limits", {{"processes", 40}}},
                              {"kill_after_ms", 20'000}});
  CHECK_THAT(result.structured.at("stderr").get<std::string>(),
             ContainsSubstring("Resource temporarily unavailable"));
  CHECK_THAT(workshop.text("shell", {{"command", "echo still here"}}),
             ContainsSubstring("still here"));
}

TEST_CASE("an isolated command sees a copy of the workspace, and says what isolated it") {
  Workshop workshop(can_switch_users() ? "nobody" : "");
  if (!workshop.sandbox.jails().support(workshop.sandbox).hides_files()) {
    std::cerr << "SKIPPED: this kernel has neither Landlock nor namespaces for everyone\n";
    return;
  }
  workshop.scratch.write("sub/file", "kept\n");
  REQUIRE(::chown((workshop.scratch / "sub").c_str(), workshop.sandbox.uid(),
                  workshop.sandbox.gid()) == 0);
  const auto result =
      workshop.call("shell", {{"command", "cat file; echo x > made && pwd; echo $A; nice; exit 5"},
                              {"cwd", "sub"},
                              {"env", {{"A", "b"}}},
                              {"limits", {{"nice", 19}}},
                              {"isolate", true},
                              {"workspace", "copy"}});
  CHECK(result.structured.at("exit_code") == 5);
  const std::string out = result.structured.at("stdout");
  CHECK_THAT(out, Catch::Matchers::StartsWith("kept\n/var/tmp/selfagent-jails-"));
  CHECK_THAT(out, Catch::Matchers::EndsWith("/workspace/sub\nb\n19\n"));
  CHECK_FALSE(std::filesystem::exists(workshop.scratch / "sub/made"));
  const Json& isolation = result.structured.at("isolation");
  CHECK(isolation.at("seccomp") == true);
  CHECK(isolation.at("network") == "on");
  const auto empty = workshop.call("shell", {{"command", "ls -A; (exec 3<>/dev/tcp/127.0.0.1/9)"},
                                             {"isolate", true},
                                             {"network", false},
                                             {"workspace", "empty"}});
  CHECK(empty.structured.at("stdout") == "");
  CHECK(empty.structured.at("isolation").at("network") == "off");
  CHECK(empty.structured.at("isolation").at("workspace") == "empty");
  const auto cpu = workshop.call("shell", {{"command", "while :; do :; done"},
                                           {"isolate", true},
                                           {"limits", {{"cpu_s", 1}}},
                                           {"timeout_ms", 300'000}});
  CHECK_THAT(cpu.structured.at("limits").get<std::string>(), ContainsSubstring("limits.cpu_s=1"));
  const auto refused = [&](Json arguments) {
    arguments["command"] = "true";
    try {
      return workshop.text("shell", arguments);
    } catch (const ParameterError& error) {
      return std::string(error.what());
    }
  };
  CHECK_THAT(refused({{"isolate", true}, {"cwd", "/etc"}}),
             ContainsSubstring("outside the workspace"));
  CHECK_THAT(refused({{"network", false}}), ContainsSubstring("needs isolate: true"));
}

TEST_CASE("killing an isolated command leaves nothing of it") {
  Workshop workshop;
  if (!workshop.sandbox.jails().support(workshop.sandbox).hides_files()) return;
  const std::string seconds = std::to_string(3'000'000 + ::getpid());
  const auto killed = workshop.call("shell", {{"command", "setsid sleep " + seconds + " & wait"},
                                              {"isolate", true},
                                              {"kill_after_ms", 300}});
  CHECK(killed.structured.at("timed_out") == true);
  CHECK(workshop.call("shell", {{"command", "pgrep -xf 'sleep " + seconds + "'"}})
            .structured.at("stdout") == "");
}

}  // namespace selfagent
