// Text in a GTK editor, which looks keys up by its own copy of the keymap. What it got is in the
// file that it saves.
#include <fstream>

#include "catch.h"
#include "desktop/desktop.h"
#include "x11/desktop.h"
#include "x11/x_client.h"
#include "x11/x_server.h"

using namespace selfagent;
using namespace std::chrono_literals;

namespace {

struct Editor {
  XServer server{800, 600};
  std::unique_ptr<Desktop> desktop = open_desktop(server.display());
  std::string file = server.folder() + "/text.txt";
  Program mousepad;

  Editor() {
    server.start_window_manager();
    const std::ofstream empty(file);
    mousepad = server.run({"mousepad", "--disable-server", file});
    REQUIRE(eventually([&] { return shows("text.txt"); }, 60s));
    // The window is there; it takes keys when a first one has changed its title.
    REQUIRE(eventually([&] {
      desktop->keyboard().press("a", 0ms, {});
      return shows("*");
    }));
    desktop->keyboard().press("ctrl+a BackSpace", 0ms, {});
  }

  bool shows(const std::string& part) {
    const auto active = desktop->windows().active();
    return active && active->title.find(part) != std::string::npos;
  }
  /// An editor ends what it saves with a line break.
  bool gets(const std::string& text) {
    const bool got = eventually([&] {
      desktop->keyboard().press("ctrl+s", 0ms, {});
      const std::string saved = read_whole(file);
      return saved == text || saved == text + "\n";
    });
    INFO("wanted " << text << "\ngot    " << read_whole(file));
    CHECK(got);
    return got;
  }
};

}  // namespace

TEST_CASE_METHOD(Editor, "a GTK editor gets every character, more than there are spare keycodes") {
  const std::string text = "ñ 美 😀 € \t|aA1!ÄöÜß«»¿~`^'\"\\ žluťoučký Съешь ещё ελληνικά";
  desktop->keyboard().type(text, {});
  REQUIRE(gets(text));
}

TEST_CASE_METHOD(Editor, "a GTK editor gets every character with dead keys and Caps Lock on") {
  const auto before = whole_keymap(server.display());
  const Program change = server.run({"setxkbmap", "us", "-variant", "intl"});
  REQUIRE(eventually([&] { return whole_keymap(server.display()) != before; }));
  lock_caps(server.display(), true);
  const std::string text = "^`´¨~'\" aB ñ 美 😀 éàü";
  desktop->keyboard().type(text, {});
  REQUIRE(gets(text));
  REQUIRE(caps_is_locked(server.display()));
}
