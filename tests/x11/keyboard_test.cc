// Text and keys as real programs get them.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <thread>

#include "base/error.h"
#include "base/utf8.h"
#include "catch.h"
#include "desktop/desktop.h"
#include "x11/desktop.h"
#include "x11/x_client.h"
#include "x11/x_server.h"

using namespace selfagent;
using namespace std::chrono_literals;

namespace {

constexpr unsigned shift_bit = 1;
constexpr unsigned ctrl_bit = 4;

/// A real xterm whose program writes what it reads, byte by byte, into a file.
struct Terminal {
  XServer server{640, 480};
  std::string file = server.folder() + "/typed";
  std::unique_ptr<Desktop> desktop = open_desktop(server.display());
  Program xterm;

  Terminal() {
    server.start_window_manager();
    start();
  }
  void start() {
    const std::string ready = server.folder() + "/ready";
    std::filesystem::remove(ready);
    xterm = server.run({"xterm", "-u8", "-e", "sh", "-c",
                        "stty raw -echo; touch " + ready + "; exec cat > " + file});
    REQUIRE(eventually([&] {
      const auto active = desktop->windows().active();
      return std::filesystem::exists(ready) && active && active->window_class == "XTerm";
    }));
  }
  /// In raw mode Return is a carriage return.
  bool gets(std::string text) {
    std::replace(text.begin(), text.end(), '\n', '\r');
    const bool got = eventually([&] { return read_whole(file).size() >= text.size(); });
    INFO("wanted " << text << "\ngot    " << read_whole(file));
    CHECK(read_whole(file) == text);
    return got && read_whole(file) == text;
  }
};

std::string long_text(size_t characters) {
  std::string text;
  for (size_t i = 0; text.size() < characters; ++i) {
    text += "Line " + std::to_string(i) + ": The quick {brown} fox, \"jumps\" @ 100% ~ over!\n";
  }
  text.resize(characters);
  return text;
}

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
  const auto layout = GENERATE("de", "fr", "ru", "us -variant intl");
  const auto before = whole_keymap(server.display());
  const Program change = server.run({"sh", "-c", std::string("setxkbmap ") + layout});
  REQUIRE(eventually([&] { return whole_keymap(server.display()) != before; }));
  const std::string text = "zyZY@€{}[]~ ñ 'quoted\" ^ éàü 123 жЯ";
  desktop->keyboard().type(text, {});
  REQUIRE(gets(text));
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
