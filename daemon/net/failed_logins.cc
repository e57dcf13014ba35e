#include "net/failed_logins.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace selfagent {

namespace {

constexpr int free_failures = 5;
constexpr auto block = std::chrono::seconds(60);
// About 100 KB, however many addresses an attacker has.
constexpr size_t most_peers = 1000;

std::string key_of(const std::string& peer) {
  in6_addr address{};
  // A link-local address comes with its interface: "fe80::1%eth0".
  if (::inet_pton(AF_INET6, peer.substr(0, peer.find('%')).c_str(), &address) != 1) return peer;
  const auto* bytes = reinterpret_cast<const char*>(address.s6_addr);
  // An IPv4 client of a socket that serves both.
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    char text[INET_ADDRSTRLEN];
    return ::inet_ntop(AF_INET, bytes + 12, text, sizeof text);
  }
  return "/64 " + std::string(bytes, 8);
}

}  // namespace

std::chrono::seconds FailedLogins::wait(const std::string& peer) const {
  if (peers_.empty()) return {};
  const auto at = peers_.find(key_of(peer));
  if (at == peers_.end() || at->second.count < free_failures) return {};
  const auto left = at->second.last + block - now_();
  return std::max(std::chrono::ceil<std::chrono::seconds>(left), std::chrono::seconds(0));
}

int FailedLogins::failed(const std::string& peer) {
  const std::string key = key_of(peer);
  if (!peers_.contains(key)) make_room();
  Failures& failures = peers_[key];
  failures.last = now_();
  return ++failures.count;
}

void FailedLogins::succeeded(const std::string& peer) {
  if (!peers_.empty()) peers_.erase(key_of(peer));
}

void FailedLogins::make_room() {
  if (peers_.size() < most_peers) return;
  peers_.erase(std::min_element(peers_.begin(), peers_.end(), [](const auto& a, const auto& b) {
    return a.second.last < b.second.last;
  }));
}

}  // namespace selfagent
