#include "a11y/accessible_bus.h"

#include "base/clock.h"
#include "base/error.h"

namespace selfagent {
namespace {

constexpr milliseconds one_answer{500};
constexpr size_t most_children = 500;

constexpr const char* accessible = "org.a11y.atspi.Accessible";

OwnedBusMessage call_object(sd_bus* bus, const AccessibleObject& object, const char* interface,
                            const char* member, const char* types, auto... arguments) {
  sd_bus_message* reply = nullptr;
  const int code = sd_bus_call_method(bus, object.program.c_str(), object.path.c_str(), interface,
                                      member, nullptr, &reply, types, arguments...);
  return OwnedBusMessage(code < 0 ? nullptr : reply);
}

}  // namespace

AccessibleBus::AccessibleBus(const std::string& address) {
  if (address.empty()) {
    throw Error(ErrorCode::unavailable, "no accessibility bus runs on the display");
  }
  sd_bus* opened = nullptr;
  if (sd_bus_new(&opened) < 0) throw Error(ErrorCode::internal, "sd_bus_new failed");
  bus_.reset(opened);
  const bool ready = sd_bus_set_address(opened, address.c_str()) >= 0 &&
                     sd_bus_set_bus_client(opened, 1) >= 0 && sd_bus_start(opened) >= 0;
  sd_bus_set_method_call_timeout(
      opened, static_cast<uint64_t>(std::chrono::microseconds(one_answer).count()));
  if (ready) return;
  throw Error(ErrorCode::unavailable,
              "the accessibility bus at " + address + " does not take this connection");
}

std::vector<AccessibleObject> AccessibleBus::programs() {
  auto all = children({"org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root"});
  if (all.empty()) throw Error(ErrorCode::unavailable, "no program is on the accessibility bus");
  return all;
}

std::vector<AccessibleObject> AccessibleBus::children(const AccessibleObject& object) {
  std::vector<AccessibleObject> all;
  const OwnedBusMessage reply = call_object(bus_.get(), object, accessible, "GetChildren", "");
  if (!reply || sd_bus_message_enter_container(reply.get(), 'a', "(so)") < 0) return all;
  const char* program = nullptr;
  const char* path = nullptr;
  while (all.size() < most_children &&
         sd_bus_message_read(reply.get(), "(so)", &program, &path) > 0) {
    all.push_back({program, path});
  }
  return all;
}

AccessibleStates AccessibleBus::states(const AccessibleObject& object) {
  const OwnedBusMessage reply = call_object(bus_.get(), object, accessible, "GetState", "");
  uint32_t low = 0;
  uint32_t high = 0;
  if (!reply || sd_bus_message_enter_container(reply.get(), 'a', "u") < 0 ||
      sd_bus_message_read(reply.get(), "u", &low) <= 0) {
    return AccessibleStates();
  }
  if (sd_bus_message_read(reply.get(), "u", &high) <= 0) high = 0;
  return AccessibleStates(uint64_t{high} << 32 | low);
}

// Get, not GetAll: that ends programs of Qt 5.
std::string AccessibleBus::name(const AccessibleObject& object) {
  const OwnedBusMessage reply = call_object(bus_.get(), object, "org.freedesktop.DBus.Properties",
                                            "Get", "ss", accessible, "Name");
  const char* value = nullptr;
  if (!reply || sd_bus_message_read(reply.get(), "v", "s", &value) <= 0) return "";
  return value;
}

std::string AccessibleBus::role(const AccessibleObject& object) {
  const OwnedBusMessage reply = call_object(bus_.get(), object, accessible, "GetRoleName", "");
  const char* value = nullptr;
  if (!reply || sd_bus_message_read(reply.get(), "s", &value) <= 0) return "";
  return value;
}

std::string AccessibleBus::text(const AccessibleObject& object, int most) {
  const OwnedBusMessage reply =
      call_object(bus_.get(), object, "org.a11y.atspi.Text", "GetText", "ii", 0, most);
  const char* value = nullptr;
  if (!reply || sd_bus_message_read(reply.get(), "s", &value) <= 0) return "";
  return value;
}

std::optional<Rect> AccessibleBus::extents(const AccessibleObject& object) {
  constexpr uint32_t of_the_screen = 0;
  const OwnedBusMessage reply =
      call_object(bus_.get(), object, "org.a11y.atspi.Component", "GetExtents", "u", of_the_screen);
  Rect area;
  if (!reply || sd_bus_message_read(reply.get(), "(iiii)", &area.x, &area.y, &area.width,
                                    &area.height) <= 0) {
    return std::nullopt;
  }
  return area;
}

int AccessibleBus::pid(const AccessibleObject& object) {
  const AccessibleObject bus{"org.freedesktop.DBus", "/org/freedesktop/DBus"};
  const OwnedBusMessage reply =
      call_object(bus_.get(), bus, "org.freedesktop.DBus", "GetConnectionUnixProcessID", "s",
                  object.program.c_str());
  uint32_t pid = 0;
  if (!reply || sd_bus_message_read(reply.get(), "u", &pid) <= 0) return 0;
  return static_cast<int>(pid);
}

}  // namespace selfagent
