// Text, double clicks, the wheel and the clipboard in a real browser. The page writes what it got
// into its title.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>

#include "base/utf8.h"
#include "catch.h"
#include "desktop/desktop.h"
#include "x11/desktop.h"
#include "x11/x_client.h"
#include "x11/x_server.h"

using namespace selfagent;
using namespace std::chrono_literals;

namespace {

constexpr const char* page = R"(<!doctype html><meta charset="utf-8"><title>loading</title>
<body style="margin:0;height:4000px;width:4000px"><textarea style="position:fixed;left:0;top:0;width:400px;height:200px"></textarea>
<script>
const field = document.querySelector('textarea');
const counts = {dblclick: 0, wheel: 0};
function show() {
  let sum = 2166136261;
  for (const unit of field.value) sum = Math.imul(sum ^ unit.codePointAt(0), 16777619) >>> 0;
  document.title = 'T ' + [...field.value].length + ' ' + sum + ' ' + counts.dblclick + ' ' +
      Math.round(scrollX) + ' ' + Math.round(scrollY) + ' E';
}
field.addEventListener('keydown', event => {
  if (event.key === 'Tab') { event.preventDefault(); field.setRangeText('\t', field.selectionStart, field.selectionEnd, 'end'); show(); }
});
field.addEventListener('input', show);
addEventListener('scroll', show);
addEventListener('dblclick', () => { ++counts.dblclick; show(); });
field.focus();
show();
</script>)";

struct PageState {
  size_t characters = 0;
  uint32_t sum = 0;
  int double_clicks = 0;
  int scroll_x = 0;
  int scroll_y = 0;
};

uint32_t sum_of(const std::string& text) {
  uint32_t sum = 2166136261;
  for (const char32_t character : code_points(text)) sum = (sum ^ character) * 16777619;
  return sum;
}

struct Browser {
  XServer server{800, 600};
  std::unique_ptr<Desktop> desktop = open_desktop(server.display());
  Program chromium;

  Browser() {
    server.start_window_manager();
    const std::string file = server.folder() + "/page.html";
    std::ofstream(file) << page;
    chromium =
        server.run({"chromium", "--no-sandbox", "--disable-gpu", "--no-first-run",
                    "--disable-dev-shm-usage", "--user-data-dir=" + server.folder() + "/profile",
                    "--window-position=0,0", "--window-size=800,600", "--app=file://" + file});
    REQUIRE(eventually([&] { return state().has_value() && active(); }, 60s));
    // The page is there; its field has the focus when a first character arrives.
    desktop->pointer().click({100, 100}, Button::left, 1, {}, {});
    REQUIRE(eventually([&] {
      desktop->keyboard().press("a", 0ms, {});
      return state()->characters > 0;
    }));
    desktop->keyboard().press("ctrl+a BackSpace", 0ms, {});
    REQUIRE(eventually([&] { return state()->characters == 0; }));
  }

  bool active() {
    const auto window = desktop->windows().active();
    return window && window->title.starts_with("T ");
  }

  std::optional<PageState> state() {
    for (const Window& window : desktop->windows().list()) {
      PageState now;
      if (std::sscanf(window.title.c_str(), "T %zu %u %d %d %d E", &now.characters, &now.sum,
                      &now.double_clicks, &now.scroll_x, &now.scroll_y) == 5) {
        return now;
      }
    }
    return std::nullopt;
  }

  bool gets(const std::string& text) {
    const bool got = eventually([&] { return state()->sum == sum_of(text); }, 30s);
    CHECK(state()->characters == code_points(text).size());
    return got;
  }
};

}  // namespace

TEST_CASE_METHOD(Browser, "a browser's field gets every character, double clicks and the wheel") {
  const std::string text = "ñ 美 😀 € \t|aA1!ÄöÜß«»¿~`^'\"\\";
  desktop->keyboard().type(text, {});
  REQUIRE(gets(text));

  desktop->keyboard().press("ctrl+a", 0ms, {});
  std::string long_text;
  while (long_text.size() < 2000) long_text += "The quick {brown} fox, \"jumps\" @ 100% ~ over!\n";
  desktop->keyboard().type(long_text, {});
  REQUIRE(gets(long_text));

  desktop->keyboard().press("ctrl+a", 0ms, {});
  std::string many;
  for (char32_t character = U'一'; character < U'一' + 60; ++character)
    append_utf8(many, character);
  desktop->keyboard().type(many, {});
  REQUIRE(gets(many));

  desktop->clipboard().set_text("pasted: ñ 美 😀");
  desktop->keyboard().press("ctrl+a ctrl+v", 0ms, {});
  REQUIRE(gets("pasted: ñ 美 😀"));
  desktop->keyboard().press("ctrl+a ctrl+c", 0ms, {});
  desktop->clipboard().set_text("other");
  desktop->keyboard().press("ctrl+c", 0ms, {});
  REQUIRE(eventually([&] { return desktop->clipboard().text({}) == "pasted: ñ 美 😀"; }));

  desktop->pointer().click({600, 400}, Button::left, 2, {}, {});
  REQUIRE(eventually([&] { return state()->double_clicks == 1; }));
  desktop->pointer().scroll({600, 400}, 3, 5, {}, {});
  REQUIRE(eventually([&] { return state()->scroll_x > 100 && state()->scroll_y > 100; }));
}
