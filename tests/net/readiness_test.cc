#include "net/readiness.h"

#include <sys/socket.h>

#include <array>
#include <asio.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "catch.h"

namespace selfagent {

namespace {

std::pair<UniqueFd, UniqueFd> new_socket_pair() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Reads what is there at every event, and takes itself out at the end.
struct SocketReader : Readiness::Watcher, std::enable_shared_from_this<SocketReader> {
  explicit SocketReader(Readiness& by) : readiness(by) {
    auto [ours, others] = new_socket_pair();
    socket = std::move(ours);
    other = std::move(others);
  }
  void start() { key = readiness.add(socket.get(), weak_from_this()); }
  void ready(Readiness::Event event) override {
    events.push_back(event);
    std::array<char, 100> bytes{};
    ssize_t count = 0;
    while ((count = ::recv(socket.get(), bytes.data(), bytes.size(), 0)) > 0) {
      text.append(bytes.data(), static_cast<size_t>(count));
    }
    if (count == 0) readiness.remove(key);
  }
  void send(const std::string& bytes) const {
    REQUIRE(::send(other.get(), bytes.data(), bytes.size(), 0) ==
            static_cast<ssize_t>(bytes.size()));
  }

  Readiness& readiness;
  UniqueFd socket;
  UniqueFd other;
  uint64_t key = 0;
  std::string text;
  std::vector<Readiness::Event> events;
};

}  // namespace

TEST_CASE("every one of many sockets is told of what comes, and the loop ends with the last") {
  asio::io_context io;
  const auto readiness = Readiness::create(io);
  std::vector<std::shared_ptr<SocketReader>> readers;
  for (int i = 0; i < 100; ++i) {  // more than one wake-up tells of
    readers.push_back(std::make_shared<SocketReader>(*readiness));
    readers.back()->start();
  }
  for (const auto& reader : readers) reader->send("one ");
  io.poll();
  for (const auto& reader : readers) reader->send("two");
  io.poll();
  CHECK_FALSE(io.stopped());
  for (const auto& reader : readers) {
    CHECK(reader->text == "one two");
    CHECK_FALSE(reader->events.back().ended);
    reader->other.reset();
  }
  io.run();  // ends only if nothing is waited for
  for (const auto& reader : readers) CHECK(reader->events.back().ended);
}

TEST_CASE("the end that comes together with the last bytes is told with them") {
  asio::io_context io;
  const auto readiness = Readiness::create(io);
  const auto reader = std::make_shared<SocketReader>(*readiness);
  reader->send("last words");
  reader->other.reset();
  reader->start();
  io.run();
  CHECK(reader->text == "last words");
  REQUIRE(reader->events.size() == 1);
  CHECK(reader->events[0].readable);
  CHECK(reader->events[0].ended);
}

TEST_CASE("a socket that was removed, or whose watcher is gone, is told of nothing") {
  asio::io_context io;
  const auto readiness = Readiness::create(io);
  const auto removed = std::make_shared<SocketReader>(*readiness);
  auto gone = std::make_shared<SocketReader>(*readiness);
  const auto kept = std::make_shared<SocketReader>(*readiness);
  for (const auto& reader : {removed, gone, kept}) {
    reader->start();
    reader->send("hello");
  }
  const uint64_t key = gone->key;
  readiness->remove(removed->key);
  readiness->remove(removed->key);
  gone.reset();
  kept->other.reset();
  io.poll();
  CHECK(removed->text.empty());
  CHECK(kept->text == "hello");
  CHECK_FALSE(io.stopped());
  readiness->remove(key);
  io.run();
}

TEST_CASE("a socket can be written again when the other side has taken something") {
  asio::io_context io;
  const auto readiness = Readiness::create(io);
  const auto reader = std::make_shared<SocketReader>(*readiness);
  reader->start();
  io.poll();
  const std::string piece(64 * 1024, 'x');
  while (::send(reader->socket.get(), piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
  }
  io.poll();
  reader->events.clear();
  std::vector<char> taken(1 << 20);
  while (::recv(reader->other.get(), taken.data(), taken.size(), 0) > 0) {
  }
  io.poll();
  REQUIRE_FALSE(reader->events.empty());
  CHECK(reader->events.back().writable);
  reader->other.reset();
  io.run();
}

}  // namespace selfagent
