#include "net/tickets.h"

#include <set>

#include "catch.h"

namespace selfagent {
namespace {

struct Issuer {
  Clock::time_point now{std::chrono::hours(1)};
  Tickets tickets{[this] { return now; }};
  std::shared_ptr<const Principal> owner = std::make_shared<Principal>();
};

}  // namespace

TEST_CASE("a ticket is 128 random bits, good once for its path within 60 s") {
  Issuer issuer;
  const auto ticket = issuer.tickets.issue("/vnc", issuer.owner);
  REQUIRE(ticket);
  CHECK(ticket->size() == 32);
  CHECK(ticket->find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(issuer.tickets.redeem(*ticket, "/vnc/") == nullptr);
  CHECK(issuer.tickets.redeem(*ticket + "0", "/vnc") == nullptr);
  CHECK(issuer.tickets.redeem("", "/vnc") == nullptr);
  issuer.now += std::chrono::milliseconds(59'999);
  CHECK(issuer.tickets.redeem(*ticket, "/vnc") == issuer.owner);
  CHECK(issuer.tickets.redeem(*ticket, "/vnc") == nullptr);

  const auto late = issuer.tickets.issue("/vnc", issuer.owner);
  CHECK(late != ticket);
  issuer.now += std::chrono::seconds(60);
  CHECK(issuer.tickets.redeem(*late, "/vnc") == nullptr);
}

TEST_CASE("at most 1,000 tickets wait, and those that expired make room") {
  Issuer issuer;
  std::set<std::string> all;
  for (int i = 0; i < 1000; ++i) {
    const auto ticket = issuer.tickets.issue("/vnc", issuer.owner);
    REQUIRE(ticket);
    all.insert(*ticket);
  }
  CHECK(all.size() == 1000);
  CHECK_FALSE(issuer.tickets.issue("/vnc", issuer.owner));
  CHECK(issuer.tickets.redeem(*all.begin(), "/vnc") == issuer.owner);
  CHECK(issuer.tickets.issue("/vnc", issuer.owner));
  issuer.now += std::chrono::seconds(60);
  CHECK(issuer.tickets.issue("/vnc", issuer.owner));
}

}  // namespace selfagent
