#include "a11y/session_notifications.h"

#include <poll.h>

#include "a11y/owned_bus.h"
#include "base/error.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/wait.h"

namespace selfagent {
namespace {

constexpr size_t most_kept = 100;
constexpr size_t longest_line = 200;
constexpr size_t longest_body = 500;
constexpr std::chrono::seconds longest_answer{5};
constexpr const char* notify_calls =
    "type='method_call',interface='org.freedesktop.Notifications',member='Notify'";

void require(int code, const char* what) {
  if (code < 0) throw system_error(what, -code);
}

OwnedBus become_monitor(const std::string& address, const SessionNotifications::AsOwner& as_owner) {
  sd_bus* opened = nullptr;
  require(sd_bus_new(&opened), "sd_bus_new");
  OwnedBus bus(opened);
  require(sd_bus_set_address(opened, address.c_str()), "the address of the message bus");
  require(sd_bus_set_bus_client(opened, 1), "the message bus");
  require(sd_bus_set_monitor(opened, 1), "the message bus");
  int code = 0;
  const auto connect = [&] { code = sd_bus_start(opened); };
  if (as_owner) {
    as_owner(connect);
  } else {
    connect();
  }
  require(code, "the message bus");
  sd_bus_set_method_call_timeout(
      opened, static_cast<uint64_t>(std::chrono::microseconds(longest_answer).count()));
  require(sd_bus_call_method(opened, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                             "org.freedesktop.DBus.Monitoring", "BecomeMonitor", nullptr, nullptr,
                             "asu", 1, notify_calls, 0),
          "BecomeMonitor");
  return bus;
}

std::string shortened(const char* text, size_t most) {
  return std::string(utf8_prefix(to_utf8(text), most));
}

// Of anything else it has number 0.
Notification read_notify(sd_bus_message* message) {
  Notification heard;
  if (sd_bus_message_is_method_call(message, "org.freedesktop.Notifications", "Notify") <= 0) {
    return heard;
  }
  const char* program = nullptr;
  uint32_t replaces = 0;
  const char* icon = nullptr;
  const char* summary = nullptr;
  const char* body = nullptr;
  if (sd_bus_message_read(message, "susss", &program, &replaces, &icon, &summary, &body) < 0) {
    return heard;
  }
  return {1, shortened(program, longest_line), shortened(summary, longest_line),
          shortened(body, longest_body)};
}

}  // namespace

SessionNotifications::SessionNotifications(std::string address, AsOwner as_owner,
                                           milliseconds retry)
    : address_(std::move(address)), as_owner_(std::move(as_owner)), retry_(retry) {
  if (address_.empty()) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

uint64_t SessionNotifications::newest() const {
  const std::lock_guard lock(mutex_);
  return newest_;
}

std::vector<Notification> SessionNotifications::after(uint64_t number) const {
  std::vector<Notification> found;
  const std::lock_guard lock(mutex_);
  for (const Notification& one : heard_) {
    if (one.number > number) found.push_back(one);
  }
  return found;
}

bool SessionNotifications::listening() const {
  const std::lock_guard lock(mutex_);
  return listening_;
}

void SessionNotifications::work(const std::stop_token& stop) {
  do {
    try {
      listen(stop);
    } catch (const Error& error) {
      log::debug("notifications are not heard: {}", error.what());
    }
    const std::lock_guard lock(mutex_);
    listening_ = false;
  } while (sleep_until(Deadline::after(retry_), stop));
}

// Until the bus goes away or `stop`.
void SessionNotifications::listen(const std::stop_token& stop) {
  const StopDescriptor stopped(stop);
  const OwnedBus bus = become_monitor(address_, as_owner_);
  {
    const std::lock_guard lock(mutex_);
    listening_ = true;
  }
  while (!stop.stop_requested()) {
    sd_bus_message* received = nullptr;
    const int code = sd_bus_process(bus.get(), &received);
    const OwnedBusMessage message(received);
    require(code, "the message bus");
    if (message) {
      Notification heard = read_notify(message.get());
      if (heard.number > 0) add(std::move(heard));
    } else if (code == 0) {
      poll_until(sd_bus_get_fd(bus.get()), POLLIN, Deadline::never(), stopped);
    }
  }
}

void SessionNotifications::add(Notification heard) {
  const std::lock_guard lock(mutex_);
  heard.number = ++newest_;
  heard_.push_back(std::move(heard));
  if (heard_.size() > most_kept) heard_.pop_front();
}

}  // namespace selfagent
