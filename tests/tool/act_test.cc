// What an action tool reports of its effect.
#include "tool/act.h"

#include "base/error.h"
#include "catch.h"
#include "desktop/fake_desktop.h"
#include "process/sandbox.h"

namespace selfagent {
namespace {

struct Fixture {
  FakeDesktop desktop;
  // act() does not touch the sandbox.
  Sandbox sandbox{Sandbox::Settings{"", "/tmp", ":fake"}};
  ToolContext context{.desktop = desktop, .sandbox = sandbox, .stop = {}};
  ActionOptions options;

  ToolResult run(const std::function<void()>& action = [] {}) {
    return act(context, options, "clicked left at (1,2)", action);
  }
  std::string text(const std::function<void()>& action = [] {}) {
    return run(action).content.at(0).text;
  }
  static Window window(uint64_t id, const std::string& title, bool active = false) {
    Window some;
    some.id = id;
    some.title = title;
    some.active = active;
    return some;
  }
};

TEST_CASE_METHOD(Fixture, "an action without an effect says so") {
  CHECK(text() == "clicked left at (1,2); nothing changed on the screen; active window: none");
}

TEST_CASE_METHOD(Fixture, "the effect names share, place, time and windows") {
  desktop.settled.changed = true;
  desktop.settled.area = {50, 30, 36, 34};
  desktop.settled.pixels = 620;  // of 20,000
  desktop.settled.rest = milliseconds(180);
  desktop.window_list = {window(0x10, "xterm", true), window(0x11, "old")};
  const std::string answer = text(
      [&] { desktop.window_list = {window(0x10, "xterm"), window(0x1a00003, "Save as", true)}; });
  CHECK(answer ==
        "clicked left at (1,2); 3.1% of the screen changed in x=50..85 y=30..63; settled in 180 "
        "ms; active window: \"xterm\" -> \"Save as\"; opened: \"Save as\" (0x1a00003); closed: "
        "\"old\" (0x11)");
}

TEST_CASE_METHOD(Fixture, "a screen that did not rest, and a tiny change, are named") {
  desktop.settled.changed = true;
  desktop.settled.timed_out = true;
  desktop.settled.area = {0, 0, 1, 1};
  desktop.settled.pixels = 1;
  CHECK_THAT(text(), ContainsSubstring("less than 0.1% of the screen changed in x=0..0 y=0..0; it "
                                       "was still changing after 1500 ms"));
}

TEST_CASE_METHOD(Fixture, "the watch begins before the action and the screen rests after it") {
  run([&] { desktop.move({1, 2}); });
  CHECK(desktop.done ==
        std::vector<std::string>{"watch", "move 1,2", "finish", "settle 300 80 1500"});
}

TEST_CASE_METHOD(Fixture, "settle_ms 0 returns at once and looks at nothing") {
  options.settle_ms = 0;
  CHECK(text([&] { desktop.move({1, 2}); }) == "clicked left at (1,2)");
  CHECK(desktop.done == std::vector<std::string>{"move 1,2"});
}

TEST_CASE_METHOD(Fixture, "the deadline of the call and a short limit bound the wait") {
  options.settle_ms = 50;
  run();
  CHECK(desktop.done.back() == "settle 50 50 50");
  options.settle_ms = 30000;
  context.deadline = Deadline::after(milliseconds(10));
  run();
  CHECK_THAT(desktop.done.back(), !ContainsSubstring("30000"));
}

TEST_CASE_METHOD(Fixture, "a picture is attached after settling if asked for") {
  options.screenshot = true;
  const ToolResult result = run();
  REQUIRE(result.content.size() == 2);
  REQUIRE(result.content[1].image);
  CHECK(result.content[1].image->mime == "image/png");
  CHECK(result.content[1].image->width == 200);
  CHECK(desktop.done.back() == "capture with cursor");
}

TEST_CASE_METHOD(Fixture, "an action that fails is not reported as done") {
  const auto fail = [] { throw Error(ErrorCode::invalid_argument, "x=9 is outside"); };
  CHECK_THROWS_WITH(run(fail), "x=9 is outside");
}

TEST_CASE_METHOD(Fixture, "what fails after the action says that it was done") {
  const auto vanish = [&] { desktop.windows_fail = true; };
  CHECK_THROWS_WITH(run(vanish), "clicked left at (1,2), but then: display :fake went away");
}

}  // namespace
}  // namespace selfagent
