#include "net/failed_logins.h"

#include "catch.h"

namespace selfagent {
namespace {

using std::chrono::seconds;

struct Peers {
  Clock::time_point now{std::chrono::hours(1)};
  FailedLogins failures{[this] { return now; }};

  void fail(const std::string& peer, int times) {
    for (int i = 0; i < times; ++i) failures.failed(peer);
  }
};

}  // namespace

TEST_CASE("an address waits after five wrong tokens in a row, until one was right") {
  Peers peers;
  peers.fail("192.0.2.1", 4);
  CHECK(peers.failures.wait("192.0.2.1") == seconds(0));
  peers.fail("192.0.2.1", 1);
  CHECK(peers.failures.wait("192.0.2.1") == seconds(60));
  CHECK(peers.failures.wait("192.0.2.2") == seconds(0));
  peers.now += seconds(60);
  CHECK(peers.failures.wait("192.0.2.1") == seconds(0));
  CHECK(peers.failures.failed("192.0.2.1") == 6);
  CHECK(peers.failures.wait("192.0.2.1") == seconds(60));
  peers.failures.succeeded("192.0.2.1");
  peers.fail("192.0.2.1", 4);
  CHECK(peers.failures.wait("192.0.2.1") == seconds(0));
}

TEST_CASE("IPv6 addresses of one /64 are one, and mapped IPv4 addresses are not") {
  Peers peers;
  peers.fail("2001:db8:1:2::1", 3);
  peers.fail("2001:db8:1:2:ffff:ffff:ffff:ffff", 2);
  CHECK(peers.failures.wait("2001:db8:1:2::3") == seconds(60));
  CHECK(peers.failures.wait("2001:db8:1:3::1") == seconds(0));
  peers.fail("fe80::1%eth0", 5);
  CHECK(peers.failures.wait("fe80::2%eth0") == seconds(60));
  peers.fail("::ffff:192.0.2.1", 5);
  CHECK(peers.failures.wait("192.0.2.1") == seconds(60));
  CHECK(peers.failures.wait("::ffff:192.0.2.2") == seconds(0));
}

TEST_CASE("at most 1,000 addresses are remembered, the latest") {
  Peers peers;
  peers.fail("192.0.2.1", 5);
  peers.now += seconds(1);
  peers.fail("192.0.2.2", 5);
  for (int i = 0; i < 999; ++i) {
    peers.now += std::chrono::milliseconds(1);
    peers.fail("2001:db8:0:" + std::to_string(i) + "::1", 1);
  }
  CHECK(peers.failures.size() == 1000);
  CHECK(peers.failures.wait("192.0.2.1") == seconds(0));
  CHECK(peers.failures.wait("192.0.2.2") > seconds(0));
}

}  // namespace selfagent
