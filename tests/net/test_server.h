// An HttpServer on a thread of its own with handlers for the tests, and a raw blocking client.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "net/server.h"

namespace selfagent {

class TestServer {
 public:
  explicit TestServer(HttpServer::Settings settings);
  ~TestServer();

  uint16_t port() const;
  int big_answers() const { return big_answers_; }
  size_t streamed() const { return streamed_; }
  size_t flooded() const { return flooded_; }
  std::future<void>& stream_closed() { return stream_closed_future_; }
  std::future<void>& abandon_arrived() { return abandon_arrived_future_; }
  std::future<void>& abandoned() { return abandoned_future_; }
  std::future<void>& web_socket_closed() { return web_socket_closed_future_; }
  /// Bytes queued for the last WebSocket.
  size_t web_socket_queued();

 private:
  struct Loop;
  void handle(const HttpRequest& request, const ResponderPtr& responder);
  void answer_get(const HttpRequest& request, const ResponderPtr& responder);
  void stream(const ResponderPtr& responder);
  void serve_web_socket(const ResponderPtr& responder);
  void flood();

  std::unique_ptr<Loop> loop_;
  std::atomic<int> big_answers_ = 0;
  std::atomic<size_t> streamed_ = 0;
  std::atomic<size_t> flooded_ = 0;
  std::promise<void> stream_closed_, abandon_arrived_, abandoned_, web_socket_closed_;
  std::future<void> stream_closed_future_ = stream_closed_.get_future();
  std::future<void> abandon_arrived_future_ = abandon_arrived_.get_future();
  std::future<void> abandoned_future_ = abandoned_.get_future();
  std::future<void> web_socket_closed_future_ = web_socket_closed_.get_future();
  std::atomic<bool> web_socket_has_closed_ = false;
  std::shared_ptr<WebSocket> socket_;  // network thread only
  std::jthread writer_;
};

/// Every wait ends after 10 s with what has come until then.
class Client {
 public:
  explicit Client(uint16_t port, int receive_buffer = 0);

  /// Sends all of it, or gives up when the server has closed.
  void send(const std::string& bytes);
  /// Sends all of it; false if the server has closed or takes nothing for 10 s.
  bool try_send(const std::string& bytes);
  /// Reads exactly `count` bytes (fewer at the end).
  std::string read(size_t count);
  /// Reads up to and with `mark`.
  std::string read_until(const std::string& mark);
  std::string read_to_end();
  /// Reads what comes within `time`; true at the end.
  bool ended_within(milliseconds time);
  /// Everything read so far.
  const std::string& received() const { return received_; }
  /// True when the server has dropped the connection, though nothing was read.
  bool dropped_by_server(milliseconds time) const;
  /// From now on the kernel takes little for this client.
  void shrink_receive_buffer();

 private:
  bool receive(milliseconds time);

  UniqueFd fd_;
  std::string received_;
  size_t taken_ = 0;  // bytes of received_ that were returned
  bool ended_ = false;
};

}  // namespace selfagent
