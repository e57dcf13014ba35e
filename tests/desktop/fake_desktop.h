// A desktop without a display: it remembers what was done to it and shows what the test says.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "desktop/desktop.h"
#include "image/png.h"
#include "image/scale.h"

namespace selfagent {

struct FakeWatch : ScreenWatch {
  explicit FakeWatch(const Settled& answer, std::vector<std::string>& done)
      : answer_(answer), done_(done) {}
  Settled settle(milliseconds grace, milliseconds quiet, milliseconds limit,
                 const std::stop_token&) override {
    done_.push_back("settle " + std::to_string(grace.count()) + " " +
                    std::to_string(quiet.count()) + " " + std::to_string(limit.count()));
    return answer_;
  }
  bool drawn_in(Rect, milliseconds, const std::stop_token&) override { return answer_.changed; }
  bool repaints_by_itself(Rect area) override { return area == answer_.by_itself; }

 private:
  Settled answer_;
  std::vector<std::string>& done_;
};

/// Not thread-safe.
class FakeDesktop : public Desktop,
                    public Screen,
                    public Pointer,
                    public Keyboard,
                    public Windows,
                    public Clipboard {
 public:
  std::vector<std::string> done;  ///< One line for each call, e.g. "click 1,2 left 1".
  Settled settled;                ///< What the next watch answers.
  std::vector<Window> window_list;
  /// What a watch of windows answers, called when it is waited for.
  std::function<bool()> next_window_change = [] { return false; };
  std::string clip;
  std::string clip_image;
  Size screen_size{200, 100};
  std::vector<Monitor> monitor_list{{"fake-0", {0, 0, 200, 100}, true}};
  uint64_t shown = 1;  ///< The hash of what the screen shows.
  Point pointer_at;
  bool windows_fail = false;
  uint8_t brightness = 200;  ///< Of every pixel.

  Screen& screen() override { return *this; }
  Pointer& pointer() override { return *this; }
  Keyboard& keyboard() override { return *this; }
  Windows& windows() override { return *this; }
  Clipboard& clipboard() override { return *this; }
  std::string display() const override { return ":fake"; }
  std::string problem() override { return ""; }

  Size size() override { return screen_size; }
  Pixels capture(Rect area, bool cursor) override {
    done.push_back(cursor ? "capture with cursor" : "capture");
    Pixels pixels{area.width, area.height, {}};
    pixels.bytes.assign(pixels.stride() * static_cast<size_t>(area.height), brightness);
    return pixels;
  }
  Picture picture(const PictureRequest& request) override {
    const Rect area = request.area.value_or(Rect{0, 0, screen_size.width, screen_size.height});
    Pixels pixels = capture(area, request.cursor);
    if (request.max_side) pixels = shrink(std::move(pixels), *request.max_side);
    return {encode_png_image(pixels), area, shown};
  }
  uint64_t content_hash() override { return shown; }
  std::vector<Monitor> monitors() override { return monitor_list; }
  std::unique_ptr<ScreenWatch> watch(Repainting) override {
    done.push_back("watch");
    return std::make_unique<FakeWatch>(settled, done);
  }

  Point position() override { return pointer_at; }
  void move(Point to) override {
    pointer_at = to;
    done.push_back("move " + at(to));
  }
  void click(Point to, Button button, int count, const std::vector<Modifier>& modifiers,
             const std::stop_token&) override {
    done.push_back("click " + at(to) + " " + std::to_string(static_cast<int>(button)) + " " +
                   std::to_string(count) + " " + std::to_string(modifiers.size()));
  }
  void drag(const std::vector<Point>& path, Button, const std::vector<Modifier>&,
            const std::stop_token&) override {
    done.push_back("drag " + at(path.front()) + " " + at(path.back()));
  }
  void scroll(Point to, int dx, int dy, const std::vector<Modifier>&,
              const std::stop_token&) override {
    done.push_back("scroll " + at(to) + " " + std::to_string(dx) + " " + std::to_string(dy));
  }
  void set_button(Button button, bool down) override {
    done.push_back("button " + std::to_string(static_cast<int>(button)) + (down ? " down" : " up"));
  }
  void release_all() override { done.push_back("release_all"); }
  void finish() override { done.push_back("finish"); }

  Typed type(const std::string& text, const std::stop_token&) override {
    done.push_back("type " + text);
    return {text.size(), 0};
  }
  Typed enter(const std::string& text, TypeRoute route, const std::stop_token& stop) override {
    Typed typed = type(text, stop);
    typed.pasted = route == TypeRoute::paste;
    return typed;
  }
  void press(const std::string& keys, milliseconds, const std::stop_token&) override {
    done.push_back("press " + keys);
  }

  std::vector<Window> list() override {
    if (windows_fail) throw Error(ErrorCode::unavailable, "display :fake went away");
    return window_list;
  }
  std::optional<Window> active() override {
    for (const Window& window : window_list) {
      if (window.active) return window;
    }
    return std::nullopt;
  }
  void apply(uint64_t id, WindowAction action, Rect, milliseconds,
             const std::stop_token&) override {
    done.push_back("apply " + std::to_string(id) + " " + std::to_string(static_cast<int>(action)));
  }
  std::unique_ptr<WindowWatch> watch_windows() override {
    struct Told : WindowWatch {
      explicit Told(std::function<bool()>& next) : next_change(next) {}
      bool wait(Deadline, const std::stop_token&) override { return next_change(); }
      std::function<bool()>& next_change;
    };
    return std::make_unique<Told>(next_window_change);
  }

  std::string text(const std::stop_token&) override { return clip; }
  void set_text(const std::string& text) override { clip = text; }
  std::string image(const std::stop_token&) override { return clip_image; }
  void set_image(const std::string& png) override { clip_image = png; }

 private:
  static std::string at(Point point) {
    return std::to_string(point.x) + "," + std::to_string(point.y);
  }
};

}  // namespace selfagent
