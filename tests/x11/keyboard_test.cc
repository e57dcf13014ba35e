// Text and keys as real programs get them.
#include <csignal>
#include <future>
#include <stop_token>
#include <thread>

#include "base/error.h"
#include "base/utf8.h"
#include "catch.h"
#include "desktop/desktop.h"
#include "x11/desktop.h"
#include "x11/terminal.h"
#include "x11/x_client.h"
#include "x11/x_server.h"

using namespace selfagent;
using namespace std::chrono_literals;

namespace {

constexpr unsigned shift_bit = 1;
constexpr unsigned ctrl_bit = 4;

}  // namespace

TEST_CASE_METHOD(Terminal, "characters of every kind arrive in a terminal") {
  const std::string text = "ñ 美 😀 € \t|aA1!ÄöÜß«»¿\n~`^'\"\\";
  const Typed typed = desktop->keyboard().type(text, {});
  REQUIRE(typed.characters == code_points(text).size());
  REQUIRE(typed.borrowed > 3);
  REQUIRE(gets(text));
}

TEST_CASE_METHOD(Terminal, "2,000 characters arrive in a terminal without loss") {
  const std::string text = long_text(2000);
  desktop->keyboard().type(text, {});
  REQUIRE(gets(text));
}

TEST_CASE_METHOD(Terminal, "more distinct characters than there are spare keycodes arrive") {
  std::string text;
  for (char32_t character = U'一'; character < U'一' + 60; ++character) {
    append_utf8(text, character);
  }
  desktop->keyboard().type(text, {});
  REQUIRE(gets(text));
}

TEST_CASE_METHOD(Terminal, "several texts with other characters each arrive, one after the other") {
  std::string all;
  for (const std::string text : {"žluťoučký kůň", "Съешь ещё этих мягких", "ελληνικά", "žluť"}) {
    desktop->keyboard().type(text, {});
    all += text;
  }
  REQUIRE(gets(all));
}

TEST_CASE_METHOD(Terminal, "Caps Lock does not change a text, and is on again after it") {
  lock_caps(server.display(), true);
  desktop->keyboard().type("aBc ñÑ", {});
  REQUIRE(gets("aBc ñÑ"));
  REQUIRE(caps_is_locked(server.display()));
}

TEST_CASE_METHOD(Terminal, "the keymap is restored when the desktop ends") {
  const auto before = whole_keymap(server.display());
  desktop->keyboard().type("ñ美😀", {});
  REQUIRE(gets("ñ美😀"));
  REQUIRE(whole_keymap(server.display()) != before);
  desktop.reset();
  REQUIRE(whole_keymap(server.display()) == before);
}

TEST_CASE_METHOD(Terminal, "keycodes that a killed daemon borrowed are used again") {
  const auto other = open_desktop(server.display());
  other->keyboard().type("абвгдежзийклмноп", {});
  // Never gives back, like a killed process: its note on the root window stays.
  const auto borrowed = whole_keymap(server.display());
  const std::string text = "ČĎŘŠŤŽčďřšťžěůŇ";
  desktop->keyboard().type(text, {});
  REQUIRE(gets("абвгдежзийклмноп" + text));
  REQUIRE(whole_keymap(server.display()) != borrowed);
}

TEST_CASE_METHOD(Terminal, "another layout is respected, and wipes nothing that is needed") {
  const auto layout = GENERATE("de", "fr", "ru", "us -variant intl", "es");
  const auto before = whole_keymap(server.display());
  const Program change = server.run({"sh", "-c", std::string("setxkbmap ") + layout});
  REQUIRE(eventually([&] { return whole_keymap(server.display()) != before; }));
  const std::string text = "zyZY@€{}[]~ ñ 'quoted\" ^`´¨ éàü 123 жЯ";
  desktop->keyboard().type(text, {});
  REQUIRE(gets(text));
}

TEST_CASE_METHOD(Terminal, "the second of two layouts is respected, with Caps Lock on") {
  const auto before = whole_keymap(server.display());
  const Program change = server.run({"setxkbmap", "us,de"});
  REQUIRE(eventually([&] { return whole_keymap(server.display()) != before; }));
  lock_group(server.display(), 1);
  lock_caps(server.display(), true);
  const std::string text = "zyZY@€{}[]~`^´ äÖß ñ 美 😀 'q' 123";
  desktop->keyboard().type(text, {});
  REQUIRE(gets(text));
  REQUIRE(caps_is_locked(server.display()));
}

TEST_CASE_METHOD(Terminal,
                 "a program that hangs while it is typed into gets every character later") {
  // It looks its keys up when it goes on: what was borrowed for them has to be there still.
  ::kill(xterm.pid(), SIGSTOP);
  desktop->keyboard().type("ñ 美 😀 žluť", {});
  ::kill(xterm.pid(), SIGCONT);
  REQUIRE(gets("ñ 美 😀 žluť"));
}

