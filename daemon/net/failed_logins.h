// Who sent wrong tokens, so that guessing is slow.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "net/now.h"

namespace selfagent {

/// After 5 wrong tokens in a row an address waits for a minute, and again after each further one.
///
/// An address is an IPv4 address or the /64 of an IPv6 address, which is what one customer has. At
/// most 1,000 are remembered; then the one that was quiet for the longest is forgotten. Network
/// thread only.
class FailedLogins {
 public:
  explicit FailedLogins(Now now) : now_(std::move(now)) {}

  /// How long wrong tokens from `peer` are not even counted; 0 s if they are. Rounded up.
  std::chrono::seconds wait(const std::string& peer) const;

  /// Counts a wrong token; returns how many came in a row.
  int failed(const std::string& peer);

  /// Forgets the wrong tokens of `peer`.
  void succeeded(const std::string& peer);

  size_t size() const { return peers_.size(); }

 private:
  struct Failures {
    int count = 0;
    Clock::time_point last{};
  };
  void make_room();

  const Now now_;
  std::map<std::string, Failures> peers_;
};

}  // namespace selfagent
