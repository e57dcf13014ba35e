// Asks the objects of programs on the accessibility bus.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "a11y/owned_bus.h"
#include "desktop/geometry.h"

namespace selfagent {

/// An object of a program.
struct AccessibleObject {
  std::string program;  ///< its name on the bus
  std::string path;
};

/// Bits of an object's states. Source: AT-SPI 2, AtspiStateType.
enum class AccessibleState : uint64_t {
  active = 1,
  checked = 4,
  editable = 7,
  enabled = 8,
  expandable = 9,
  expanded = 10,
  focusable = 11,
  focused = 12,
  pressed = 20,
  selected = 23,
  sensitive = 24,
  showing = 25,
  checkable = 41,
};

class AccessibleStates {
 public:
  explicit AccessibleStates(uint64_t bits = 0) : bits_(bits) {}
  bool has(AccessibleState state) const { return (bits_ >> static_cast<uint64_t>(state) & 1) != 0; }

 private:
  uint64_t bits_;
};

/// One connection; used by one thread. What a program does not answer within half a second is
/// nothing, none or "".
class AccessibleBus {
 public:
  /// Throws Error(unavailable) if `address` is "" or takes no connection.
  explicit AccessibleBus(const std::string& address);

  /// Throws Error(unavailable) if no program is on the bus.
  std::vector<AccessibleObject> programs();
  /// 500 at most.
  std::vector<AccessibleObject> children(const AccessibleObject& object);
  AccessibleStates states(const AccessibleObject& object);
  std::string name(const AccessibleObject& object);
  /// In words, e.g. "push button".
  std::string role(const AccessibleObject& object);
  /// The text of a field or a document, `most` characters of it.
  std::string text(const AccessibleObject& object, int most);
  std::optional<Rect> extents(const AccessibleObject& object);
  /// The process id of the object's program, 0 if unknown.
  int pid(const AccessibleObject& object);

 private:
  OwnedBus bus_;
};

}  // namespace selfagent
