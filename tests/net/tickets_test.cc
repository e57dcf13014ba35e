#include "net/tickets.h"

#include <set>

#include "catch.h"

namespace selfagent {
namespace {

struct World {
  Clock::time_point now{std::chrono::hours(1)};
  Tickets tickets{[this] { return now; }};
  std::shared_ptr<const Principal> owner = std::make_shared<Principal>();
};

}  // namespace

TEST_CASE("a ticket is 128 random bits, good once for its path within 60 s") {
  World world;
  const auto ticket = world.tickets.issue("/vnc", world.owner);
  REQUIRE(ticket);
  CHECK(ticket->size() == 32);
  CHECK(ticket->find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(world.tickets.redeem(*ticket, "/vnc/") == nullptr);
  CHECK(world.tickets.redeem(*ticket + "0", "/vnc") == nullptr);
  CHECK(world.tickets.redeem("", "/vnc") == nullptr);
  world.now += std::chrono::milliseconds(59'999);
  CHECK(world.tickets.redeem(*ticket, "/vnc") == world.owner);
  CHECK(world.tickets.redeem(*ticket, "/vnc") == nullptr);

  const auto late = world.tickets.issue("/vnc", world.owner);
  CHECK(late != ticket);
  world.now += std::chrono::seconds(60);
  CHECK(world.tickets.redeem(*late, "/vnc") == nullptr);
}

TEST_CASE("at most 1,000 tickets wait, and those that expired make room") {
  World world;
  std::set<std::string> all;
  for (int i = 0; i < 1000; ++i) {
    const auto ticket = world.tickets.issue("/vnc", world.owner);
    REQUIRE(ticket);
    all.insert(*ticket);
  }
  CHECK(all.size() == 1000);
  CHECK_FALSE(world.tickets.issue("/vnc", world.owner));
  CHECK(world.tickets.redeem(*all.begin(), "/vnc") == world.owner);
  CHECK(world.tickets.issue("/vnc", world.owner));
  world.now += std::chrono::seconds(60);
  CHECK(world.tickets.issue("/vnc", world.owner));
}

}  // namespace selfagent
