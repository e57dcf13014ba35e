// Notices when something is drawn on the screen, and when the drawing ends.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "desktop/desktop.h"

namespace selfagent {

/// Lends watches. Each has its own connection, so that two calls that wait do not read each other's
/// events; the connections are kept for the next calls. Must outlive the watches. Thread-safe.
class WatchPool {
 public:
  explicit WatchPool(std::string display);
  ~WatchPool();
  WatchPool(const WatchPool&) = delete;
  WatchPool& operator=(const WatchPool&) = delete;

  /// A watch that sees everything drawn after this call began. Throws Error(unavailable).
  std::unique_ptr<ScreenWatch> arm();

 private:
  friend class DamageWatch;
  class Damage;

  const std::string display_;
  std::mutex mutex_;  // protects idle_
  std::vector<std::unique_ptr<Damage>> idle_;
};

}  // namespace selfagent
