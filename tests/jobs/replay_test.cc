// Runs played back: what is compared, what is waited for, where it ends.
#include "image/png.h"
#include "jobs/recording.h"
#include "jobs/runner.h"
#include "jobs/world.h"

namespace selfagent {
namespace {

RecordedStep recorded(const std::string& text, bool ok = true) {
  RecordedStep step;
  step.tool = "click";
  step.ok = ok;
  step.text = text;
  return step;
}

std::string plain_png(uint8_t shade, int dots = 0) {
  Pixels pixels{20, 10, std::vector<uint8_t>(20 * 10 * 4, shade)};
  for (int i = 0; i < dots; ++i) pixels.bytes[static_cast<size_t>(i) * 4] ^= 0xff;
  return encode_png(pixels);
}

TEST_CASE("of an action on the screen, windows and whether anything changed are compared") {
  const std::string then =
      "clicked left at 5,6; 3.1% of the screen changed in 5,6 20x10; settled in 180 ms; active "
      "window: \"Editor\" (0x1a00003); opened: \"Save as\" (0x1a00009)";
  const auto compared = [&](const std::string& now) {
    return compare_texts(recorded(then), ToolResult::text(now));
  };
  CHECK(compared(then).empty());
  CHECK(compared("clicked left at 5,6; 2.7% of the screen changed in 4,4 22x12; settled at once; "
                 "active window: \"Editor\" (0x2b00003); opened: \"Save as\" (0x2b00001)")
            .empty());
  const auto nothing = compared(
      "clicked left at 5,6; nothing changed on the screen; active window: \"Editor\" (0x1a00003)");
  REQUIRE(nothing.size() == 1);
  CHECK(nothing[0] == "then \"the screen changed\", now \"nothing changed on the screen\"");
  const auto other = compared(
      "clicked left at 5,6; 3.1% of the screen changed in 5,6 20x10; settled "
      "in 9 ms; active window: \"Editor\" (0x1a00003)");
  REQUIRE(other.size() == 1);
  CHECK(other[0] == "then \"opened: \"Save as\" (ID)\", now nothing");
}

TEST_CASE("other results are compared line by line, but for times and ids") {
  const auto compared = [](const std::string& then, const std::string& now) {
    return compare_texts(recorded(then), ToolResult::text(now));
  };
  CHECK(compared("exit code 0 after 12 ms\nstdout:\nhello",
                 "exit code 0 after 340 ms\nstdout:\nhello")
            .empty());
  CHECK(compared("window 0x12ab", "window 0x34cd").empty());
  CHECK(compared("stdout:\none\ntwo", "stdout:\none\n2") ==
        std::vector<std::string>{"then \"two\", now \"2\""});
  CHECK(compare_texts(recorded("ok"), ToolResult::error("gone")) ==
        std::vector<std::string>{"it worked then and fails now: \"gone\""});
  CHECK(compare_texts(recorded("gone", false), ToolResult::text("ok")) ==
        std::vector<std::string>{"it failed then and works now"});
}

TEST_CASE("pictures are compared by their pixels") {
  CHECK(different_pixels(plain_png(7), plain_png(7)) == 0);
  CHECK(different_pixels(plain_png(7), plain_png(7, 50)) == Approx(0.25));
  CHECK(different_pixels(plain_png(7), plain_png(8)) == 1);
  CHECK(different_pixels(plain_png(7), encode_png(Pixels{1, 1, {7, 7, 7, 7}})) == 1);
  CHECK_THROWS_AS(different_pixels(plain_png(7), "no picture"), Error);
}

TEST_CASE("a run is played back, and says where it differs") {
  World world;
  const std::string first = world.submit("gui", "click 10 20\ntype hello\nscreenshot");
  REQUIRE(world.finished(first).state == JobState::succeeded);
  const Job same = world.run("replay", first);
  CHECK(same.state == JobState::succeeded);
  CHECK(same.reply == "3 steps, each as then");
  CHECK(world.kinds(same.id).find("action_intent action_result") != std::string::npos);

  const auto steps = read_recording(*world.store, first, world.registry);
  REQUIRE(steps.size() == 3);
  CHECK(steps[0].arguments["x"] == 10);
  CHECK(steps[2].picture_mime == "image/png");
  // A replay can be played back, too.
  CHECK(world.run("replay", same.id).reply == "3 steps, each as then");
}

TEST_CASE("it ends with the first step that fails now, and goes on where it failed before, too") {
  World world;
  Job job;
  job.id = "j-recorded";
  job.kind = "gui";
  job.text = "…";
  world.store->insert_job(job);
  const auto record = [&](const std::string& tool, bool ok, const std::string& text) {
    world.store->append("", job.id, "action_intent",
                        {{"call_id", text}, {"tool", tool}, {"arguments", Json::object()}});
    world.store->append(
        "", job.id, "action_result",
        {{"call_id", text}, {"tool", tool}, {"ok", ok}, {"text", text}, {"images", Json::array()}});
  };
  SECTION("as then") {
    record("fail", false, "fail failed: there is no window 7");
    record("done", true, "ended");                           // the planner's own
    record("screenshot", false, "[not run: another call]");  // nothing was called
    CHECK(world.run("replay", job.id).reply == "1 steps, each as then");
  }
  SECTION("as then, but for the daemon that was killed in it") {
    record("fail", false,
           "fail failed: there is no window 7\n[the daemon was killed during this call …]");
    CHECK(world.run("replay", job.id).reply == "1 steps, each as then");
  }
  SECTION("otherwise") {
    record("fail", true, "it went well");
    record("screenshot", true, "2x1");
    const Job replay = world.run("replay", job.id);
    CHECK(replay.state == JobState::failed);
    CHECK_THAT(replay.error, ContainsSubstring("step 1 of 2, fail, fails now: "));
    CHECK_THAT(replay.error, ContainsSubstring("there is no window 7"));
  }
}

TEST_CASE("what cannot be played back is refused before it is queued") {
  World world;
  CHECK_THAT(error_of([&] { world.submit("replay", "j-none"); }, ErrorCode::not_found),
             ContainsSubstring("no job \"j-none\" to play back"));
  const std::string shell = world.submit("shell", "true");
  world.finished(shell);
  CHECK_THAT(error_of([&] { world.submit("replay", shell); }, ErrorCode::invalid_argument),
             ContainsSubstring("has called no tool"));
}

}  // namespace
}  // namespace selfagent
