// Deadlines on the monotonic clock and times of day for people.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace selfagent {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A point on the monotonic clock at which a wait ends.
class Deadline {
 public:
  explicit Deadline(Clock::time_point at) : at_(at) {}
  /// A deadline so far away that it does not matter (24 h: waits convert it to ms without
  /// overflow).
  static Deadline never() { return after(std::chrono::hours(24)); }
  static Deadline after(Clock::duration time) { return Deadline(Clock::now() + time); }

  Clock::time_point at() const { return at_; }
  bool passed() const { return Clock::now() >= at_; }
  /// Time left, never negative.
  milliseconds left() const {
    const auto left = std::chrono::duration_cast<milliseconds>(at_ - Clock::now());
    return left.count() < 0 ? milliseconds(0) : left;
  }
  /// The earlier of the two.
  Deadline sooner(Deadline other) const { return other.at_ < at_ ? other : *this; }

 private:
  Clock::time_point at_;
};

/// Milliseconds since 1970-01-01 UTC.
int64_t unix_ms();

/// `unix_ms` as "2026-07-28T09:41:00.123Z".
std::string iso_time(int64_t unix_ms);

}  // namespace selfagent
