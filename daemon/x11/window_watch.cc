// The root window tells of windows that come and go (its properties by EWMH, and its children),
// each window tells of its own title, state and place. An event mask belongs to the client that
// sets it, so nobody else is disturbed. Every window is listened to before the caller looks at it:
// what changes between the two is seen. Source: X11 protocol, PropertyNotify, ConfigureNotify;
// ICCCM 4.1.5 (managers send ConfigureNotify to windows that they move).
#include "x11/window_watch.h"

#include <X11/Xlib.h>
#include <poll.h>

#include <set>

#include "base/error.h"
#include "base/wait.h"
#include "x11/client_list.h"
#include "x11/connection.h"

namespace selfagent {
namespace {

class X11WindowWatch : public WindowWatch {
 public:
  explicit X11WindowWatch(const std::string& display)
      : connection_(display, [this](_XDisplay* opened) { prepare(opened); }) {
    const Connection::Use use(connection_);
    listen(use);
  }

  bool wait(Deadline until, const std::stop_token& stop) override {
    const StopDescriptor stop_descriptor(stop);
    while (true) {
      int fd = -1;
      {
        const Connection::Use use(connection_);
        if (drain(use)) {
          listen(use);
          return true;
        }
        fd = ConnectionNumber(use.display());
      }
      switch (poll_until(fd, POLLIN, until, stop_descriptor)) {
        case PollEnd::ready:
          break;
        case PollEnd::stopped:
        case PollEnd::deadline:
          return false;
      }
    }
  }

 private:
  void prepare(_XDisplay* display) {
    list_.prepare(display);
    known_.clear();
    fresh_ = true;
    XSelectInput(display, DefaultRootWindow(display), PropertyChangeMask | SubstructureNotifyMask);
    sync_and_take_error(display);
  }

  /// Empties the event queue; true if there was something, or the connection is a new one.
  bool drain(const Connection::Use& use) {
    bool some = std::exchange(fresh_, false);
    while (XPending(use.display()) > 0) {
      XEvent event;
      XNextEvent(use.display(), &event);
      // Every client gets MappingNotify, wanted or not.
      some = some || event.type != MappingNotify;
    }
    use.check();
    return some;
  }

  void listen(const Connection::Use& use) {
    fresh_ = false;
    std::set<unsigned long> now;
    for (const unsigned long id : list_.ids(use)) {
      now.insert(id);
      if (known_.contains(id)) continue;
      XSelectInput(use.display(), id, PropertyChangeMask | StructureNotifyMask | FocusChangeMask);
    }
    known_ = std::move(now);
    use.sync_and_take_error();  // one that vanished meanwhile has told the root window
  }

  ClientList list_;
  std::set<unsigned long> known_;  // the windows that are listened to
  bool fresh_ = true;              // the server is a new one: everything may have changed
  Connection connection_;          // last: its preparation writes the others
};

}  // namespace

std::unique_ptr<WindowWatch> watch_windows_of(const std::string& display) {
  return std::make_unique<X11WindowWatch>(display);
}

}  // namespace selfagent
