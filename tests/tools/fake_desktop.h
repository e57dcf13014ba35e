// A desktop without a screen, for tools that only need one to exist.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "desktop/desktop.h"

namespace selfagent {

/// Answers every question with nothing and remembers no action.
class FakeDesktop final : public Desktop,
                          private Screen,
                          private Pointer,
                          private Keyboard,
                          private Windows,
                          private Clipboard {
 public:
  Screen& screen() override { return *this; }
  Pointer& pointer() override { return *this; }
  Keyboard& keyboard() override { return *this; }
  Windows& windows() override { return *this; }
  Clipboard& clipboard() override { return *this; }
  std::string display() const override { return ":77"; }
  std::string problem() override { return ""; }

 private:
  class Still final : public ScreenWatch {
    Settled settle(milliseconds, milliseconds, milliseconds, const std::stop_token&) override {
      return {};
    }
    bool drawn_in(Rect, milliseconds, const std::stop_token&) override { return false; }
    bool repaints_by_itself(Rect) override { return false; }
  };

  Size size() override { return {1344, 896}; }
  Pixels capture(Rect, bool) override { return {}; }
  Picture picture(const PictureRequest&) override {
    return {std::make_shared<EncodedImage>("", "image/png", 1344, 896), {0, 0, 1344, 896}, 0};
  }
  uint64_t content_hash() override { return 0; }
  std::vector<Monitor> monitors() override { return {{"screen", {0, 0, 1344, 896}, true}}; }
  std::unique_ptr<ScreenWatch> watch(Repainting) override { return std::make_unique<Still>(); }

  Point position() override { return {}; }
  void move(Point) override {}
  void click(Point, Button, int, const std::vector<Modifier>&, const std::stop_token&) override {}
  void drag(const std::vector<Point>&, Button, const std::vector<Modifier>&,
            const std::stop_token&) override {}
  void scroll(Point, int, int, const std::vector<Modifier>&, const std::stop_token&) override {}
  void set_button(Button, bool) override {}
  void release_all() override {}
  void finish() override {}

  Typed type(const std::string&, const std::stop_token&) override { return {}; }
  Typed enter(const std::string&, TypeRoute, const std::stop_token&) override { return {}; }
  void press(const std::string&, milliseconds, const std::stop_token&) override {}

  std::vector<Window> list() override { return {}; }
  std::optional<Window> active() override { return {}; }
  void apply(uint64_t, WindowAction, Rect, milliseconds, const std::stop_token&) override {}

  std::unique_ptr<WindowWatch> watch_windows() override {
    struct NothingHappens : WindowWatch {
      bool wait(Deadline, const std::stop_token&) override { return false; }
    };
    return std::make_unique<NothingHappens>();
  }

  std::string text(const std::stop_token&) override { return clipboard_; }
  void set_text(const std::string& text) override { clipboard_ = text; }
  std::string image(const std::stop_token&) override { return ""; }
  void set_image(const std::string&) override {}

  std::string clipboard_;
};

}  // namespace selfagent
