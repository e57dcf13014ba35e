// Owners of what sd-bus hands out. Source: sd_bus_new(3), sd_bus_message_new(3).
#pragma once

#include <systemd/sd-bus.h>

#include <memory>

namespace selfagent {

struct CloseBus {
  void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
};
/// A connection, which is flushed and closed.
using OwnedBus = std::unique_ptr<sd_bus, CloseBus>;

struct DropBusMessage {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using OwnedBusMessage = std::unique_ptr<sd_bus_message, DropBusMessage>;

}  // namespace selfagent
