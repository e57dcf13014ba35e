// A WebSocket on a transport: messages in and out, pings, and an end by the book.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "net/server_core.h"
#include "net/transport.h"
#include "net/web_socket_frames.h"

namespace selfagent {

class WebSocketConnection : public WebSocket,
                            public ClientConnection,
                            public std::enable_shared_from_this<WebSocketConnection> {
 public:
  WebSocketConnection(std::shared_ptr<ServerCore> core, std::shared_ptr<Transport> transport,
                      uint64_t id, WebSocketEvents events);

  // Any thread:
  void send_text(std::string text) override { send(web_socket_text, std::move(text)); }
  void send_binary(std::string bytes) override { send(web_socket_binary, std::move(bytes)); }
  size_t queued() const override { return posted_bytes_ + transport_->queued(); }
  void close(int code, const std::string& reason) override;

  // Network thread:
  void received(std::string_view bytes) override;
  void drained() override;
  void closed() override;
  void tick(Clock::time_point now) override;
  void drop() override;

 private:
  void send(uint8_t opcode, std::string payload);
  void write(uint8_t opcode, std::string payload);
  void handle(WebSocketInput input);
  void answer_ping(std::string payload);
  void end(const std::string& close_frame);
  void finish();

  const std::shared_ptr<ServerCore> core_;
  const std::shared_ptr<Transport> transport_;
  const uint64_t id_;
  std::atomic<size_t> posted_bytes_ = 0;  // given to send() and not yet to the transport
  std::atomic<bool> over_ = false;        // too much is queued: about to be cut
  // Network thread only:
  WebSocketEvents events_;
  WebSocketReader reader_;
  bool ended_ = false;
  bool paused_ = false;
  bool pong_due_ = false;
  std::string pong_;          // the payload of the last ping, if pong_due_
  Clock::time_point heard_;   // when the client last sent something
  Clock::time_point pinged_;  // when it was last asked to
};

}  // namespace selfagent
