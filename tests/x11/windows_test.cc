// Windows with a window manager and without one.
#include <filesystem>

#include "base/error.h"
#include "catch.h"
#include "desktop/desktop.h"
#include "x11/desktop.h"
#include "x11/x_client.h"
#include "x11/x_server.h"

using namespace selfagent;
using namespace std::chrono_literals;

namespace {

struct Managed {
  XServer server{800, 600};
  std::unique_ptr<Desktop> desktop = open_desktop(server.display());
  std::unique_ptr<TestWindow> one;
  std::unique_ptr<TestWindow> two;

  explicit Managed(bool xfwm4 = false) {
    if (xfwm4) {
      server.start_xfwm4();
    } else {
      server.start_window_manager();
    }
    one = open("Ünë", 50, 60);
    two = open("Two", 300, 200);
  }
  std::unique_ptr<TestWindow> open(const std::string& title, int x, int y) {
    auto window = std::make_unique<TestWindow>(server.display(), x, y, 200, 150, true);
    window->set_title(title);
    // A window manager gives a new window the focus a moment after it lists it.
    REQUIRE(eventually([&] {
      const auto listed = find(title);
      return listed && listed->active;
    }));
    return window;
  }
  std::optional<Window> find(const std::string& title) {
    for (const Window& window : desktop->windows().list()) {
      if (window.title == title) return window;
    }
    return std::nullopt;
  }
  void apply(const std::string& title, WindowAction action, Rect to = {}) {
    desktop->windows().apply(find(title)->id, action, to, 20s, {});
  }
};

struct ManagedByXfwm4 : Managed {
  ManagedByXfwm4() : Managed(true) {}
};

void check_actions(Managed& managed) {
  managed.apply("Ünë", WindowAction::activate);
  REQUIRE(managed.find("Ünë")->active);
  REQUIRE(managed.desktop->windows().list().back().title == "Ünë");

  managed.apply("Ünë", WindowAction::minimize);
  REQUIRE(managed.find("Ünë")->minimized);
  managed.apply("Ünë", WindowAction::restore);
  REQUIRE_FALSE(managed.find("Ünë")->minimized);
  managed.apply("Ünë", WindowAction::minimize);
  managed.apply("Ünë", WindowAction::activate);
  REQUIRE_FALSE(managed.find("Ünë")->minimized);

  managed.apply("Ünë", WindowAction::maximize);
  REQUIRE(managed.find("Ünë")->maximized);
  // The state is told before the window has its size.
  REQUIRE(eventually([&] { return managed.find("Ünë")->geometry.width > 700; }));
  managed.apply("Ünë", WindowAction::restore);
  REQUIRE_FALSE(managed.find("Ünë")->maximized);
  REQUIRE(eventually([&] { return managed.find("Ünë")->geometry.width == 200; }));

  managed.apply("Ünë", WindowAction::move, {0, 0, 0, 0});
  // The frame's corner is at 0,0; the inside is below its title bar.
  REQUIRE(managed.find("Ünë")->geometry.x < 10);
  REQUIRE(managed.find("Ünë")->geometry.y > 0);
  REQUIRE(managed.find("Ünë")->geometry.y < 40);
  managed.apply("Ünë", WindowAction::resize, {0, 0, 333, 222});
  REQUIRE(eventually([&] {
    const Rect now = managed.find("Ünë")->geometry;
    return now.width == 333 && now.height == 222;
  }));

  const std::string ready = managed.server.folder() + "/ready";
  const Program xterm = managed.server.run(
      {"xterm", "-T", "shell", "-e", "sh", "-c", "touch " + ready + "; exec cat"});
  REQUIRE(eventually([&] { return std::filesystem::exists(ready) && managed.find("shell"); }));
  managed.apply("shell", WindowAction::close);
  REQUIRE_FALSE(managed.find("shell").has_value());
}

}  // namespace

TEST_CASE_METHOD(Managed, "windows are listed with what is known of them") {
  const auto window = find("Ünë");
  REQUIRE(window->id == one->id());
  REQUIRE(window->geometry.width == 200);
  REQUIRE(window->geometry.height == 150);
  REQUIRE_FALSE(window->minimized);
  REQUIRE_FALSE(window->maximized);
  const Program xterm = server.run({"xterm", "-T", "shell"});
  REQUIRE(eventually([&] { return find("shell").has_value(); }));
  REQUIRE(find("shell")->window_class == "XTerm");
  REQUIRE(find("shell")->pid == xterm.pid());
  REQUIRE(eventually([&] { return find("shell")->active; }));
  REQUIRE(desktop->windows().active()->title == "shell");
  REQUIRE(desktop->windows().list().back().title == "shell");  // topmost last
}

TEST_CASE_METHOD(Managed, "each action is done when apply returns") { check_actions(*this); }

TEST_CASE_METHOD(ManagedByXfwm4, "each action is done when apply returns, under xfwm4") {
  check_actions(*this);
}

