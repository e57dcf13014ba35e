// What programs have told the user in the corner of the desktop.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace selfagent {

struct Notification {
  uint64_t number = 0;  ///< counts from 1
  std::string program;  ///< as it calls itself; may be empty
  std::string summary;
  std::string body;  ///< may have markup; at most 500 bytes
};

/// Thread-safe.
class Notifications {
 public:
  virtual ~Notifications() = default;
  /// Of the newest one, 0 before the first.
  virtual uint64_t newest() const = 0;
  /// Those after `number`, oldest first: of the last hundred.
  virtual std::vector<Notification> after(uint64_t number) const = 0;
};

}  // namespace selfagent
