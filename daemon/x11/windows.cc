// Windows are what the window manager says they are: the root window's properties of EWMH list
// them, and messages to the root window ask the window manager to change them. Each change is
// awaited by looking again whenever a window or the root window told of something. Without a window
// manager the mapped children of the root window stand in, and Xlib changes them. Source: Extended
// Window Manager Hints 1.5; ICCCM 2.0, sections 4.1.2.5 and 4.1.4.
#include "x11/windows.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "x11/client_list.h"
#include "x11/connection.h"
#include "x11/properties.h"
#include "x11/window_watch.h"

namespace selfagent {
namespace {

enum AtomIndex {
  net_active_window,
  net_wm_name,
  net_wm_pid,
  net_wm_state,
  net_wm_state_hidden,
  net_wm_state_maximized_vert,
  net_wm_state_maximized_horz,
  net_wm_desktop,
  net_wm_window_type,
  net_wm_window_type_dialog,
  net_close_window,
  net_moveresize_window,
  net_frame_extents,
  wm_protocols,
  wm_delete_window,
  atom_count
};

constexpr std::array<const char*, atom_count> atom_names = {
    "_NET_ACTIVE_WINDOW",
    "_NET_WM_NAME",
    "_NET_WM_PID",
    "_NET_WM_STATE",
    "_NET_WM_STATE_HIDDEN",
    "_NET_WM_STATE_MAXIMIZED_VERT",
    "_NET_WM_STATE_MAXIMIZED_HORZ",
    "_NET_WM_DESKTOP",
    "_NET_WM_WINDOW_TYPE",
    "_NET_WM_WINDOW_TYPE_DIALOG",
    "_NET_CLOSE_WINDOW",
    "_NET_MOVERESIZE_WINDOW",
    "_NET_FRAME_EXTENTS",
    "WM_PROTOCOLS",
    "WM_DELETE_WINDOW",
};

std::string hexadecimal(uint64_t id) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  do {
    text.insert(text.begin(), digits[id & 15]);
    id >>= 4;
  } while (id != 0);
  return "0x" + text;
}

std::string latin1_to_utf8(const std::string& text) {
  std::string out;
  for (const char byte : text) append_utf8(out, static_cast<unsigned char>(byte));
  return out;
}

class X11Windows : public Windows {
 public:
  explicit X11Windows(const std::string& display)
      : connection_(display, [this](_XDisplay* opened) { prepare(opened); }) {}

  std::vector<Window> list() override {
    const Connection::Use use(connection_);
    use.discard_events();
    std::vector<Window> windows;
    const ::Window active = active_id(use);
    for (const ::Window id : list_.ids(use)) {
      if (auto window = read(use, id, active)) windows.push_back(std::move(*window));
    }
    use.check();
    return windows;
  }

  std::optional<Window> active() override {
    const Connection::Use use(connection_);
    use.discard_events();
    const ::Window id = active_id(use);
    auto window = id == 0 ? std::nullopt : read(use, id, id);
    use.check();
    return window;
  }

  void apply(uint64_t id, WindowAction action, Rect to, milliseconds limit,
             const std::stop_token& stop) override {
    const Window before = find(id);
    send(before, action, to);
    const Deadline deadline = Deadline::after(limit);
    std::unique_ptr<WindowWatch> watch;
    while (!done(before, action, to)) {
      if (deadline.passed()) throw_not_done(before, action, limit);
      // Many are done by the time that a watch has begun: another look comes before the first wait.
      if (watch) {
        watch->wait(deadline, stop);
      } else {
        watch = watch_windows();
      }
      if (stop.stop_requested()) {
        throw Error(ErrorCode::cancelled, "cancelled while waiting for the window manager");
      }
    }
  }

  std::unique_ptr<WindowWatch> watch_windows() override {
    return watch_windows_of(connection_.name());
  }

 private:
  void prepare(Display* display) {
    auto names = atom_names;
    XInternAtoms(display, const_cast<char**>(names.data()), atom_count, False, atoms_.data());
    list_.prepare(display);
  }

  ::Window active_id(const Connection::Use& use) const {
    if (list_.has_manager(use)) {
      const auto active = read_numbers(use.display(), use.root(), atoms_[net_active_window]);
      return active && !active->empty() ? active->front() : 0;
    }
    ::Window focus = 0;
    int revert = 0;
    XGetInputFocus(use.display(), &focus, &revert);
    const auto tops = ClientList::mapped_children(use);
    while (focus > 1) {  // 0 is none, 1 is PointerRoot
      if (std::find(tops.begin(), tops.end(), focus) != tops.end()) return focus;
      ::Window root = 0;
      ::Window parent = 0;
      ::Window* children = nullptr;
      unsigned count = 0;
      if (XQueryTree(use.display(), focus, &root, &parent, &children, &count) == 0) return 0;
      if (children != nullptr) XFree(children);
      focus = parent;
    }
    return 0;
  }

