#include "x11/key_target.h"

#include <X11/Xlib.h>

#include <algorithm>

#include "x11/properties.h"

namespace selfagent {
namespace {

// For programs that do not answer pings: one that is this late still finds the meaning of its keys.
constexpr milliseconds time_to_look_up{500};
// A busy browser needs about 1.5 ms a key, so it may be seconds behind a long text; but a program
// that hangs must not hold up everything.
constexpr milliseconds longest_answer{10'000};

bool answers_pings(Display* display, ::Window window) {
  const auto protocols = read_numbers(display, window, intern(display, "WM_PROTOCOLS"));
  if (!protocols) return false;
  return std::find(protocols->begin(), protocols->end(), intern(display, "_NET_WM_PING")) !=
         protocols->end();
}

/// `mark` comes back in the answer in place of a time; the window manager ignores marks of others.
void ping(Display* display, ::Window window, long mark) {
  XEvent event{};
  event.xclient.type = ClientMessage;
  event.xclient.window = window;
  event.xclient.message_type = intern(display, "WM_PROTOCOLS");
  event.xclient.format = 32;
  event.xclient.data.l[0] = static_cast<long>(intern(display, "_NET_WM_PING"));
  event.xclient.data.l[1] = mark;
  event.xclient.data.l[2] = static_cast<long>(window);
  XSendEvent(display, window, False, NoEventMask, &event);
}

bool answered(Display* display, long mark) {
  const Atom protocols = intern(display, "WM_PROTOCOLS");
  bool seen = false;
  while (XPending(display) > 0) {
    XEvent event;
    XNextEvent(display, &event);
    seen = seen || (event.type == ClientMessage && event.xclient.message_type == protocols &&
                    event.xclient.data.l[1] == mark);
  }
  return seen;
}

}  // namespace

void KeyTarget::note(const Input::Gesture& gesture) {
  Display* display = gesture.display();
  const auto active =
      read_numbers(display, gesture.use().root(), intern(display, "_NET_ACTIVE_WINDOW"));
  window_ = active && !active->empty() ? active->front() : 0;
}

void KeyTarget::wait(const Input::Gesture& gesture, Clock::time_point last_use) const {
  Display* display = gesture.display();
  const ::Window root = gesture.use().root();
  if (window_ == 0 || !answers_pings(display, window_)) {
    const auto since = Clock::now() - last_use;
    gesture.sync();
    if (since < time_to_look_up) {
      gesture.pause(std::chrono::ceil<milliseconds>(time_to_look_up - since));
    }
    return;
  }
  // Programs send the answer to the root window.
  XSelectInput(display, root, SubstructureNotifyMask);
  const Deadline deadline = Deadline::after(longest_answer);
  const long mark = static_cast<long>(Clock::now().time_since_epoch().count() & 0x7fffffff);
  ping(display, window_, mark);
  gesture.sync();
  while (!answered(display, mark) && !deadline.passed()) gesture.wait_for_event(deadline);
  XSelectInput(display, root, NoEventMask);
  gesture.sync();
}

}  // namespace selfagent
