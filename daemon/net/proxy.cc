// Each request has a connection of its own to the server behind, which is cheap on a unix socket:
// nothing that this server sends can be taken for the answer to another request, and nothing of
// another request can reach it. Bytes pass unread only after it has agreed to a WebSocket.
#include "net/proxy.h"

#include <sys/socket.h>

#include <array>
#include <asio.hpp>

#include "base/log.h"
#include "net/proxy_heads.h"
#include "net/response_parser.h"

namespace selfagent {

namespace {

using UnixSocket = asio::local::stream_protocol::socket;

// Of bytes for the server behind that it has not taken.
constexpr size_t most_waiting = 1u << 20;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

// The server behind starts with the sandbox and may not listen yet: the page comes again by itself.
HttpResponse page_that_tries_again(const std::string& name, const std::string& why) {
  HttpResponse response{502, {}, ""};
  response.headers = {{"Content-Type", "text/html; charset=utf-8"},
                      {"Content-Security-Policy", "default-src 'none'"},
                      {"Cache-Control", "no-store"},
                      {"Refresh", "2"},
                      {"Retry-After", "2"}};
  response.body =
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\">"
      "<meta name=\"color-scheme\" content=\"light dark\"><title>" +
      escaped(name) + " is not there yet</title><h1>" + escaped(name) +
      " is not there yet</h1><p>It starts with the sandbox, which may take half a minute. This "
      "page tries again every two seconds.</p><p><small>" +
      escaped(why) + "</small></p></html>\n";
  return response;
}

std::optional<uid_t> peer_of(UnixSocket& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return std::nullopt;
  }
  return peer.uid;
}

// A WebSocket, or whatever both ends take it for.
class ProxyTunnel : public std::enable_shared_from_this<ProxyTunnel> {
 public:
  ProxyTunnel(asio::io_context& io, UnixSocket socket, milliseconds stall_limit)
      : socket_(std::move(socket)), stall_limit_(stall_limit), stalled_(io) {}

  // `first`: what the server has sent already.
  void start(const ResponderPtr& responder, const Headers& headers, std::string first) {
    TunnelEvents events;
    const auto self = shared_from_this();
    events.on_bytes = [self](std::string_view bytes) { self->from_client(bytes); };
    events.on_drained = [self] { self->read(); };
    events.on_close = [self] { self->client_ended(); };
    client_ = responder->tunnel(headers, std::move(events));
    if (!first.empty()) client_->write(std::move(first));
    read();
  }

 private:
  void from_client(std::string_view bytes) {
    const auto keep = shared_from_this();
    waiting_.append(bytes);
    if (waiting_.size() > most_waiting && !std::exchange(paused_, true)) client_->pause_reading();
    write();
  }

  // What the client has sent before its end still arrives.
  void client_ended() {
    client_ = nullptr;
    if (!writing_) close();
  }

  void write() {
    if (writing_ || waiting_.empty() || !socket_.is_open()) return;
    writing_ = true;
    sent_ = std::exchange(waiting_, {});
    stalled_.expires_after(stall_limit_);
    stalled_.async_wait([self = shared_from_this()](const std::error_code& error) {
      if (!error) self->close();
    });
    asio::async_write(socket_, asio::buffer(sent_),
                      [self = shared_from_this()](const std::error_code& error, size_t) {
                        self->writing_ = false;
                        self->stalled_.cancel();
                        error ? self->close() : self->written();
                      });
  }

  void written() {
    if (!client_ && waiting_.empty()) return close();
    if (client_ && std::exchange(paused_, false)) client_->resume_reading();
    write();
  }

  void read() {
    if (reading_ || !client_ || client_->queued() >= tunnel_low_water) return;
    reading_ = true;
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](const std::error_code& error, size_t size) {
                              self->reading_ = false;
                              if (error) return self->close();
                              if (self->client_)
                                self->client_->write(std::string(self->buffer_.data(), size));
                              self->read();
                            });
  }

  void close() {
    std::error_code ignored;
    socket_.close(ignored);
    stalled_.cancel();
    if (const auto client = std::exchange(client_, nullptr)) client->end();
  }

  UnixSocket socket_;
  const milliseconds stall_limit_;
  asio::steady_timer stalled_;
  std::shared_ptr<Tunnel> client_;  // null when it has ended
  std::string waiting_;             // for the server
  std::string sent_;                // being written to it
  bool writing_ = false;
  bool reading_ = false;
  bool paused_ = false;
  std::array<char, 64 * 1024> buffer_{};
};

class ProxyExchange : public std::enable_shared_from_this<ProxyExchange> {
 public:
  ProxyExchange(asio::io_context& io, Upstream upstream, HttpRequest request,
                ResponderPtr responder)
      : io_(io),
        upstream_(std::move(upstream)),
        request_(std::move(request)),
        responder_(std::move(responder)),
        web_socket_(responder_->wants_web_socket()),
        chunks_(has_chunks(request_)),
        socket_(io),
        stalled_(io),
        answer_(request_.method == "HEAD") {}

  void start() {
    const auto self = shared_from_this();
    responder_->on_abandoned([self] { self->close(); });
    socket_.async_connect(asio::local::stream_protocol::endpoint(upstream_.socket),
                          [self](const std::error_code& error) {
                            error ? self->fail("does not answer: " + error.message())
                                  : self->connected();
                          });
  }

