// RFB has no message boundaries, so any cut of the stream into WebSocket frames is right. Reading
// from the X server pauses while the viewer has much unread: a stalled viewer costs 1 MiB and harms
// nobody.
#include "net/rfb_bridge.h"

#include <array>
#include <asio.hpp>
#include <deque>

#include "base/log.h"

namespace selfagent {

namespace {

constexpr size_t pause_above = 1u << 20;
constexpr size_t max_to_server = 4u << 20;

class Bridge : public std::enable_shared_from_this<Bridge> {
 public:
  explicit Bridge(asio::io_context& io) : server_(io), retry_(io) {}

  // Throws std::system_error if the X server does not answer.
  void connect(const std::string& path) { server_.connect(path); }

  void start(std::shared_ptr<WebSocket> viewer) {
    viewer_ = std::move(viewer);
    read();
  }

  void to_server(std::string bytes) {
    if (!server_.is_open()) return;
    waiting_bytes_ += bytes.size();
    if (waiting_bytes_ > max_to_server) return close();
    waiting_.push_back(std::move(bytes));
    if (waiting_.size() == 1) write();
  }

  void close() {
    std::error_code ignored;
    server_.close(ignored);
    retry_.cancel();
    if (auto viewer = std::exchange(viewer_, nullptr)) viewer->close(1000, "the desktop went away");
  }

 private:
  void read() {
    if (!viewer_) return;
    if (viewer_->queued() > pause_above) {
      retry_.expires_after(std::chrono::milliseconds(10));
      retry_.async_wait([self = shared_from_this()](const std::error_code& error) {
        if (!error) self->read();
      });
      return;
    }
    server_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](const std::error_code& error, size_t size) {
                              if (error || !self->viewer_) return self->close();
                              self->viewer_->send_binary(std::string(self->buffer_.data(), size));
                              self->read();
                            });
  }

  void write() {
    asio::async_write(server_, asio::buffer(waiting_.front()),
                      [self = shared_from_this()](const std::error_code& error, size_t size) {
                        if (error) return self->close();
                        self->waiting_bytes_ -= size;
                        self->waiting_.pop_front();
                        if (!self->waiting_.empty()) self->write();
                      });
  }

  // Network thread only:
  asio::local::stream_protocol::socket server_;
  asio::steady_timer retry_;
  std::shared_ptr<WebSocket> viewer_;
  std::array<char, 64 * 1024> buffer_{};
  std::deque<std::string> waiting_;
  size_t waiting_bytes_ = 0;
};

bool offers_binary(const HttpRequest& request) {
  return request.header("sec-websocket-protocol").find("binary") != std::string::npos;
}

}  // namespace

void add_rfb_route(Router& router, asio::io_context& io, const std::string& socket_path) {
  router.add(
      "GET", "/vnc", Access::ticket,
      [&io, socket_path](const HttpRequest& request, const ResponderPtr& responder) {
        if (!responder->wants_web_socket()) {
          return responder->send(HttpResponse::error(
              400, "invalid_argument", "/vnc is a WebSocket that carries RFB: open the page at /"));
        }
        if (socket_path.empty()) {
          return responder->send(HttpResponse::error(
              404, "not_found",
              "the daemon was started without --vnc-socket: there is no live view"));
        }
        auto bridge = std::make_shared<Bridge>(io);
        try {
          bridge->connect(socket_path);
        } catch (const std::system_error& error) {
          return responder->send(HttpResponse::error(
              503, "unavailable",
              "the desktop's VNC socket " + socket_path +
                  " does not answer: " + error.code().message() + ". Is the X server running?"));
        }
        WebSocketEvents events;
        events.on_message = [bridge](std::string bytes, bool) {
          bridge->to_server(std::move(bytes));
        };
        events.on_close = [bridge] { bridge->close(); };
        bridge->start(
            responder->upgrade(offers_binary(request) ? "binary" : "", std::move(events)));
      });
}

}  // namespace selfagent
