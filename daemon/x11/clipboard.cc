// Writing is owning the selection, see selection_owner.h. Reading asks the owner to put the text
// into a property of a window of ours, in one piece or in many (INCR). Source: ICCCM 2.0,
// section 2.
#include "x11/clipboard.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <poll.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "base/error.h"
#include "base/utf8.h"
#include "base/wait.h"
#include "x11/connection.h"
#include "x11/properties.h"
#include "x11/selection_owner.h"

namespace selfagent {
namespace {

constexpr milliseconds patience{2000};
constexpr size_t most_bytes = 64 << 20;  // more is not text that anybody wants to read

class X11Clipboard : public Clipboard {
 public:
  explicit X11Clipboard(const std::string& display)
      : owner_(display), reader_(display, [this](_XDisplay* opened) { prepare(opened); }) {}

  std::string text(const std::stop_token& stop) override {
    const Connection::Use use(reader_);
    const Deadline deadline = Deadline::after(patience);
    const bool owned = XGetSelectionOwner(use.display(), clipboard_) != None;
    use.check();
    if (!owned) return "";
    const StopDescriptor stop_descriptor(stop);
    if (convert(use, utf8_string_, deadline, stop_descriptor)) {
      return to_utf8(receive(use, deadline, stop_descriptor));
    }
    if (convert(use, XA_STRING, deadline, stop_descriptor)) {
      std::string out;
      for (const char byte : receive(use, deadline, stop_descriptor)) {
        append_utf8(out, static_cast<unsigned char>(byte));
      }
      return out;
    }
    throw Error(ErrorCode::not_found,
                "the clipboard holds something that is not text, such as a picture or files");
  }

  void set_text(const std::string& text) override { owner_.own(text); }

 private:
  void prepare(Display* display) {
    clipboard_ = intern(display, "CLIPBOARD");
    utf8_string_ = intern(display, "UTF8_STRING");
    incr_ = intern(display, "INCR");
    property_ = intern(display, "_SELFAGENT_CLIPBOARD");
    window_ = XCreateSimpleWindow(display, DefaultRootWindow(display), -1, -1, 1, 1, 0, 0, 0);
    XSelectInput(display, window_, PropertyChangeMask);
  }

  /// Asks for `target`; true if the owner has put it into the property.
  bool convert(const Connection::Use& use, Atom target, Deadline deadline,
               const StopDescriptor& stop) {
    XDeleteProperty(use.display(), window_, property_);
    use.sync();
    XEvent event{};
    while (XPending(use.display()) > 0) XNextEvent(use.display(), &event);
    XConvertSelection(use.display(), clipboard_, target, property_, window_, CurrentTime);
    event = wait_for(use, deadline, stop, [&](const XEvent& some) {
      return some.type == SelectionNotify && some.xselection.target == target;
    });
    return event.xselection.property != None;
  }

  std::string receive(const Connection::Use& use, Deadline deadline, const StopDescriptor& stop) {
    Atom type = None;
    std::string all = take(use, type);
    if (type != incr_) return all;
    all.clear();
    while (true) {
      wait_for(use, deadline, stop, [this](const XEvent& some) {
        return some.type == PropertyNotify && some.xproperty.atom == property_ &&
               some.xproperty.state == PropertyNewValue;
      });
      const std::string piece = take(use, type);
      if (piece.empty()) return all;
      all += piece;
      if (all.size() > most_bytes) {
        throw Error(ErrorCode::resource_exhausted, "the clipboard holds more than 64 MB of text");
      }
    }
  }

  /// Reads and deletes the property; the deletion asks for the next piece.
  std::string take(const Connection::Use& use, Atom& type) {
    int format = 0;
    unsigned long count = 0;
    unsigned long rest = 0;
    unsigned char* value = nullptr;
    const bool got =
        XGetWindowProperty(use.display(), window_, property_, 0, static_cast<long>(most_bytes / 4),
                           True, AnyPropertyType, &type, &format, &count, &rest, &value) == 0;
    use.check();
    const std::unique_ptr<unsigned char, int (*)(void*)> owner(
        value, [](void* data) { return data == nullptr ? 0 : XFree(data); });
    if (!got || format != 8) return "";
    return std::string(reinterpret_cast<const char*>(value), count);
  }

  XEvent wait_for(const Connection::Use& use, Deadline deadline, const StopDescriptor& stop,
                  const std::function<bool(const XEvent&)>& wanted) const {
    while (true) {
      while (XPending(use.display()) > 0) {
        XEvent event{};
        XNextEvent(use.display(), &event);
        if (wanted(event)) return event;
      }
      use.check();
      const PollEnd end = poll_until(ConnectionNumber(use.display()), POLLIN, deadline, stop);
      if (end == PollEnd::stopped) {
        throw Error(ErrorCode::cancelled, "cancelled while waiting for the clipboard's owner");
      }
      if (end == PollEnd::deadline) {
        throw Error(ErrorCode::timeout,
                    "the program that owns the clipboard did not answer within 2 s: copy the text "
                    "again, or set the clipboard");
      }
    }
  }

  SelectionOwner owner_;

  // Protected by the Use of reader_.
  Atom clipboard_ = None;
  Atom utf8_string_ = None;
  Atom incr_ = None;
  Atom property_ = None;
  ::Window window_ = None;
  Connection reader_;  // last: its preparation writes the members above
};

}  // namespace

std::unique_ptr<Clipboard> make_clipboard(const std::string& display) {
  return std::make_unique<X11Clipboard>(display);
}

}  // namespace selfagent
