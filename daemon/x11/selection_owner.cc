// Source: ICCCM 2.0, section 2 (peer-to-peer communication by means of selections).
#include "x11/selection_owner.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <poll.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/utf8.h"
#include "base/wait.h"
#include "x11/properties.h"

namespace selfagent {
namespace {

// Longer texts go in pieces, as ICCCM asks for: the server's request limit is 256 kB without
// BIG-REQUESTS.
constexpr size_t piece_bytes = 128 * 1024;
// A requestor that never fetches its next piece must not keep the text for ever.
constexpr size_t most_transfers = 16;

/// STRING is Latin-1; what it cannot say becomes a question mark.
std::string to_latin1(const std::string& text) {
  std::string out;
  for (const char32_t character : code_points(text)) {
    out += character < 0x100 ? static_cast<char>(character) : '?';
  }
  return out;
}

}  // namespace

SelectionOwner::SelectionOwner(const std::string& display)
    : connection_(display, [this](_XDisplay* opened) { prepare(opened); }),
      thread_([this](const std::stop_token& stop) { serve(stop); }) {}

SelectionOwner::~SelectionOwner() = default;

void SelectionOwner::prepare(_XDisplay* display) {
  atoms_ = {intern(display, "CLIPBOARD"),
            intern(display, "TARGETS"),
            intern(display, "TIMESTAMP"),
            intern(display, "UTF8_STRING"),
            intern(display, "TEXT"),
            intern(display, "text/plain"),
            intern(display, "text/plain;charset=utf-8"),
            intern(display, "INCR")};
  window_ = XCreateSimpleWindow(display, DefaultRootWindow(display), -1, -1, 1, 1, 0, 0, 0);
  XSelectInput(display, window_, PropertyChangeMask);
  transfers_.clear();
  owned_generation_ = 0;
}

unsigned long SelectionOwner::server_time(const Connection::Use& use) const {
  // Changing a property by nothing is ICCCM's way to learn the time.
  XChangeProperty(use.display(), window_, atoms_.timestamp, XA_STRING, 8, PropModeAppend, nullptr,
                  0);
  use.sync();
  XEvent event{};
  unsigned long time = CurrentTime;
  while (XCheckTypedWindowEvent(use.display(), window_, PropertyNotify, &event) != False) {
    time = event.xproperty.time;
  }
  return time;
}

void SelectionOwner::own(const std::string& text) {
  {
    const Connection::Use use(connection_);
    text_ = text;
    owned_since_ = server_time(use);
    for (const Atom selection : {atoms_.clipboard, Atom{XA_PRIMARY}}) {
      XSetSelectionOwner(use.display(), selection, window_, owned_since_);
    }
    const bool owns = XGetSelectionOwner(use.display(), atoms_.clipboard) == window_;
    use.check();
    if (!owns) {
      throw Error(ErrorCode::conflict,
                  "another program took the clipboard at this moment, try again");
    }
    owned_generation_ = connection_.generation();
    handle_events(use);  // what the round trips above have read is no longer visible on the socket
  }
  const std::lock_guard lock(mutex_);
  serving_ = true;
  wake_.notify_all();
}

void SelectionOwner::serve(const std::stop_token& stop) {
  const StopDescriptor stop_descriptor(stop);
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      if (!wake_.wait(lock, stop, [this] { return serving_; })) return;
    }
    try {
      int fd = -1;
      {
        const Connection::Use use(connection_);
        handle_events(use);
        const std::lock_guard lock(mutex_);
        serving_ = owned_generation_ == connection_.generation();
        fd = ConnectionNumber(use.display());
      }
      poll_until(fd, POLLIN, Deadline::after(std::chrono::minutes(1)), stop_descriptor);
    } catch (const Error&) {
      const std::lock_guard lock(mutex_);
      serving_ = false;  // the display is gone, and the selections with it
    }
  }
}

