// The kernel of Python, against the real ipykernel.
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "workbench.h"

namespace selfagent {
namespace {

namespace fs = std::filesystem;

KernelCall within(milliseconds time) { return {.until = Deadline::after(time)}; }

}  // namespace

TEST_CASE("Python keeps its state between calls, in each session its own") {
  Workbench bench;
  const KernelAnswer first = bench.run("import os\nx = 20\nprint('hello')\nos.getcwd()");
  CHECK(first.end == End::done);
  CHECK(first.fresh);
  CHECK(first.run == 1);
  CHECK(first.shown.text == "hello\nOut[1]: '" + bench.scratch.path().string() + "'\n");
  const KernelAnswer second = bench.run("x += 1\nx * 2");
  CHECK_FALSE(second.fresh);
  CHECK(second.shown.text == "Out[2]: 42\n");
  CHECK(second.process == first.process);
  CHECK_THAT(bench.text("x", {.session = "other"}), ContainsSubstring("NameError"));
  CHECK(bench.processes.find(first.process)->info().command == "kernel python default");
  const KernelAnswer fresh = bench.run("x", {.restart = true});
  CHECK(fresh.end == End::failed);
  CHECK(fresh.fresh);
  CHECK_THAT(fresh.shown.text, ContainsSubstring("NameError: name 'x' is not defined"));
}

TEST_CASE("Python finds the modules of the workspace, but not before it has started") {
  Workbench bench;
  bench.scratch.write("part.py", "value = 7");
  bench.scratch.write("socket.py", "raise Exception('not this one')");
  CHECK(bench.text("import part; part.value") == "Out[1]: 7\n");
  CHECK(bench.text("import debugpy; debugpy.__name__") == "Out[2]: 'debugpy'\n");
}

TEST_CASE("Python shows the traceback of an error, and the state survives it") {
  Workbench bench;
  const KernelAnswer answer = bench.run("y = 7\ndef f():\n    return 1 / 0\nprint('before')\nf()");
  CHECK(answer.end == End::failed);
  CHECK_THAT(answer.shown.text, Catch::Matchers::StartsWith("before\n"));
  CHECK_THAT(answer.shown.text, ContainsSubstring("return 1 / 0"));
  CHECK_THAT(answer.shown.text, ContainsSubstring("ZeroDivisionError: division by zero\n"));
  CHECK(answer.shown.text.find('\x1b') == std::string::npos);
  CHECK(bench.run("y").shown.text == "Out[2]: 7\n");
  CHECK_THAT(bench.text("input('name? ')"), ContainsSubstring("does not support input requests"));
  CHECK_THAT(bench.text("len?"), ContainsSubstring("Return the number of items in a container"));
}

TEST_CASE("Python shows what its programs write, and pictures as they are") {
  Workbench bench;
  CHECK_THAT(bench.text("import os, sys; os.system('echo from below'); sys.stderr.write('err')"),
             ContainsSubstring("from below"));
  const KernelAnswer answer = bench.run(
      "import base64\nfrom IPython.display import Image, display\n"
      "display(Image(base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
      "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==')))\nprint('after')");
  REQUIRE(answer.shown.pictures.size() == 1);
  CHECK(answer.shown.pictures[0]->width == 1);
  CHECK(answer.shown.pictures[0]->mime == "image/png");
  CHECK(answer.shown.text == "[picture 1: 1x1, below]\nafter\n");
}

TEST_CASE("code that takes longer goes on, and an empty call waits for it") {
  Workbench bench;
  CHECK(bench.leave("import os, time\nprint('begun', flush=True)\n"
                    "while not os.path.exists('go'): time.sleep(0.01)\n'end'",
                    "begun\n") == "begun\n");
  CHECK(bench.run("", within(milliseconds(1))).end == End::still_running);
  CHECK_THROWS_WITH(bench.run("1", within(milliseconds(50))),
                    ContainsSubstring("still runs the code of an earlier call"));
  bench.scratch.write("go", "");
  const KernelAnswer rest = bench.run("");
  CHECK(rest.end == End::done);
  CHECK(rest.run == 2);
  CHECK(rest.shown.text == "Out[2]: 'end'\n");
  CHECK(bench.run("").end == End::idle);
  CHECK(bench.run("", {.session = "unknown"}).end == End::idle);
}

TEST_CASE("the stop token and interrupt: true interrupt the code, and the state stays") {
  Workbench bench;
  CHECK(bench.leave("z = 5; import time; print('on', flush=True); time.sleep(1000)", "on\n") ==
        "on\n");
  const KernelAnswer answer = bench.run("", {.interrupt = true});
  CHECK(answer.end == End::interrupted);
  CHECK_THAT(answer.shown.text, ContainsSubstring("KeyboardInterrupt"));
  CHECK(bench.run("", {.interrupt = true}).end == End::idle);
  {
    const std::jthread stopper([&] {
      eventually([&] { return fs::exists(bench.scratch.path() / "spinning"); });
      bench.stop.request_stop();
    });
    const KernelAnswer stopped = bench.run("open('spinning', 'w')\nwhile True: pass");
    CHECK(stopped.end == End::interrupted);
  }
  CHECK_THROWS_WITH(bench.run("z"), ContainsSubstring("cancelled before"));
  bench.stop = std::stop_source();
  CHECK_THAT(bench.text("z"), ContainsSubstring(": 5\n"));
}

TEST_CASE("code that ignores an interrupt loses its kernel, and both answers say so") {
  Workbench bench("", {.interrupt_grace = milliseconds(300)});
  CHECK(bench.leave("import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, [2])\n"
                    "print('deaf', flush=True)\nwhile True: time.sleep(1)",
                    "deaf\n") == "deaf\n");
  const KernelAnswer answer = bench.run("", {.interrupt = true});
  CHECK(answer.end == End::ended);
  CHECK_THAT(answer.reason, ContainsSubstring("of being interrupted and was ended"));
  const KernelAnswer next = bench.run("1");
  CHECK(next.fresh);
  CHECK_THAT(next.lost, ContainsSubstring("of being interrupted and was ended"));
}

TEST_CASE("a kernel that dies says how, and the next call says that its state is new") {
  Workbench bench;
  const KernelAnswer killed =
      bench.run("import os; print('last', flush=True); os.kill(os.getpid(), 9)");
  CHECK(killed.end == End::ended);
  CHECK_THAT(killed.reason, ContainsSubstring("killed by signal 9"));
  const KernelAnswer again = bench.run("import sys; sys.__stderr__.write('words\\n'); os = 1");
  CHECK(again.end == End::done);
  CHECK(again.fresh);
  CHECK_THAT(again.lost, ContainsSubstring("killed by signal 9"));
  const KernelAnswer exited = bench.run("import os; os.write(2, b'last words\\n'); os._exit(3)");
  CHECK(exited.end == End::ended);
  CHECK_THAT(exited.reason, ContainsSubstring("exit code 3"));
  CHECK(bench.leave("import os, time\nprint('on', flush=True)\n"
                    "while not os.path.exists('go'): time.sleep(0.01)\nos._exit(4)",
                    "on\n") == "on\n");
  bench.scratch.write("go", "");
  const KernelAnswer late = bench.run("");
  CHECK(late.end == End::ended);
  CHECK_THAT(late.reason, ContainsSubstring("exit code 4"));
  CHECK(bench.run("").end == End::idle);
  const KernelAnswer left = bench.run("print('bye'); exit()");
  CHECK(left.end == End::ended);
  CHECK(left.shown.text == "bye\n");
  CHECK_THAT(left.reason, ContainsSubstring("was ended by the code"));
}

TEST_CASE("an idle kernel ends, and of too many the one idle longest") {
  Workbench bench("", {.idle = milliseconds(400)});
  const std::string process = bench.run("1").process;
  CHECK(eventually([&] { return bench.processes.find(process)->state().is_over(); }));
  CHECK_THAT(bench.run("1").lost, ContainsSubstring("was not used for"));

  Workbench small("", {.most = 1});
  const std::string first = small.run("1", {.session = "a"}).process;
  CHECK(small.run("1", {.session = "b"}).end == End::done);
  CHECK(eventually([&] { return small.processes.find(first)->state().is_over(); }));
  CHECK_THAT(small.run("1", {.session = "a"}).lost, ContainsSubstring("to make room"));
}

TEST_CASE("the kernel runs as the sandbox user, with a folder that only it may enter") {
  if (::geteuid() != 0) SUCCEED("needs root");
  if (::geteuid() != 0) return;
  Workbench bench("nobody");
  CHECK_THAT(bench.text("import os; os.getuid()"), ContainsSubstring("65534"));
  const std::string folder = [&] {
    const std::string text =
        bench.text("import ipykernel; print(os.path.dirname(ipykernel.get_connection_file()))");
    return text.substr(0, text.find('\n'));
  }();
  struct stat info{};
  REQUIRE(::stat(folder.c_str(), &info) == 0);
  CHECK(info.st_uid == 65534);
  CHECK((info.st_mode & 0777) == 0700);
  REQUIRE(::stat((folder + "/connection.json").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  // The threads of ZeroMQ connect to paths in that folder, with the same rights and no more.
  int background = 0;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    std::string name;
    std::getline(status, name);
    if (name.find("ZMQbg") == std::string::npos) continue;
    ++background;
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("Uid:")) CHECK_THAT(line, Catch::Matchers::EndsWith("\t65534"));
    }
  }
  CHECK(background >= 2);
}

}  // namespace selfagent
