#include "process/foreground.h"

#include "catch.h"
#include "process/process_table.h"
#include "process/scratch.h"

using namespace selfagent;
using namespace std::chrono_literals;

TEST_CASE("what runs on a terminal is known by its name, and a waiting shell runs nothing") {
  const Scratch scratch;
  const Sandbox sandbox{{"", scratch.path(), ":77"}};
  ProcessTable::Settings settings;
  settings.folder = scratch.path() / "processes";
  ProcessTable table(sandbox, settings);
  ProcessRequest request;
  request.argv = {"bash", "--norc"};
  request.terminal = true;
  const ProcessPtr shell = table.start(request);
  const pid_t pid = shell->state().pid;
  const auto runs = [&](const std::string& name) {
    return eventually([&] { return running_under(pid) == name; });
  };

  CHECK(runs(""));
  shell->write("sleep 1000\n");
  CHECK(runs("sleep"));
  shell->write("\x03");
  CHECK(runs(""));
  shell->write("tail -f /dev/null &\n");
  CHECK(runs("tail"));
  table.end_all(0ms);
  CHECK(runs(""));
}