TEST_CASE_METHOD(Managed, "an unknown window is refused with the known ones") {
  REQUIRE_THROWS_WITH(
      desktop->windows().apply(0x123, WindowAction::close, {}, 100ms, {}),
      ContainsSubstring("there is no window 0x123") && ContainsSubstring("\"Ünë\""));
}

TEST_CASE_METHOD(Managed, "what the window manager refuses ends at the limit with a reason") {
  apply("Ünë", WindowAction::maximize);
  const uint64_t id = find("Ünë")->id;
  try {
    desktop->windows().apply(id, WindowAction::move, {5, 5, 0, 0}, 100ms, {});
  } catch (const Error& error) {
    REQUIRE(error.code() == ErrorCode::timeout);
    REQUIRE_THAT(error.what(), ContainsSubstring("maximized"));
  }
}

TEST_CASE_METHOD(Managed, "a title that changes while nothing is drawn is noticed at once") {
  apply("Two", WindowAction::minimize);
  const auto drawn = desktop->screen().watch(Repainting::counted);
  drawn->settle(300ms, 300ms, 20s, {});
  const auto watch = desktop->windows().watch_windows();
  while (watch->wait(Deadline(Clock::now()), {})) {
  }
  // The events alone can end the wait: nothing asks for the title meanwhile.
  two->set_title("Three");
  REQUIRE(watch->wait(Deadline::after(20s), {}));
  REQUIRE(eventually([&] { return find("Three").has_value(); }));
  REQUIRE(find("Three")->minimized);
}

TEST_CASE_METHOD(Managed, "a watch notices windows that come, are renamed, get the focus and go") {
  const auto watch = desktop->windows().watch_windows();
  const auto limit = [] { return Deadline::after(20s); };
  const auto notices = [&](const std::function<bool()>& there) {
    const Deadline until = limit();
    while (!there()) {
      if (!watch->wait(until, {})) return false;
    }
    return true;
  };
  TestWindow late(server.display(), 100, 100, 200, 150, true);
  REQUIRE(notices([&] { return desktop->windows().list().size() == 3; }));
  late.set_title("first");
  REQUIRE(notices([&] { return find("first").has_value(); }));
  late.set_title("second");  // of a window that was not there when the watch began
  REQUIRE(notices([&] { return find("second").has_value(); }));
  while (watch->wait(Deadline(Clock::now()), {})) {
  }
  apply("Ünë", WindowAction::activate);
  REQUIRE(watch->wait(limit(), {}));
  late.close();
  REQUIRE(notices([&] { return !find("second").has_value(); }));
}

TEST_CASE("without a window manager a watch notices titles and windows, too") {
  const XServer server(640, 480);
  const auto desktop = open_desktop(server.display());
  TestWindow window(server.display(), 10, 20, 100, 80, true);
  const auto watch = desktop->windows().watch_windows();
  const auto title = [&] { return desktop->windows().list()[0].title; };
  const Deadline limit = Deadline::after(20s);
  window.set_title("alone");
  while (title() != "alone") REQUIRE(watch->wait(limit, {}));
  const TestWindow other(server.display(), 200, 20, 100, 80, true);
  while (desktop->windows().list().size() != 2) REQUIRE(watch->wait(limit, {}));
}

TEST_CASE("a wait for windows ends when it is cancelled, and when the display goes away") {
  auto server = std::make_unique<XServer>(640, 480);
  const auto desktop = open_desktop(server->display());
  const auto watch = desktop->windows().watch_windows();
  std::stop_source stop;
  stop.request_stop();
  const Deadline patience = Deadline::after(20s);
  while (watch->wait(patience, stop.get_token())) {
  }
  REQUIRE_FALSE(patience.passed());
  server.reset();
  REQUIRE_THROWS_AS(watch->wait(Deadline::after(20s), {}), Error);
}

TEST_CASE("without a window manager mapped windows are listed, moved and closed") {
  const XServer server(640, 480);
  const auto desktop = open_desktop(server.display());
  REQUIRE(desktop->windows().list().empty());
  REQUIRE_FALSE(desktop->windows().active().has_value());
  TestWindow window(server.display(), 10, 20, 100, 80, true);
  window.set_title("alone");
  const auto listed = desktop->windows().list();
  REQUIRE(listed.size() == 1);
  REQUIRE(listed[0].title == "alone");
  REQUIRE(listed[0].geometry == Rect{10, 20, 100, 80});
  Windows& windows = desktop->windows();
  windows.apply(window.id(), WindowAction::activate, {}, 3000ms, {});
  REQUIRE(windows.active()->id == window.id());
  windows.apply(window.id(), WindowAction::move, {0, 0, 0, 0}, 3000ms, {});
  REQUIRE(windows.list()[0].geometry == Rect{0, 0, 100, 80});
  REQUIRE_THROWS_WITH(windows.apply(window.id(), WindowAction::maximize, {}, 100ms, {}),
                      ContainsSubstring("no window manager"));
}