  std::optional<Window> read(const Connection::Use& use, ::Window id, ::Window active) const {
    Display* display = use.display();
    Window window;
    window.id = id;
    window.active = id == active;
    ::Window root = 0;
    ::Window child = 0;
    int ignored = 0;
    unsigned width = 0;
    unsigned height = 0;
    unsigned border = 0;
    unsigned depth = 0;
    if (XGetGeometry(display, id, &root, &ignored, &ignored, &width, &height, &border, &depth) ==
        0) {
      return std::nullopt;  // closed a moment ago
    }
    window.geometry.width = static_cast<int>(width);
    window.geometry.height = static_cast<int>(height);
    XTranslateCoordinates(display, id, root, 0, 0, &window.geometry.x, &window.geometry.y, &child);
    window.title = to_utf8(read_text(display, id, atoms_[net_wm_name]));
    if (window.title.empty()) window.title = latin1_to_utf8(read_text(display, id, XA_WM_NAME));
    const std::string classes = read_text(display, id, XA_WM_CLASS);  // "instance\0class\0"
    const size_t end = classes.find('\0');
    if (end != std::string::npos) window.window_class = to_utf8(classes.substr(end + 1).c_str());
    const auto pid = read_numbers(display, id, atoms_[net_wm_pid]);
    if (pid && !pid->empty()) window.pid = static_cast<int>(pid->front());
    const auto desktop = read_numbers(display, id, atoms_[net_wm_desktop]);
    if (desktop && !desktop->empty()) window.desktop = static_cast<int>(desktop->front());
    window.dialog = is_dialog(display, id);
    const auto states =
        read_numbers(display, id, atoms_[net_wm_state]).value_or(std::vector<uint32_t>{});
    const auto has = [&](AtomIndex state) {
      return std::find(states.begin(), states.end(), atoms_[state]) != states.end();
    };
    window.minimized = has(net_wm_state_hidden);
    window.maximized = has(net_wm_state_maximized_vert) && has(net_wm_state_maximized_horz);
    return window;
  }

  bool is_dialog(Display* display, ::Window id) const {
    const auto types =
        read_numbers(display, id, atoms_[net_wm_window_type]).value_or(std::vector<uint32_t>{});
    if (!types.empty()) return types.front() == atoms_[net_wm_window_type_dialog];
    ::Window parent = 0;  // a window without a type that is transient is one; source: EWMH 1.5
    return XGetTransientForHint(display, id, &parent) != 0;
  }

  Window find(uint64_t id) {
    std::string known;
    for (Window& window : list()) {
      if (window.id == id) return std::move(window);
      known += (known.empty() ? "" : ", ") + hexadecimal(window.id) + " \"" + window.title + "\"";
    }
    throw Error(ErrorCode::not_found, "there is no window " + hexadecimal(id) +
                                          "; there are: " + (known.empty() ? "none" : known));
  }

  void send(const Window& window, WindowAction action, Rect to) {
    const Connection::Use use(connection_);
    if (list_.has_manager(use)) {
      ask_manager(use, window, action, to);
    } else {
      change_directly(use, window, action, to);
    }
    use.sync_and_take_error();  // a window that vanished meanwhile is noticed by done()
  }

  void ask_manager(const Connection::Use& use, const Window& window, WindowAction action,
                   Rect to) const {
    constexpr long pager = 2;  // source indication: a direct user action
    constexpr long remove = 0;
    constexpr long add = 1;
    const auto maximized = [&](long change) {
      message(use, window.id, net_wm_state,
              {change, static_cast<long>(atoms_[net_wm_state_maximized_vert]),
               static_cast<long>(atoms_[net_wm_state_maximized_horz]), pager, 0});
    };
    switch (action) {
      case WindowAction::activate:
        message(use, window.id, net_active_window, {pager, CurrentTime, 0, 0, 0});
        break;
      case WindowAction::close:
        message(use, window.id, net_close_window, {CurrentTime, pager, 0, 0, 0});
        break;
      case WindowAction::minimize:
        XIconifyWindow(use.display(), window.id, DefaultScreen(use.display()));
        break;
      case WindowAction::maximize:
        if (window.minimized)
          message(use, window.id, net_active_window, {pager, CurrentTime, 0, 0, 0});
        maximized(add);
        break;
      case WindowAction::restore:
        if (window.minimized) {
          message(use, window.id, net_active_window, {pager, CurrentTime, 0, 0, 0});
        } else {
          maximized(remove);
        }
        break;
      case WindowAction::move:
        message(use, window.id, net_moveresize_window,
                {NorthWestGravity | 1 << 8 | 1 << 9 | pager << 12, to.x, to.y, 0, 0});
        break;
      case WindowAction::resize:
        message(use, window.id, net_moveresize_window,
                {NorthWestGravity | 1 << 10 | 1 << 11 | pager << 12, 0, 0, to.width, to.height});
        break;
    }
  }

