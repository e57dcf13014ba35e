// Remembers which client holds a mouse button down between two calls, so that it never stays down
// for ever.
//
// A client with a connection (WebSocket, stdio) holds it until it releases it or vanishes. A client
// without one (plain HTTP) has nothing that could be lost: its button is released after `lease`.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "base/clock.h"
#include "desktop/desktop.h"

namespace selfagent {

/// Thread-safe.
class HeldInput {
 public:
  static constexpr auto lease = std::chrono::seconds(60);

  explicit HeldInput(Desktop& desktop) : desktop_(desktop) {}

  /// Presses or releases `button` for `client` ("" is a client without a connection).
  void set(const std::string& client, Button button, bool down);

  /// Releases what `client` holds. Never throws: a display that is away holds nothing.
  void client_gone(const std::string& client);

  /// Releases what clients without a connection have held for longer than the lease; call every few
  /// seconds.
  void expire();

  /// Releases everything.
  void release_all();

 private:
  void release(const std::set<Button>& buttons);

  Desktop& desktop_;
  std::mutex mutex_;  // protects the members below
  std::map<std::string, std::set<Button>> held_;
  Clock::time_point last_press_{};  // by a client without a connection
};

}  // namespace selfagent