 private:
  void connected() {
    const auto peer = peer_of(socket_);
    if (peer != upstream_.owner) {
      log::warn("{} belongs to uid {}, not to {}: nothing was sent there", upstream_.socket,
                peer ? std::to_string(*peer) : "?", upstream_.owner);
      return fail("was not opened by the user of the sandbox");
    }
    write(upstream_head(request_, web_socket_));
    read();
  }

  void write(std::string bytes) {
    sent_ = std::move(bytes);
    stalled_.expires_after(upstream_.stall_limit);
    stalled_.async_wait([self = shared_from_this()](const std::error_code& error) {
      if (!error) self->fail("takes nothing of the request");
    });
    asio::async_write(socket_, asio::buffer(sent_),
                      [self = shared_from_this()](const std::error_code& error, size_t) {
                        self->stalled_.cancel();
                        // A server that does not want the rest may have answered nevertheless.
                        if (!error && !self->sent_all_) self->send_body();
                      });
  }

  void send_body() {
    request_.incoming->next(
        [self = shared_from_this()](std::string bytes, RequestBody::State state) {
          self->send_piece(std::move(bytes), state);
        });
  }

  void send_piece(std::string bytes, RequestBody::State state) {
    // Given up for an answer that came early, or the client was too slow or is gone.
    if (state == RequestBody::State::gone && !begun_) return close();
    if (state == RequestBody::State::gone || !socket_.is_open()) return;
    sent_all_ = state == RequestBody::State::end;
    if (chunks_ && !bytes.empty()) {
      char size[20];
      std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
      bytes.insert(0, size).append("\r\n");
    }
    if (chunks_ && sent_all_) bytes += "0\r\n\r\n";
    if (bytes.empty() && sent_all_) return;
    write(std::move(bytes));
  }

  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](const std::error_code& error, size_t size) {
                              if (error) return self->ended();
                              try {
                                self->received({self->buffer_.data(), size});
                              } catch (const Error& failure) {
                                self->fail("is no web server: " + std::string(failure.what()));
                              }
                            });
  }

  void received(std::string_view bytes) {
    std::string body = answer_.feed(bytes);
    if (answer_.state() == ResponseParser::State::head) return read();
    if (answer_.state() == ResponseParser::State::switched) return become_tunnel(std::move(body));
    if (!begun_ && !begin()) return;
    if (!body.empty()) stream_->write(std::move(body));
    if (answer_.state() == ResponseParser::State::complete) {
      stream_->end();
      return close();
    }
    stream_->when_drained([self = shared_from_this()] { self->read(); });
  }

  // False if the answer has no body and is given already.
  bool begin() {
    begun_ = true;
    Headers headers = client_headers(answer_.headers());
    const int status = answer_.status();
    if (status == 204 || status == 304) {
      responder_->send({status, std::move(headers), ""});
      close();
      return false;
    }
    if (answer_.has_length()) {
      headers.emplace_back("Content-Length", std::to_string(answer_.content_length()));
    }
    stream_ = responder_->stream(status, std::move(headers));
    stream_->on_closed([self = shared_from_this()] { self->close(); });
    return true;
  }

  void become_tunnel(std::string first) {
    if (!web_socket_) return fail("changes the protocol, which nobody asked for");
    begun_ = true;
    Headers headers = client_headers(answer_.headers());
    headers.emplace_back("Upgrade", "websocket");
    headers.emplace_back("Connection", "Upgrade");
    std::make_shared<ProxyTunnel>(io_, std::move(socket_), upstream_.stall_limit)
        ->start(responder_, headers, std::move(first));
  }

  void ended() {
    if (!begun_) return fail("ended the connection without an answer");
    if (!stream_) return;
    answer_.end() ? stream_->end() : stream_->abort();
    close();
  }

  void fail(const std::string& why) {
    close();
    if (stream_) return stream_->abort();
    begun_ = true;
    const std::string what = upstream_.name + " at " + upstream_.socket + " " + why;
    responder_->send(request_.is_navigation()
                         ? page_that_tries_again(upstream_.name, what)
                         : HttpResponse::error(502, "unavailable", what + ". Is it running?"));
  }

  void close() {
    std::error_code ignored;
    socket_.close(ignored);
    stalled_.cancel();
  }

  asio::io_context& io_;
  const Upstream upstream_;
  const HttpRequest request_;
  const ResponderPtr responder_;
  const bool web_socket_;
  const bool chunks_;  // of the request's body
  UnixSocket socket_;
  asio::steady_timer stalled_;
  ResponseParser answer_;
  std::shared_ptr<Stream> stream_;
  bool begun_ = false;     // the client has the answer's head
  bool sent_all_ = false;  // of the request
  std::string sent_;       // being written
  std::array<char, 64 * 1024> buffer_{};
};

}  // namespace

void pass_on(asio::io_context& io, const Upstream& upstream, HttpRequest request,
             const ResponderPtr& responder) {
  const std::string& length = request.header("content-length");
  if (responder->wants_web_socket() &&
      (has_chunks(request) || (!length.empty() && length != "0"))) {
    return responder->send(
        HttpResponse::error(400, "invalid_argument", "a request for a WebSocket has no body"));
  }
  std::make_shared<ProxyExchange>(io, upstream, std::move(request), responder)->start();
}

}  // namespace selfagent