  void change_directly(const Connection::Use& use, const Window& window, WindowAction action,
                       Rect to) const {
    Display* display = use.display();
    switch (action) {
      case WindowAction::activate:
        XRaiseWindow(display, window.id);
        XSetInputFocus(display, window.id, RevertToPointerRoot, CurrentTime);
        break;
      case WindowAction::close:
        close_politely(display, window.id);
        break;
      case WindowAction::move:
        XMoveWindow(display, window.id, to.x, to.y);
        break;
      case WindowAction::resize:
        XResizeWindow(display, window.id, static_cast<unsigned>(to.width),
                      static_cast<unsigned>(to.height));
        break;
      case WindowAction::minimize:
      case WindowAction::maximize:
      case WindowAction::restore:
        throw Error(ErrorCode::unavailable,
                    "no window manager runs on the display: windows can only be activated, closed, "
                    "moved and resized");
    }
  }

  void close_politely(Display* display, ::Window id) const {
    const auto protocols =
        read_numbers(display, id, atoms_[wm_protocols]).value_or(std::vector<uint32_t>{});
    if (std::find(protocols.begin(), protocols.end(), atoms_[wm_delete_window]) ==
        protocols.end()) {
      XKillClient(display, id);
      return;
    }
    XEvent event{};
    event.xclient.type = ClientMessage;
    event.xclient.window = id;
    event.xclient.message_type = atoms_[wm_protocols];
    event.xclient.format = 32;
    event.xclient.data.l[0] = static_cast<long>(atoms_[wm_delete_window]);
    event.xclient.data.l[1] = CurrentTime;
    XSendEvent(display, id, False, NoEventMask, &event);
  }

  void message(const Connection::Use& use, ::Window window, AtomIndex type,
               const std::array<long, 5>& values) const {
    XEvent event{};
    event.xclient.type = ClientMessage;
    event.xclient.window = window;
    event.xclient.message_type = atoms_[type];
    event.xclient.format = 32;
    std::copy(values.begin(), values.end(), event.xclient.data.l);
    XSendEvent(use.display(), use.root(), False, SubstructureRedirectMask | SubstructureNotifyMask,
               &event);
  }

  bool done(const Window& before, WindowAction action, Rect to) {
    const Connection::Use use(connection_);
    use.discard_events();
    const ::Window active = active_id(use);
    const auto listed = list_.ids(use);
    const bool exists = std::find(listed.begin(), listed.end(), before.id) != listed.end();
    if (action == WindowAction::close) return !exists;
    const auto now = read(use, before.id, active);
    use.check();
    if (!exists || !now) {
      throw Error(ErrorCode::not_found, "window " + hexadecimal(before.id) + " \"" + before.title +
                                            "\" was closed meanwhile");
    }
    switch (action) {
      case WindowAction::activate:
        return now->active && !now->minimized;
      case WindowAction::minimize:
        return now->minimized;
      case WindowAction::maximize:
        return now->maximized;
      case WindowAction::restore:
        return before.minimized ? !now->minimized : !now->maximized;
      case WindowAction::move:
        // A window manager may keep a window on the screen: any new place is its answer.
        return now->geometry != before.geometry || frame_corner(use, *now) == Point{to.x, to.y};
      case WindowAction::resize:
        return now->geometry != before.geometry ||
               (now->geometry.width == to.width && now->geometry.height == to.height);
      case WindowAction::close:
        break;
    }
    return true;
  }

  Point frame_corner(const Connection::Use& use, const Window& window) const {
    Point corner{window.geometry.x, window.geometry.y};
    const auto extents = read_numbers(use.display(), window.id, atoms_[net_frame_extents]);
    if (extents && extents->size() == 4) {  // left, right, top, bottom
      corner.x -= static_cast<int>((*extents)[0]);
      corner.y -= static_cast<int>((*extents)[2]);
    }
    return corner;
  }

  [[noreturn]] static void throw_not_done(const Window& window, WindowAction action,
                                          milliseconds limit) {
    const std::string after = " after " + std::to_string(limit.count()) + " ms";
    const std::string name = "window " + hexadecimal(window.id) + " \"" + window.title + "\"";
    if (action == WindowAction::close) {
      throw Error(ErrorCode::timeout,
                  name + " is still open" + after +
                      ": its program may be asking something, look at a screenshot");
    }
    throw Error(ErrorCode::timeout,
                "the window manager did not change " + name + after +
                    (window.maximized ? ": it is maximized, restore it first" : ""));
  }

  std::array<Atom, atom_count> atoms_{};
  ClientList list_;
  Connection connection_;  // last: its preparation writes the two above
};

}  // namespace

std::unique_ptr<Windows> make_windows(const std::string& display) {
  return std::make_unique<X11Windows>(display);
}

}  // namespace selfagent
