// A plain X program for tests: it draws, records the events that it gets, and asks the server for
// its state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct _XDisplay;

namespace selfagent {

bool can_connect(const std::string& display);

/// An input event as a program sees it.
struct SeenEvent {
  enum Kind { press, release, motion, key_press, key_release } kind;
  unsigned detail;  ///< Button or keycode.
  int x;            ///< In the window.
  int y;
  unsigned state;      ///< Modifiers and buttons before the event.
  unsigned long time;  ///< Milliseconds of the server.
};

/// A window with its own connection. Not thread-safe.
class TestWindow {
 public:
  /// Without a window manager it is at (x, y); it has no border and a white background.
  TestWindow(const std::string& display, int x, int y, int width, int height, bool managed = false);
  ~TestWindow();
  TestWindow(const TestWindow&) = delete;
  TestWindow& operator=(const TestWindow&) = delete;

  unsigned long id() const { return window_; }
  /// Everything seen so far.
  const std::vector<SeenEvent>& events();
  /// How often one kind was seen.
  size_t count(SeenEvent::Kind kind);
  void forget() {
    events();
    events_.clear();
  }
  /// Fills a rectangle with 0xRRGGBB and waits until the server has done it.
  void fill(int x, int y, int width, int height, uint32_t color);
  void set_title(const std::string& title);
  void focus();
  /// Takes CLIPBOARD and never answers.
  void own_clipboard();
  /// A cursor of `width` x `height` pixels of one opaque color.
  void set_cursor(int width, int height, int hot_x, int hot_y);
  void close();

 private:
  _XDisplay* display_;
  unsigned long window_;
  std::vector<SeenEvent> events_;
};

/// Keycode and keysym pairs of all keys, as XGetKeyboardMapping tells them.
std::vector<unsigned long> whole_keymap(const std::string& display);
/// Keys and buttons that are down: the 32 bytes of XQueryKeymap and the button mask.
bool anything_is_down(const std::string& display);
/// Presses Shift and the left button on a connection that then ends, as that of a killed daemon.
void press_and_vanish(const std::string& display);
void lock_caps(const std::string& display, bool on);
bool caps_is_locked(const std::string& display);
/// Timeout of the screen saver in seconds.
int screen_saver_timeout(const std::string& display);
void set_screen_saver_timeout(const std::string& display, int seconds);
/// Changes the size of the screen by RandR to one of the server's modes. False if there is no such
/// mode.
bool resize_screen(const std::string& display, int width, int height);
/// Reads CLIPBOARD as another program would, or "" without an answer.
std::string converted(const std::string& display, const std::string& target);

}  // namespace selfagent