TEST_CASE_METHOD(Terminal, "a display that is killed during typing is an error, and comes back") {
  std::jthread killer([&] {
    eventually([&] { return read_whole(file).size() > 100; });
    server.kill();
  });
  try {
    for (int i = 0; i < 1000; ++i) desktop->keyboard().type(long_text(1000), {});
    FAIL("a million characters were typed on a display that is gone");
  } catch (const Error& error) {
    REQUIRE(error.code() == ErrorCode::unavailable);
  }
  killer.join();
  server.start_again();
  server.start_window_manager();
  start();
  desktop->keyboard().type("back: ñ 美", {});
  REQUIRE(gets("back: ñ 美"));
}

TEST_CASE("a chord presses its modifiers around its key") {
  const XServer server(320, 200);
  const auto desktop = open_desktop(server.display());
  TestWindow window(server.display(), 0, 0, 320, 200);
  window.focus();
  desktop->keyboard().press("ctrl+shift+t", 0ms, {});
  REQUIRE(eventually([&] { return window.count(SeenEvent::key_release) == 3; }));
  const auto events = window.events();
  REQUIRE(events.size() == 6);
  REQUIRE(events[0].kind == SeenEvent::key_press);
  REQUIRE(events[2].state == (ctrl_bit | shift_bit));
  REQUIRE(events[3].kind == SeenEvent::key_release);
  REQUIRE(events[3].detail == events[2].detail);
  REQUIRE(events[3].time - events[2].time >= 30);
  REQUIRE(events[5].detail == events[0].detail);
  REQUIRE_FALSE(anything_is_down(server.display()));

  window.forget();
  desktop->keyboard().press("plus", 0ms, {});  // Shift is added for what needs it
  REQUIRE(eventually([&] { return window.count(SeenEvent::key_release) == 2; }));
  REQUIRE(window.events()[1].state == shift_bit);

  window.forget();
  desktop->keyboard().press("Down enter  ctrl++ F5 XF86AudioPlay win", 0ms, {});
  // ctrl++ is Control, Shift and the key of plus.
  REQUIRE(eventually([&] { return window.count(SeenEvent::key_release) == 8; }));
}

TEST_CASE("keys wait for the focus that a window manager has announced") {
  const XServer server(320, 200);
  const auto desktop = open_desktop(server.display());
  TestWindow manager(server.display(), 0, 0, 10, 10);
  manager.announce("_NET_SUPPORTING_WM_CHECK");
  manager.focus();
  TestWindow window(server.display(), 0, 0, 320, 200);
  window.announce("_NET_ACTIVE_WINDOW");
  const auto type = [&] {
    return std::async(std::launch::async, [&] {
      desktop->keyboard().type("ab", {});
      desktop->keyboard().press("Return", 0ms, {});
    });
  };
  SECTION("which comes") {
    // Keys wait for 250 ms: when this thread was not there in time, it tries again.
    REQUIRE(eventually([&] {
      manager.focus();
      manager.forget();
      window.forget();
      const auto begin = Clock::now();
      auto typed = type();
      const bool waits = typed.wait_for(20ms) == std::future_status::timeout;
      window.focus();
      const bool in_time = Clock::now() - begin < 200ms;
      typed.get();
      if (!in_time) return false;
      REQUIRE(waits);
      REQUIRE(window.count(SeenEvent::key_release) == 3);
      REQUIRE(manager.events().empty());
      return true;
    }));
  }
  SECTION("which does not come") {
    type().get();
    REQUIRE(manager.count(SeenEvent::key_release) == 3);
  }
}

TEST_CASE("an unknown key is refused with the nearest names, before anything is pressed") {
  const XServer server(320, 200);
  const auto desktop = open_desktop(server.display());
  TestWindow window(server.display(), 0, 0, 320, 200);
  window.focus();
  REQUIRE_THROWS_WITH(desktop->keyboard().press("a ctrl+entr", 0ms, {}),
                      ContainsSubstring("\"entr\"") && ContainsSubstring("enter"));
  REQUIRE_THROWS_WITH(desktop->keyboard().press("  ", 0ms, {}), ContainsSubstring("empty"));
  REQUIRE_THROWS_WITH(desktop->keyboard().type("a\x07", {}), ContainsSubstring("U+0007"));
  REQUIRE(window.events().empty());
}

TEST_CASE("keys are released when a hold is cancelled") {
  const XServer server(320, 200);
  const auto desktop = open_desktop(server.display());
  std::stop_source stop;
  std::jthread canceller([&] {
    eventually([&] { return anything_is_down(server.display()); });
    stop.request_stop();
  });
  REQUIRE_THROWS_WITH(desktop->keyboard().press("shift+a", 10s, stop.get_token()),
                      ContainsSubstring("cancelled"));
  REQUIRE_FALSE(anything_is_down(server.display()));
}

TEST_CASE("typing stops when it is cancelled") {
  const XServer server(320, 200);
  const auto desktop = open_desktop(server.display());
  std::stop_source stop;
  stop.request_stop();
  REQUIRE_THROWS_AS(desktop->keyboard().type(long_text(5000), stop.get_token()), Error);
  REQUIRE_FALSE(anything_is_down(server.display()));
}
