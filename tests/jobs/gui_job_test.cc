// Scripts of tool calls.
#include "jobs/gui_job.h"

#include "jobs/world.h"

namespace selfagent {
namespace {

TEST_CASE("a gui script runs its lines in order and records each action") {
  World world;
  const Job job = world.run("gui", "# open it\n\nclick 10 20\r\n  type \"hello\\n\"\nscreenshot\n");
  CHECK(job.error == "");
  CHECK(job.state == JobState::succeeded);
  CHECK_FALSE(job.exit_code);
  CHECK(world.runner().status(job.id).out ==
        "> click 10 20\nclicked 10 20\n> type \"hello\\n\"\nhello\n\n> screenshot\n2x1\n"
        "picture: 005-screenshot.png\n");
  CHECK(content(world.workspace(job.id) / "005-screenshot.png") == "not really a png");

  std::vector<Event> actions;
  for (const auto& event : world.store->events("", job.id, 0, 100)) {
    if (event.kind.rfind("action_", 0) == 0) actions.push_back(event);
  }
  REQUIRE(actions.size() == 6);
  CHECK(actions[0].kind == "action_intent");
  CHECK(dump_json(actions[0].data) ==
        R"({"call_id":"line-3","tool":"click","arguments":{"x":10,"y":20}})");
  CHECK(actions[1].kind == "action_result");
  CHECK(actions[1].data["call_id"] == "line-3");
  CHECK(actions[1].data["ok"] == true);
  CHECK(actions[1].data["text"] == "clicked 10 20");
  CHECK(actions[1].data["elapsed_ms"] >= 0);
  const Json images = actions[5].data["images"];
  REQUIRE(images.size() == 1);
  CHECK(images[0]["mime"] == "image/png");
  CHECK(images[0]["width"] == 2);
  CHECK(world.store->blob(images[0]["sha256"]) == "not really a png");
}

TEST_CASE("a gui script stops at the first line that fails") {
  World world;
  const Job job = world.run("gui", "click 1 1\nfail\nclick 2 2");
  CHECK(job.state == JobState::failed);
  CHECK(job.error == "line 2: fail failed: there is no window 7");
  const JobStatus status = world.runner().status(job.id);
  CHECK(status.out == "> click 1 1\nclicked 1 1\n> fail\n");
  CHECK(status.err == "fail failed: there is no window 7\n");

  const Job range = world.run("gui", "click 1 1\nclick 101 1");
  CHECK(range.state == JobState::failed);
  CHECK(range.error == "line 2: click refused: x=101 is outside 0 to 100");
}

TEST_CASE("a gui script can be cancelled and has a time limit") {
  World world;
  EventWatch watch(*world.store);
  const std::string id = world.submit("gui", "hang\nclick 1 1");
  watch.wait_for_output(id, "> hang");
  const Job job = world.runner().cancel(id);
  CHECK(job.state == JobState::cancelled);
  CHECK(job.error == "cancelled at line 1");
  const Job late = world.run("gui", "hang\nclick 1 1", 1);
  CHECK(late.state == JobState::failed);
  CHECK(late.error == "line 1: the job was stopped at its limit, timeout_s=1");
}

}  // namespace
}  // namespace selfagent