void SelectionOwner::handle_events(const Connection::Use& use) {
  while (XPending(use.display()) > 0) {
    XEvent event{};
    XNextEvent(use.display(), &event);
    if (event.type == SelectionRequest) {
      answer(use, &event);
    } else if (event.type == PropertyNotify && event.xproperty.state == PropertyDelete) {
      give_next_piece(use, event.xproperty.window, event.xproperty.atom);
    }
  }
  use.check();
}

void SelectionOwner::answer(const Connection::Use& use, const void* request_event) {
  const XSelectionRequestEvent& request =
      static_cast<const XEvent*>(request_event)->xselectionrequest;
  XEvent reply{};
  reply.xselection.type = SelectionNotify;
  reply.xselection.requestor = request.requestor;
  reply.xselection.selection = request.selection;
  reply.xselection.target = request.target;
  reply.xselection.time = request.time;
  // Obsolete clients name no property: the target is its name.
  const Atom property = request.property == None ? request.target : request.property;
  const bool given = give(use, request.requestor, request.target, property);
  reply.xselection.property = given ? property : Atom{None};
  XSendEvent(use.display(), request.requestor, False, NoEventMask, &reply);
  XFlush(use.display());
}

bool SelectionOwner::give(const Connection::Use& use, unsigned long requestor, unsigned long target,
                          unsigned long property) {
  if (target == atoms_.targets) {
    const std::vector<unsigned long> offered = {
        atoms_.targets,    atoms_.timestamp, atoms_.utf8_string, atoms_.text_plain_utf8,
        atoms_.text_plain, atoms_.text,      XA_STRING};
    XChangeProperty(use.display(), requestor, property, XA_ATOM, 32, PropModeReplace,
                    reinterpret_cast<const unsigned char*>(offered.data()),
                    static_cast<int>(offered.size()));
    return true;
  }
  if (target == atoms_.timestamp) {
    XChangeProperty(use.display(), requestor, property, XA_INTEGER, 32, PropModeReplace,
                    reinterpret_cast<const unsigned char*>(&owned_since_), 1);
    return true;
  }
  if (target == XA_STRING) {
    give_bytes(use, requestor, property, target, to_latin1(text_));
    return true;
  }
  if (target == atoms_.utf8_string || target == atoms_.text_plain ||
      target == atoms_.text_plain_utf8 || target == atoms_.text) {
    give_bytes(use, requestor, property, target == atoms_.text ? atoms_.utf8_string : target,
               text_);
    return true;
  }
  return false;
}

void SelectionOwner::give_bytes(const Connection::Use& use, unsigned long requestor,
                                unsigned long property, unsigned long type,
                                const std::string& bytes) {
  if (bytes.size() <= piece_bytes) {
    XChangeProperty(use.display(), requestor, property, type, 8, PropModeReplace,
                    reinterpret_cast<const unsigned char*>(bytes.data()),
                    static_cast<int>(bytes.size()));
    return;
  }
  if (transfers_.size() == most_transfers) transfers_.pop_front();
  transfers_.push_back({requestor, property, type, bytes, 0});
  XSelectInput(use.display(), requestor, PropertyChangeMask);
  const unsigned long size = bytes.size();
  XChangeProperty(use.display(), requestor, property, atoms_.incr, 32, PropModeReplace,
                  reinterpret_cast<const unsigned char*>(&size), 1);
}

void SelectionOwner::give_next_piece(const Connection::Use& use, unsigned long requestor,
                                     unsigned long property) {
  const auto transfer =
      std::find_if(transfers_.begin(), transfers_.end(), [&](const Transfer& some) {
        return some.requestor == requestor && some.property == property;
      });
  if (transfer == transfers_.end()) return;
  // A piece of no bytes says that this was all.
  const size_t count = std::min(piece_bytes, transfer->bytes.size() - transfer->sent);
  XChangeProperty(use.display(), requestor, property, transfer->type, 8, PropModeReplace,
                  reinterpret_cast<const unsigned char*>(transfer->bytes.data()) + transfer->sent,
                  static_cast<int>(count));
  XFlush(use.display());
  transfer->sent += count;
  if (count > 0) return;
  transfers_.erase(transfer);
  if (requestor != window_) XSelectInput(use.display(), requestor, NoEventMask);
}

}  // namespace selfagent
