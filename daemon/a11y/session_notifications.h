// Hears the notifications of the desktop's message bus as a monitor, beside the program that shows
// them. Source: Desktop Notifications Specification 1.2, Notify; D-Bus Specification,
// BecomeMonitor.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "desktop/notifications.h"

namespace selfagent {

/// Has a thread of its own, which sleeps while nothing is told. While the bus is away (the desktop
/// starts, or is started again) it tries again; there is no error.
class SessionNotifications : public Notifications {
 public:
  /// Calls what it is given, which connects: as the user whose bus it is.
  using AsOwner = std::function<void(const std::function<void()>& connect)>;

  /// `address` of the session bus; "": there is none, and nothing is heard.
  explicit SessionNotifications(std::string address, AsOwner as_owner = {},
                                milliseconds retry = std::chrono::seconds(3));
  ~SessionNotifications() override = default;

  uint64_t newest() const override;
  std::vector<Notification> after(uint64_t number) const override;

  /// True while it is connected (tests).
  bool listening() const;

 private:
  void work(const std::stop_token& stop);
  void listen(const std::stop_token& stop);
  void add(Notification heard);

  const std::string address_;
  const AsOwner as_owner_;
  const milliseconds retry_;
  mutable std::mutex mutex_;  // protects the members below
  std::deque<Notification> heard_;
  uint64_t newest_ = 0;
  bool listening_ = false;
  std::jthread thread_;
};

}  // namespace selfagent
