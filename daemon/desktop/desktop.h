// The interfaces through which the rest of the program sees and touches a desktop.
//
// Every method may block for a round trip to the X server, may be called on any thread, and throws
// Error(unavailable) while the display is away; the implementation reconnects by itself at the next
// call.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "desktop/geometry.h"
#include "image/encoded_image.h"
#include "image/pixels.h"

namespace selfagent {

enum class Button { left, middle, right, back, forward };
enum class Modifier { ctrl, shift, alt, super };

/// What a popup is for, as its program says.
enum class PopupKind { menu, tooltip, list, other };

/// A menu, tooltip or list: a window that the window manager does not manage.
struct Popup {
  PopupKind kind = PopupKind::other;
  Rect area;
};

/// How the screen came to rest after an action.
struct Settled {
  bool changed = false;          ///< Something was drawn after the watch was armed.
  Rect area;                     ///< Bounding box of what was drawn; empty if nothing was.
  milliseconds first_change{0};  ///< From the call of settle() to the first damage.
  milliseconds rest{0};          ///< From the call of settle() to the end of the last unrest.
  bool timed_out = false;        ///< The screen was still changing at the limit.
  int64_t pixels = 0;            ///< How many pixels were drawn, each counted once.
  Rect by_itself;             ///< Around what was left out, see Repainting; empty if nothing was.
  std::vector<Popup> popups;  ///< Appeared since, and still there; at most 8.
};

/// What a watch makes of small parts that repaint again and again, as carets and clocks do.
enum class Repainting {
  counted,  ///< as of anything else that is drawn
  ignored,  ///< they are neither change nor unrest; meanwhile no such parts are learned
};

/// Collects damage from its construction on, so it must be made before the input is sent.
class ScreenWatch {
 public:
  virtual ~ScreenWatch() = default;
  /// Waits for a first change (at most `grace`), then until nothing was drawn for `quiet`, at most
  /// `limit` in all. A further call goes on from there; area and pixels are those since the start.
  virtual Settled settle(milliseconds grace, milliseconds quiet, milliseconds limit,
                         const std::stop_token& stop) = 0;
  /// Waits until something is drawn inside `area`, at most `limit`. True if something was, since
  /// the last call of this or of settle(). Throws Error(cancelled).
  virtual bool drawn_in(Rect area, milliseconds limit, const std::stop_token& stop) = 0;
  /// True if `area` lies inside a small part that is known to repaint by itself.
  virtual bool repaints_by_itself(Rect area) = 0;
};

/// What a picture shall show, and how. Two pictures of equal requests can be compared.
struct PictureRequest {
  std::optional<Rect> area;     ///< Screen pixels; without it, the whole screen.
  std::optional<int> max_side;  ///< The picture is shrunk until no side is longer; 1 or more.
  std::optional<int> quality;   ///< 1 to 100: a JPEG of this quality; without it, a PNG.
  bool cursor = true;           ///< The pointer is drawn into it.
  bool operator==(const PictureRequest&) const = default;
};

struct Picture {
  EncodedImagePtr image;
  Rect area;          ///< What it shows, in screen pixels.
  uint64_t hash = 0;  ///< Of what it shows: equal for equal pictures of equal requests.
};

/// An output, or a part of the screen that counts as one.
struct Monitor {
  std::string name;
  Rect area;  ///< Screen pixels.
  bool primary = false;
};

/// What a Screen has done so far.
struct ScreenCounts {
  uint64_t pictures = 0;  ///< handed out
  uint64_t changes = 0;   ///< looks at the screen that found other pixels than the one before
};

class Screen {
 public:
  virtual ~Screen() = default;
  virtual Size size() = 0;
  /// The screen as it is at this moment. As long as nothing changed the very same image is handed
  /// out, already encoded; otherwise it costs what changed. Throws Error(invalid_argument) if the
  /// area is not inside the screen.
  virtual Picture picture(const PictureRequest& request) = 0;
  /// The same if that needs neither waiting nor work, because such a picture was made, nothing has
  /// changed since and nobody else is looking; otherwise nothing.
  virtual std::optional<Picture> ready_picture(const PictureRequest&) { return std::nullopt; }
  /// Of the whole screen without the pointer: the same as long as it shows the same.
  virtual uint64_t content_hash() = 0;
  /// At least one; the picture shows all of them.
  virtual std::vector<Monitor> monitors() = 0;
  /// Copies `area` of the screen; with the pointer's image drawn into it if `cursor`.
  /// Throws Error(invalid_argument) if `area` is not inside the screen.
  virtual Pixels capture(Rect area, bool cursor) = 0;
  virtual std::unique_ptr<ScreenWatch> watch(Repainting repainting) = 0;
  /// Never waits for the display.
  virtual ScreenCounts counts() const { return {}; }
};

/// Positions outside the screen throw Error(invalid_argument) with the valid range. Buttons and
/// modifiers that a call pressed are released when it ends, however it ends.
class Pointer {
 public:
  virtual ~Pointer() = default;
  virtual Point position() = 0;
  virtual void move(Point to) = 0;
  /// Presses and releases `count` times. Returns when the last press has arrived, see finish().
  virtual void click(Point at, Button button, int count, const std::vector<Modifier>& modifiers,
                     const std::stop_token& stop) = 0;
  /// Presses once at the first point, moves through the path, releases once at the last point.
  virtual void drag(const std::vector<Point>& path, Button button,
                    const std::vector<Modifier>& modifiers, const std::stop_token& stop) = 0;
  /// `dx`, `dy` in notches; positive is right and down.
  virtual void scroll(Point at, int dx, int dy, const std::vector<Modifier>& modifiers,
                      const std::stop_token& stop) = 0;
  /// Presses or releases a button and leaves it so: release_all() or the opposite call ends it.
  virtual void set_button(Button button, bool down) = 0;
  /// Releases every button and key that this program holds down.
  virtual void release_all() = 0;
  /// True if click() and move() would not have to wait: no gesture is under way and no release
  /// awaited.
  virtual bool idle() const { return true; }
  /// Waits until the display has carried out everything sent so far: the display itself times the
  /// last release of a click, 35 ms after its press, so that click() need not wait for it.
  virtual void finish() = 0;
};

/// How a text gets into a program.
enum class TypeRoute {
  automatic,  ///< By a paste where that is quicker and the program takes it, else by keys.
  keys,       ///< As if on a keyboard.
  paste,      ///< Over the clipboard.
};

/// How a text was entered.
struct Typed {
  size_t characters = 0;  ///< Code points that were sent.
  size_t borrowed = 0;    ///< Distinct characters that needed a spare keycode.
  bool pasted = false;    ///< All but line breaks at the end came over the clipboard.
};

class Keyboard {
 public:
  virtual ~Keyboard() = default;
  /// Types `text` as if on a keyboard; "\n" is Return, "\t" is Tab. See x11/keyboard.h for the
  /// mechanism.
  virtual Typed type(const std::string& text, const std::stop_token& stop) = 0;
  /// Enters `text` on a route. A paste has arrived when the program has fetched all of the text;
  /// what the clipboard held is put back after it. In a pasted text line breaks and tabs are
  /// characters, but line breaks at its end are pressed as Return. See x11/paste.h for the
  /// mechanism. Throws Error(conflict) if the route is `paste` and the program does not take it.
  virtual Typed enter(const std::string& text, TypeRoute route, const std::stop_token& stop) = 0;
  /// Presses chords such as "ctrl+shift+t"; several are separated by spaces. Keeps the last key of
  /// each chord down for `hold`. Throws Error(invalid_argument) naming an unknown key and the
  /// nearest known ones.
  virtual void press(const std::string& keys, milliseconds hold, const std::stop_token& stop) = 0;
};

struct Window {
  uint64_t id = 0;
  std::string title;
  std::string window_class;  ///< WM_CLASS, class part.
  int pid = 0;               ///< 0 if unknown.
  Rect geometry;             ///< Client area in screen pixels.
  int desktop = 0;           ///< Workspace number, -1 for all.
  bool active = false;
  bool minimized = false;
  bool maximized = false;
  bool dialog = false;  ///< It says that it is one, or belongs to another window.
};

enum class WindowAction { activate, close, minimize, maximize, restore, move, resize };

/// Notices changes of windows. Belongs to one call; not thread-safe.
class WindowWatch {
 public:
  virtual ~WindowWatch() = default;
  /// Waits until a window may have come, gone, moved, become active or got another title since this
  /// watch or the last call of this began. False at `until` and when `stop` is requested. Throws
  /// Error(unavailable).
  virtual bool wait(Deadline until, const std::stop_token& stop) = 0;
};

class Windows {
 public:
  virtual ~Windows() = default;
  /// Top-level windows, bottom to top where the window manager tells the stacking order.
  virtual std::vector<Window> list() = 0;
  virtual std::optional<Window> active() = 0;
  /// Carries out `action` and waits until the window manager has done it or `limit` is over.
  /// Throws Error(not_found) for an unknown id, Error(timeout) if it is not done at the limit. move
  /// takes x, y of `to`, where the top left of the frame goes; resize takes width, height, the size
  /// of the client area.
  virtual void apply(uint64_t id, WindowAction action, Rect to, milliseconds limit,
                     const std::stop_token& stop) = 0;
  /// A watch that sees every change after this call began. Throws Error(unavailable).
  virtual std::unique_ptr<WindowWatch> watch_windows() = 0;
};

class Clipboard {
 public:
  virtual ~Clipboard() = default;
  /// The text of the CLIPBOARD selection, "" if nobody owns it. Gives up after 2 s with
  /// Error(timeout).
  virtual std::string text(const std::stop_token& stop) = 0;
  /// Owns CLIPBOARD (and PRIMARY) with `text` until another program takes it.
  virtual void set_text(const std::string& text) = 0;
  /// The picture of the CLIPBOARD selection as a PNG file, "" if it holds none. Gives up like
  /// text().
  virtual std::string image(const std::stop_token& stop) = 0;
  /// Owns CLIPBOARD with a PNG file until another program takes it.
  virtual void set_image(const std::string& png) = 0;
};

class Desktop {
 public:
  virtual ~Desktop() = default;
  virtual Screen& screen() = 0;
  virtual Pointer& pointer() = 0;
  virtual Keyboard& keyboard() = 0;
  virtual Windows& windows() = 0;
  virtual Clipboard& clipboard() = 0;
  /// The display's name, e.g. ":1".
  virtual std::string display() const = 0;
  /// "" if the display answers, otherwise a sentence that says what is wrong. Blocks for a round
  /// trip.
  virtual std::string problem() = 0;
};

}  // namespace selfagent
