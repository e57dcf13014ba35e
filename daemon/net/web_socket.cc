// A client that floods pings and reads nothing costs one pong: RFC 6455, section 5.5.3 lets a pong
// answer the most recent ping alone, so while something is queued only the last one is remembered.
#include "net/web_socket.h"

#include <asio.hpp>

#include "base/log.h"

namespace selfagent {

namespace {

// More than any message of ours: one is always accepted, the next one only below this.
constexpr size_t max_queued = 32u << 20;

// A client that does not take its answers may not send further requests.
constexpr size_t pause_above = 4u << 20;

}  // namespace

WebSocketConnection::WebSocketConnection(std::shared_ptr<ServerCore> core,
                                         std::shared_ptr<Transport> transport, uint64_t id,
                                         WebSocketEvents events)
    : core_(std::move(core)),
      transport_(std::move(transport)),
      id_(id),
      events_(std::move(events)),
      reader_(events_.max_message),
      heard_(Clock::now()),
      pinged_(heard_) {}

void WebSocketConnection::send(uint8_t opcode, std::string payload) {
  if (over_) return;
  const size_t size = payload.size();
  if (posted_bytes_.fetch_add(size) > max_queued) over_ = true;
  asio::post(
      core_->io, [self = shared_from_this(), opcode, size, payload = std::move(payload)]() mutable {
        if (self->ended_) return;
        if (self->over_ || self->transport_->queued() > max_queued) {
          log::warn(
              "a WebSocket client at {} read too slowly: it was disconnected with {} bytes queued",
              self->transport_->peer(), self->queued());
          return self->drop();
        }
        self->posted_bytes_ -= size;
        self->write(opcode, std::move(payload));
      });
}

void WebSocketConnection::write(uint8_t opcode, std::string payload) {
  std::string header = web_socket_header(opcode, payload.size());
  transport_->write(std::move(header), std::move(payload));
  if (transport_->queued() > pause_above && !paused_) {
    paused_ = true;
    transport_->pause_reading();
  }
}

void WebSocketConnection::close(int code, const std::string& reason) {
  asio::post(core_->io, [self = shared_from_this(), code, reason] {
    self->end(web_socket_close(code, reason));
  });
}

void WebSocketConnection::received(std::string_view bytes) {
  if (ended_) return;
  heard_ = Clock::now();
  for (auto& input : reader_.receive(bytes)) {
    if (ended_) return;
    handle(std::move(input));
  }
}

void WebSocketConnection::handle(WebSocketInput input) {
  switch (input.kind) {
    case WebSocketInput::Kind::text:
    case WebSocketInput::Kind::binary:
      if (events_.on_message) {
        events_.on_message(std::move(input.payload), input.kind == WebSocketInput::Kind::binary);
      }
      break;
    case WebSocketInput::Kind::ping:
      answer_ping(std::move(input.payload));
      break;
    case WebSocketInput::Kind::pong:
      break;
    case WebSocketInput::Kind::close:
      end(input.code == 1005 ? web_socket_header(0x8, 0) : web_socket_close(input.code, ""));
      break;
    case WebSocketInput::Kind::failure:
      log::debug("a WebSocket client at {} broke the protocol: {}", transport_->peer(),
                 input.payload);
      end(web_socket_close(input.code, input.payload));
      break;
  }
}

void WebSocketConnection::answer_ping(std::string payload) {
  pong_due_ = transport_->queued() > 0;
  if (pong_due_) {
    pong_ = std::move(payload);
  } else {
    write(web_socket_pong, std::move(payload));
  }
}

void WebSocketConnection::drained() {
  if (ended_) return;
  if (std::exchange(pong_due_, false)) write(web_socket_pong, std::exchange(pong_, {}));
  if (!std::exchange(paused_, false)) return;
  heard_ = Clock::now();  // nothing could be heard meanwhile
  transport_->resume_reading();
}

void WebSocketConnection::tick(Clock::time_point now) {
  transport_->tick(now);
  if (ended_ || paused_) return;
  const auto& periods = core_->settings.periods;
  if (now - heard_ > periods.silence) {
    log::debug("a WebSocket client at {} is gone: nothing came", transport_->peer());
    return drop();
  }
  if (now - heard_ <= periods.ping || now - pinged_ <= periods.ping) return;
  pinged_ = now;
  write(web_socket_ping, "");
}

void WebSocketConnection::drop() {
  transport_->close();
  finish();
}

// Sends the last frame; what the client still sends, its own close frame last, is dropped.
void WebSocketConnection::end(const std::string& close_frame) {
  if (ended_) return;
  transport_->write(close_frame);
  transport_->close_after_writing();
  finish();
}

void WebSocketConnection::finish() {
  if (std::exchange(ended_, true)) return;
  const auto keep = shared_from_this();
  const WebSocketEvents events = std::exchange(events_, {});
  if (events.on_close) events.on_close();
}

void WebSocketConnection::closed() {
  core_->connections.erase(id_);
  finish();
}

}  // namespace selfagent
