// Damage is asked for in its cheapest form: one event when the damaged region stops being empty.
// The region is then moved, inside the server, into a collection that is read once at the end.
// While the region is not taken, drawing costs no event, so taking it at most every few
// milliseconds bounds the work even when a video plays. Source: DAMAGE extension 1.1, report level
// NonEmpty; XFIXES 2, regions.
#include "x11/watch.h"

#include <X11/Xlib.h>
#include <X11/extensions/Xdamage.h>
#include <X11/extensions/Xfixes.h>
#include <poll.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "base/wait.h"
#include "x11/connection.h"

namespace selfagent {
namespace {

// How late the end of the drawing may be noticed; a quarter of a frame at 60 Hz.
constexpr milliseconds collect_interval{4};

}  // namespace

/// The damage of the root window on one connection. Used by one thread at a time.
class WatchPool::Damage {
 public:
  explicit Damage(const std::string& display)
      : connection_(display, [this](_XDisplay* opened) { create(opened); }) {}

  void arm() {
    const Connection::Use use(connection_);
    armed_generation_ = connection_.generation();
    XDamageSubtract(use.display(), damage_, None, None);
    XFixesSetRegion(use.display(), collected_, nullptr, 0);
    use.sync();
    drain(use.display());
  }

  /// Takes what was drawn since the last call into the collection; true if there was something.
  bool collect() {
    const Connection::Use use(connection_);
    check_same_display();
    const bool drawn = drain(use.display());
    if (drawn) {
      XDamageSubtract(use.display(), damage_, None, taken_);
      XFixesUnionRegion(use.display(), collected_, collected_, taken_);
      XFlush(use.display());
    }
    use.check();
    return drawn;
  }

  /// The bounding box and the area of the collection.
  void read(Settled& settled) {
    const Connection::Use use(connection_);
    check_same_display();
    int count = 0;
    XRectangle bounds{};
    XRectangle* parts = XFixesFetchRegionAndBounds(use.display(), collected_, &count, &bounds);
    settled.pixels = 0;
    for (int i = 0; i < count; ++i) settled.pixels += int64_t{parts[i].width} * parts[i].height;
    if (parts != nullptr) XFree(parts);
    use.check();
    settled.area = {bounds.x, bounds.y, bounds.width, bounds.height};
  }

  /// Waits for the next event of the server.
  PollEnd wait(Deadline until, const StopDescriptor& stop) {
    int fd = -1;
    {
      const Connection::Use use(connection_);
      check_same_display();
      fd = ConnectionNumber(use.display());
    }
    return poll_until(fd, POLLIN, until, stop);
  }

 private:
  void create(_XDisplay* display) {
    int error_base = 0;
    int fixes_event = 0;
    if (XDamageQueryExtension(display, &event_base_, &error_base) == False ||
        XFixesQueryExtension(display, &fixes_event, &error_base) == False) {
      throw Error(ErrorCode::unavailable,
                  "the X server lacks the DAMAGE or XFIXES extension, which is needed to see when "
                  "the screen changes");
    }
    int major = 2;
    int minor = 0;
    XFixesQueryVersion(display, &major, &minor);
    damage_ = XDamageCreate(display, DefaultRootWindow(display), XDamageReportNonEmpty);
    collected_ = XFixesCreateRegion(display, nullptr, 0);
    taken_ = XFixesCreateRegion(display, nullptr, 0);
  }

  void check_same_display() const {
    if (connection_.generation() == armed_generation_) return;
    throw Error(ErrorCode::unavailable, "display " + connection_.name() +
                                            " was started anew while its changes were awaited");
  }

  bool drain(Display* display) const {
    bool drawn = false;
    while (XPending(display) > 0) {
      XEvent event;
      XNextEvent(display, &event);
      if (event.type == event_base_ + XDamageNotify) drawn = true;
    }
    return drawn;
  }

  int event_base_ = 0;
  XID damage_ = 0;
  XserverRegion collected_ = 0;
  XserverRegion taken_ = 0;
  uint64_t armed_generation_ = 0;
  Connection connection_;  // last: its preparation writes the members above
};

/// Gives its damage back to the pool when it ends.
class DamageWatch : public ScreenWatch {
 public:
  DamageWatch(WatchPool& pool, std::unique_ptr<WatchPool::Damage> damage)
      : pool_(pool), damage_(std::move(damage)) {}

  ~DamageWatch() override {
    const std::lock_guard lock(pool_.mutex_);
    pool_.idle_.push_back(std::move(damage_));
  }

  Settled settle(milliseconds grace, milliseconds quiet, milliseconds limit,
                 const std::stop_token& stop) override {
    const StopDescriptor stop_descriptor(stop);
    const Clock::time_point start = Clock::now();
    const auto since_start = [&](Clock::time_point at) {
      return std::chrono::duration_cast<milliseconds>(at - start);
    };
    Settled settled;
    Clock::time_point last_change = start;
    while (true) {
      const bool drawn = damage_->collect();
      const auto now = Clock::now();
      if (drawn) {
        if (!settled.changed) settled.first_change = since_start(now);
        settled.changed = true;
        last_change = now;
      }
      const auto calm = settled.changed ? last_change + quiet : start + grace;
      if (now >= calm) break;
      if (now >= start + limit) {
        settled.timed_out = settled.changed;
        break;
      }
      const Deadline until(std::min(calm, start + limit));
      const bool stopped = drawn
                               ? !sleep_until(Deadline::after(collect_interval).sooner(until), stop)
                               : damage_->wait(until, stop_descriptor) == PollEnd::stopped;
      if (stopped) {
        throw Error(ErrorCode::cancelled, "cancelled while waiting for the screen to come to rest");
      }
    }
    settled.rest = since_start(settled.changed ? last_change : start);
    damage_->read(settled);
    return settled;
  }

 private:
  WatchPool& pool_;
  std::unique_ptr<WatchPool::Damage> damage_;
};

WatchPool::WatchPool(std::string display) : display_(std::move(display)) {}

WatchPool::~WatchPool() = default;

std::unique_ptr<ScreenWatch> WatchPool::arm() {
  std::unique_ptr<Damage> damage;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      damage = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!damage) damage = std::make_unique<Damage>(display_);
  damage->arm();
  return std::make_unique<DamageWatch>(*this, std::move(damage));
}

}  // namespace selfagent
