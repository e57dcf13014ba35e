#include "net/failed_logins.h"

#include "catch.h"

namespace selfagent {
namespace {

using std::chrono::seconds;

struct World {
  Clock::time_point now{std::chrono::hours(1)};
  FailedLogins failures{[this] { return now; }};

  void fail(const std::string& peer, int times) {
    for (int i = 0; i < times; ++i) failures.failed(peer);
  }
};

}  // namespace

TEST_CASE("an address waits after five wrong tokens in a row, until one was right") {
  World world;
  world.fail("192.0.2.1", 4);
  CHECK(world.failures.wait("192.0.2.1") == seconds(0));
  world.fail("192.0.2.1", 1);
  CHECK(world.failures.wait("192.0.2.1") == seconds(60));
  CHECK(world.failures.wait("192.0.2.2") == seconds(0));
  world.now += seconds(60);
  CHECK(world.failures.wait("192.0.2.1") == seconds(0));
  CHECK(world.failures.failed("192.0.2.1") == 6);
  CHECK(world.failures.wait("192.0.2.1") == seconds(60));
  world.failures.succeeded("192.0.2.1");
  world.fail("192.0.2.1", 4);
  CHECK(world.failures.wait("192.0.2.1") == seconds(0));
}

TEST_CASE("IPv6 addresses of one /64 are one, and mapped IPv4 addresses are not") {
  World world;
  world.fail("2001:db8:1:2::1", 3);
  world.fail("2001:db8:1:2:ffff:ffff:ffff:ffff", 2);
  CHECK(world.failures.wait("2001:db8:1:2::3") == seconds(60));
  CHECK(world.failures.wait("2001:db8:1:3::1") == seconds(0));
  world.fail("fe80::1%eth0", 5);
  CHECK(world.failures.wait("fe80::2%eth0") == seconds(60));
  world.fail("::ffff:192.0.2.1", 5);
  CHECK(world.failures.wait("192.0.2.1") == seconds(60));
  CHECK(world.failures.wait("::ffff:192.0.2.2") == seconds(0));
}

TEST_CASE("at most 1,000 addresses are remembered, the latest") {
  World world;
  world.fail("192.0.2.1", 5);
  world.now += seconds(1);
  world.fail("192.0.2.2", 5);
  for (int i = 0; i < 999; ++i) {
    world.now += std::chrono::milliseconds(1);
    world.fail("2001:db8:0:" + std::to_string(i) + "::1", 1);
  }
  CHECK(world.failures.size() == 1000);
  CHECK(world.failures.wait("192.0.2.1") == seconds(0));
  CHECK(world.failures.wait("192.0.2.2") > seconds(0));
}

}  // namespace selfagent
