// Pictures come through one shared segment that is kept; the copy out of it is the picture. The
// pointer is not part of the server's picture: its image is fetched by XFixes and blended at its
// hotspot.
#include "x11/screen.h"

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/Xfixes.h>
#include <X11/extensions/dpms.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "base/error.h"
#include "x11/connection.h"
#include "x11/cursor.h"
#include "x11/shared_memory.h"
#include "x11/watch.h"

namespace selfagent {
namespace {

/// A blank screen looks to a model like a crashed one.
void keep_awake(Display* display) {
  XSetScreenSaver(display, 0, 0, DontPreferBlanking, DontAllowExposures);
  XForceScreenSaver(display, ScreenSaverReset);
  int event_base = 0;
  int error_base = 0;
  if (DPMSQueryExtension(display, &event_base, &error_base) != 0 && DPMSCapable(display) != 0) {
    DPMSDisable(display);
  }
}

void prepare(Display* display) {
  const int screen = DefaultScreen(display);
  const Visual* visual = DefaultVisual(display, screen);
  if (visual->red_mask != 0xff0000 || visual->green_mask != 0xff00 || visual->blue_mask != 0xff ||
      ImageByteOrder(display) != LSBFirst) {
    throw Error(ErrorCode::unavailable,
                "display " + std::string(DisplayString(display)) + " has a depth of " +
                    std::to_string(DefaultDepth(display, screen)) +
                    " bits in an unusual order: start its X server with -depth 24");
  }
  keep_awake(display);
  sync_and_take_error(display);
}

void check_inside(Rect area, Size screen) {
  if (area.x >= 0 && area.y >= 0 && area.width > 0 && area.height > 0 &&
      area.width <= screen.width - area.x && area.height <= screen.height - area.y) {
    return;
  }
  throw Error(ErrorCode::invalid_argument,
              "the region [" + std::to_string(area.x) + "," + std::to_string(area.y) + "," +
                  std::to_string(area.width) + "," + std::to_string(area.height) +
                  "] is not inside the " + std::to_string(screen.width) + "x" +
                  std::to_string(screen.height) +
                  " screen: it is [x, y, width, height] with a width and a height of at least 1");
}

class X11Screen : public Screen {
 public:
  explicit X11Screen(const std::string& display)
      : connection_(display, prepare), watches_(display) {}

  Size size() override {
    const Connection::Use use(connection_);
    return use.screen_size();
  }

  Pixels capture(Rect area, bool cursor) override {
    const Connection::Use use(connection_);
    use.discard_events();
    check_inside(area, use.screen_size());
    Pixels pixels{area.width, area.height, {}};
    if (!copy_shared(use, area, pixels)) copy_through_socket(use, area, pixels);
    if (cursor) blend_cursor(use, area, pixels);
    return pixels;
  }

  std::unique_ptr<ScreenWatch> watch() override { return watches_.arm(); }

 private:
  bool copy_shared(const Connection::Use& use, Rect area, Pixels& pixels) {
    if (generation_ != connection_.generation()) {
      generation_ = connection_.generation();
      memory_.reset();
      shares_memory_ = true;
    }
    if (!shares_memory_) return false;
    const size_t bytes = pixels.stride() * static_cast<size_t>(area.height);
    if (!memory_ || memory_->bytes() < bytes) {
      if (memory_) memory_->detach(use.display());
      memory_ = SharedMemory::attach(use.display(), bytes);
      shares_memory_ = memory_ != nullptr;
    }
    const bool got =
        memory_ && memory_->get_image(use.display(), area.x, area.y, area.width, area.height);
    use.check();
    // assign() copies without clearing first: 2 ms less at 1920x1080.
    if (got) pixels.bytes.assign(memory_->pixels(), memory_->pixels() + bytes);
    return got;
  }

  static void copy_through_socket(const Connection::Use& use, Rect area, Pixels& pixels) {
    XImage* image =
        XGetImage(use.display(), use.root(), area.x, area.y, static_cast<unsigned>(area.width),
                  static_cast<unsigned>(area.height), AllPlanes, ZPixmap);
    use.check();
    if (image == nullptr || image->bits_per_pixel != 32) {
      if (image != nullptr) XDestroyImage(image);
      throw Error(
          ErrorCode::unavailable,
          "the X server gave no picture of the screen: it may have changed its size at this "
          "moment, try again");
    }
    pixels.bytes.resize(pixels.stride() * static_cast<size_t>(area.height));
    for (int y = 0; y < area.height; ++y) {
      std::memcpy(pixels.row(y), image->data + static_cast<ptrdiff_t>(y) * image->bytes_per_line,
                  pixels.stride());
    }
    XDestroyImage(image);
  }

  static void blend_cursor(const Connection::Use& use, Rect area, Pixels& pixels) {
    XFixesCursorImage* image = XFixesGetCursorImage(use.display());
    use.check();
    if (image == nullptr) return;
    CursorImage cursor{image->x - image->xhot - area.x,
                       image->y - image->yhot - area.y,
                       image->width,
                       image->height,
                       {}};
    // Xlib hands out each 32-bit pixel in an unsigned long.
    cursor.argb.assign(image->pixels, image->pixels + size_t{image->width} * image->height);
    XFree(image);
    draw_cursor(cursor, pixels);
  }

  Connection connection_;
  // Protected by the Use of connection_.
  std::unique_ptr<SharedMemory> memory_;
  bool shares_memory_ = true;
  uint64_t generation_ = 0;

  WatchPool watches_;
};

}  // namespace

std::unique_ptr<Screen> make_screen(const std::string& display) {
  return std::make_unique<X11Screen>(display);
}

}  // namespace selfagent
