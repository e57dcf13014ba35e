// Kernels whose daemon was killed: those of one set, which a second set finds as a new daemon does.
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <utime.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/unique_fd.h"
#include "kernel/kernel_folder.h"
#include "kernel/kernel_record.h"
#include "workbench.h"

namespace selfagent {
namespace {

/// A new daemon on the kernels of `bench`.
struct LaterDaemon {
  explicit LaterDaemon(Workbench& bench, Kernels::Settings settings = {})
      : kernels(bench.sandbox, bench.processes, std::move(settings)) {}

  KernelAnswer run(const std::string& code, KernelCall call = {}) {
    call.code = code;
    call.session = "default";
    return kernels.run(call, {});
  }

  Kernels kernels;
};

/// An old folder as a daemon makes them for kernels.
std::filesystem::path old_kernel_folder() {
  std::string path = "/tmp/selfagent-kernel-XXXXXX";
  REQUIRE(::mkdtemp(path.data()) != nullptr);
  return path;
}

void make_old(const std::filesystem::path& path) {
  const utimbuf long_ago{1'000'000'000, 1'000'000'000};
  REQUIRE(::utime(path.c_str(), &long_ago) == 0);
}

}  // namespace

TEST_CASE("kernels of a killed daemon go on with what they know") {
  const auto language = GENERATE(KernelLanguage::python, KernelLanguage::javascript);
  const bool python = language == KernelLanguage::python;
  Workbench bench;
  const std::string process =
      bench.run(python ? "x = 41" : "let x = 41", {.language = language}).process;
  LaterDaemon later(bench);
  const KernelAnswer answer = later.run("x + 1", {.language = language});
  CHECK(answer.end == End::done);
  CHECK(answer.shown.text == "Out[2]: 42\n");
  CHECK(answer.run == 2);
  CHECK(answer.process == process);
  CHECK_FALSE(answer.fresh);
  CHECK(answer.lost.empty());
  CHECK(later.run("", {.language = language}).end == End::idle);
  const KernelAnswer failed = later.run(python ? "1 / 0" : "null.x", {.language = language});
  CHECK(failed.end == End::failed);
  CHECK(later.run("x", {.language = language}).shown.text == "Out[4]: 41\n");
}

TEST_CASE("code that ran when the daemon was killed is waited for, and what it showed is lost") {
  const auto language = GENERATE(KernelLanguage::python, KernelLanguage::typescript);
  const bool python = language == KernelLanguage::python;
  Workbench bench;
  const std::string code = python ? "import os, time\nprint('on', flush=True)\n"
                                    "while not os.path.exists('go'): time.sleep(0.01)\n'end'"
                                  : "import { existsSync } from 'node:fs';\nconsole.log('on');\n"
                                    "while (!existsSync('go')) { Atomics.wait(new Int32Array(new "
                                    "SharedArrayBuffer(4)), 0, 0, 10); }\n'end'";
  CHECK(bench.leave(code, "on\n", {.language = language}) == "on\n");
  LaterDaemon later(bench);
  CHECK_THROWS_WITH(later.run("1", {.language = language}),
                    ContainsSubstring("still runs the code of an earlier call"));
  CHECK(later.run("", {.language = language, .until = Deadline::after(milliseconds(1))}).end ==
        End::still_running);
  bench.scratch.write("go", "");
  const KernelAnswer rest = later.run("", {.language = language});
  CHECK(rest.end == End::done);
  CHECK(rest.run == 2);
  CHECK(later.run("", {.language = language}).end == End::idle);
  CHECK(later.run("7", {.language = language}).shown.text == "Out[3]: 7\n");
}

TEST_CASE("code that ended while no daemon listened is said to have lost what it showed") {
  Workbench bench;
  bench.run("0");
  CHECK(bench.run("y = 8; print('unseen')", {.until = Deadline::after(milliseconds(0))}).end ==
        End::still_running);
  LaterDaemon later(bench);
  const KernelAnswer answer = later.run("");
  CHECK(answer.end == End::done);
  CHECK_THAT(answer.shown.text, ContainsSubstring("[the daemon was restarted before it told how"));
  CHECK_THAT(later.run("y").shown.text, ContainsSubstring(": 8\n"));
}

TEST_CASE("code of before the restart can be interrupted, and fails as it does") {
  Workbench bench;
  CHECK(bench.leave("z = 3; import time; print('on', flush=True); time.sleep(1000)", "on\n") ==
        "on\n");
  LaterDaemon later(bench);
  const KernelAnswer answer = later.run("", {.interrupt = true});
  CHECK(answer.end == End::interrupted);
  CHECK_THAT(answer.shown.text, ContainsSubstring("KeyboardInterrupt"));
  CHECK_THAT(later.run("z").shown.text, ContainsSubstring(": 3\n"));
}

TEST_CASE("a kernel that does not answer a new daemon is ended, and the next call says so") {
  Workbench bench;
  const std::string process = bench.run("1").process;
  REQUIRE(::kill(bench.processes.find(process)->state().pid, SIGSTOP) == 0);
  LaterDaemon later(bench, {.start = milliseconds(300)});
  CHECK(eventually([&] { return bench.processes.find(process)->state().is_over(); }));
  const KernelAnswer answer = later.run("");
  CHECK(answer.end == End::ended);
  CHECK_THAT(answer.reason, ContainsSubstring("did not answer within"));
}

TEST_CASE("a call right after the restart gets a new kernel instead of one that is deaf") {
  Workbench bench;
  const std::string process = bench.run("1").process;
  REQUIRE(::kill(bench.processes.find(process)->state().pid, SIGSTOP) == 0);
  LaterDaemon later(bench, {.start = milliseconds(3000)});
  CHECK_THROWS_WITH(later.run("2", {.until = Deadline::after(milliseconds(1))}),
                    ContainsSubstring("has not answered yet since the daemon was restarted"));
  const KernelAnswer answer = later.run("2");
  CHECK(answer.fresh);
  CHECK_THAT(answer.lost, ContainsSubstring("did not answer within 3 s"));
}

TEST_CASE("a kernel of which the daemon has no record is ended, and the next call says so") {
  Workbench bench;
  const std::string process = bench.run("1").process;
  remove_kernel_record(bench.processes.find(process)->folder());
  LaterDaemon later(bench);
  CHECK(eventually([&] { return bench.processes.find(process)->state().is_over(); }));
  const KernelAnswer answer = later.run("2");
  CHECK_THAT(answer.lost, ContainsSubstring("was ended when the daemon was restarted"));
  CHECK(answer.shown.text == "Out[1]: 2\n");
}

TEST_CASE("a kernel that a daemon ended and told nobody is told by the next one") {
  Workbench bench;
  const std::string process = bench.run("1").process;
  bench.processes.find(process)->end(milliseconds(0));
  REQUIRE(eventually([&] { return bench.processes.find(process)->state().is_over(); }));
  LaterDaemon later(bench);
  CHECK(later.run("2").lost == "had ended when the daemon was restarted");
  CHECK(later.run("2").lost.empty());
}

TEST_CASE("a kernel of an earlier daemon ends when nobody uses it") {
  Workbench bench;
  const std::string process = bench.run("1").process;
  const LaterDaemon later(bench, {.idle = milliseconds(400)});
  CHECK(eventually([&] { return bench.processes.find(process)->state().is_over(); }));
}

TEST_CASE("the record of a kernel is the daemon's alone, and goes with the folder of a dead one") {
  Workbench bench;
  const auto process = bench.processes.find(bench.run("1").process);
  struct stat info{};
  REQUIRE(::stat((process->folder() / "kernel").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(info.st_uid == ::geteuid());
  const auto record = read_kernel_record(process->folder());
  REQUIRE(record);
  CHECK(std::filesystem::exists(record->folder / "connection.json"));
  process->end(milliseconds(0));
  REQUIRE(eventually([&] { return process->state().is_over(); }));
  const LaterDaemon later(bench);
  CHECK_FALSE(std::filesystem::exists(record->folder));
  CHECK_FALSE(read_kernel_record(process->folder()));
  std::ofstream(process->folder() / "kernel") << "{\"language\":\"python\"}";
  CHECK_FALSE(read_kernel_record(process->folder()));
}

TEST_CASE("old folders in which no kernel listens are removed, and no others") {
  const Workbench bench;
  const auto abandoned = old_kernel_folder();
  std::ofstream(abandoned / "connection.json") << "{}";
  make_old(abandoned);
  const auto young = old_kernel_folder();
  const auto used = old_kernel_folder();
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = used / "socket-1";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(socket.get(), 1) == 0);
  make_old(used);
  remove_abandoned_kernel_folders(bench.sandbox);
  CHECK_FALSE(std::filesystem::exists(abandoned));
  CHECK(std::filesystem::exists(young));
  CHECK(std::filesystem::exists(used));
  std::filesystem::remove_all(young);
  std::filesystem::remove_all(used);
}

}  // namespace selfagent
