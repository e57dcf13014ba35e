// RESTinio is confined to this file: its headers are slow, its types are templates.
//
// Facts that shaped it: max_pipelined_requests must exceed 1, otherwise RESTinio does not read from
// a connection while its request is being handled and never notices that the client vanished. A
// chunked response is flushed piece by piece. A WebSocket message arrives frame by frame: fragments
// are joined here.
#include "net/server.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <restinio/all.hpp>
#include <restinio/websocket/websocket.hpp>

#include "base/log.h"

namespace selfagent {

namespace rws = restinio::websocket::basic;

namespace {

constexpr size_t max_queued = 16u << 20;
constexpr size_t drained_below = 1u << 20;

// Connections with someone who wants to know when they end. Network thread only.
class ClosedListeners {
 public:
  using Key = std::pair<uint64_t, uint64_t>;  // connection, number

  Key add(uint64_t connection, std::function<void()> closed) {
    const Key key{connection, next_++};
    listeners_.emplace(key, std::move(closed));
    return key;
  }
  void remove(const Key& key) { listeners_.erase(key); }
  void close(uint64_t connection) {
    const auto from = listeners_.lower_bound({connection, 0});
    const auto to = listeners_.lower_bound({connection + 1, 0});
    std::vector<std::function<void()>> callbacks;
    for (auto at = from; at != to; ++at) callbacks.push_back(std::move(at->second));
    listeners_.erase(from, to);
    for (auto& callback : callbacks) callback();
  }

 private:
  std::map<Key, std::function<void()>> listeners_;
  uint64_t next_ = 1;
};

struct StateListener {
  std::shared_ptr<ClosedListeners> listeners;
  void state_changed(const restinio::connection_state::notice_t& notice) noexcept {
    if (restinio::holds_alternative<restinio::connection_state::closed_t>(notice.cause())) {
      listeners->close(notice.connection_id());
    }
  }
};

struct Traits : restinio::default_single_thread_traits_t {
  using connection_state_listener_t = StateListener;
};

const char* reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

restinio::http_status_line_t status_line(int status) {
  return {restinio::http_status_code_t{static_cast<uint16_t>(status)}, reason_phrase(status)};
}

class ChunkedStream : public Stream, public std::enable_shared_from_this<ChunkedStream> {
 public:
  using Builder = restinio::response_builder_t<restinio::chunked_output_t>;

  explicit ChunkedStream(asio::io_context& io) : io_(io) {}

  // `forget` is called when the stream has ended, however it ended.
  void start(Builder builder, std::function<void()> forget) {
    forget_ = std::move(forget);
    builder_.emplace(std::move(builder));
    flush_soon();
  }
  void closed() {
    if (!open_.exchange(false)) return;
    const auto keep = shared_from_this();  // forget() may drop the last other reference
    if (auto forget = std::exchange(forget_, nullptr)) forget();
    builder_.reset();
    drained_ = nullptr;
    if (auto callback = std::exchange(on_closed_, nullptr)) callback();
  }

  void write(std::string piece) override {
    asio::post(io_, [self = shared_from_this(), piece = std::move(piece)]() mutable {
      self->append(std::move(piece));
    });
  }
  void when_drained(std::function<void()> ready) override {
    asio::post(io_, [self = shared_from_this(), ready = std::move(ready)]() mutable {
      if (!self->open_) return;
      self->drained_ = std::move(ready);
      self->check_drained();
    });
  }
  void end() override {
    asio::post(io_, [self = shared_from_this()] {
      if (!self->builder_) return;
      self->builder_->done();
      self->closed();
    });
  }
  bool open() const override { return open_; }
  void on_closed(std::function<void()> callback) override {
    asio::post(io_, [self = shared_from_this(), callback = std::move(callback)]() mutable {
      if (self->open_) {
        self->on_closed_ = std::move(callback);
      } else {
        callback();
      }
    });
  }

 private:
  void append(std::string piece) {
    if (!builder_) return;
    queued_ += piece.size();
    if (queued_ > max_queued) {
      log::warn("a client read too slowly: its stream was cut after {} queued bytes", queued_);
      builder_->connection_close();
      builder_->done();
      return closed();
    }
    unsent_ += piece.size();
    builder_->append_chunk(std::move(piece));
    flush_soon();
  }

  // Flushes once per turn of the event loop, so that many small events share one packet.
  void flush_soon() {
    if (flushing_) return;
    flushing_ = true;
    asio::post(io_, [self = shared_from_this()] {
      self->flushing_ = false;
      if (!self->builder_) return;
      const size_t sent = std::exchange(self->unsent_, 0);
      self->builder_->flush([weak = self->weak_from_this(), sent](const auto& error) {
        const auto stream = weak.lock();
        if (!stream) return;
        stream->queued_ -= sent;
        if (error) return stream->closed();
        stream->check_drained();
      });
    });
  }

  void check_drained() {
    if (drained_ && queued_ < drained_below) std::exchange(drained_, nullptr)();
  }

  asio::io_context& io_;
  std::atomic<bool> open_ = true;
  // Network thread only:
  std::optional<Builder> builder_;
  bool flushing_ = false;
  size_t unsent_ = 0;
  size_t queued_ = 0;
  std::function<void()> drained_;
  std::function<void()> on_closed_;
  std::function<void()> forget_;
};

class Socket : public WebSocket, public std::enable_shared_from_this<Socket> {
 public:
  Socket(asio::io_context& io, WebSocketEvents events) : io_(io), events_(std::move(events)) {}

  void attach(rws::ws_handle_t handle) { handle_ = std::move(handle); }

  void send_text(std::string text) override { send(rws::opcode_t::text_frame, std::move(text)); }
  void send_binary(std::string bytes) override {
    send(rws::opcode_t::binary_frame, std::move(bytes));
  }
  size_t queued() const override { return queued_; }
  void close(int code, const std::string& reason) override {
    asio::post(io_, [self = shared_from_this(), code, reason] { self->close_now(code, reason); });
  }

  void receive(const rws::message_handle_t& message) {
    switch (message->opcode()) {
      case rws::opcode_t::text_frame:
      case rws::opcode_t::binary_frame:
        binary_ = message->opcode() == rws::opcode_t::binary_frame;
        joined_ = std::move(message->payload());
        break;
      case rws::opcode_t::continuation_frame:
        joined_ += message->payload();
        break;
      case rws::opcode_t::ping_frame:
        if (handle_) {
          handle_->send_message(rws::final_frame, rws::opcode_t::pong_frame,
                                restinio::writable_item_t{std::string(message->payload())});
        }
        return;
      case rws::opcode_t::connection_close_frame:
        return finish();
      default:
        return;
    }
    if (joined_.size() > events_.max_message) {
      return close_now(
          1009, "a message may have at most " + std::to_string(events_.max_message) + " bytes");
    }
    if (message->is_final() && events_.on_message) {
      const auto keep = shared_from_this();
      events_.on_message(std::exchange(joined_, {}), binary_);
    }
  }

  void finish() {
    auto events = std::exchange(events_, {});
    handle_.reset();
    if (events.on_close) events.on_close();
  }

 private:
  void send(rws::opcode_t opcode, std::string payload) {
    queued_ += payload.size();
    asio::post(io_, [self = shared_from_this(), opcode, payload = std::move(payload)]() mutable {
      const size_t size = payload.size();
      if (!self->handle_) {
        self->queued_ -= size;
        return;
      }
      if (self->queued_ > 4 * max_queued) {
        log::warn("a WebSocket client read too slowly: it was disconnected");
        self->handle_->kill();
        return self->finish();
      }
      self->handle_->send_message(rws::final_frame, opcode,
                                  restinio::writable_item_t{std::move(payload)},
                                  [weak = self->weak_from_this(), size](const auto& error) {
                                    const auto socket = weak.lock();
                                    if (!socket) return;
                                    socket->queued_ -= size;
                                    if (error) socket->finish();
                                  });
    });
  }

  void close_now(int code, const std::string& reason) {
    if (!handle_) return;
    std::string payload;
    payload += static_cast<char>(code >> 8);
    payload += static_cast<char>(code & 0xFF);
    payload += reason.substr(0, 120);
    auto handle = handle_;
    handle->send_message(rws::final_frame, rws::opcode_t::connection_close_frame,
                         restinio::writable_item_t{std::move(payload)});
    handle->shutdown();
    finish();
  }

  asio::io_context& io_;
  std::atomic<size_t> queued_ = 0;
  // Network thread only:
  WebSocketEvents events_;
  rws::ws_handle_t handle_;
  std::string joined_;
  bool binary_ = false;
};

class RestinioResponder : public Responder, public std::enable_shared_from_this<RestinioResponder> {
 public:
  RestinioResponder(asio::io_context& io, restinio::request_handle_t request,
                    std::shared_ptr<ClosedListeners> listeners)
      : io_(io), request_(std::move(request)), listeners_(std::move(listeners)) {}

  void send(HttpResponse response) override {
    if (io_.get_executor().running_in_this_thread()) return send_now(std::move(response));
    asio::post(io_, [self = shared_from_this(), response = std::move(response)]() mutable {
      self->send_now(std::move(response));
    });
  }

  std::shared_ptr<Stream> stream(int status, Headers headers) override {
    auto stream = std::make_shared<ChunkedStream>(io_);
    asio::post(
        io_, [self = shared_from_this(), stream, status, headers = std::move(headers)]() mutable {
          if (!self->request_) return;
          const auto request = self->take_request();
          const auto connection = request->connection_id();
          auto builder = request->create_response<restinio::chunked_output_t>(status_line(status));
          for (auto& [name, value] : headers)
            builder.append_header(std::move(name), std::move(value));
          const auto key = self->listeners_->add(connection, [stream] { stream->closed(); });
          stream->start(std::move(builder),
                        [listeners = self->listeners_, key] { listeners->remove(key); });
        });
    return stream;
  }

  void on_abandoned(std::function<void()> gone) override {
    if (!request_) return;
    forget_abandoned();
    abandoned_ = listeners_->add(request_->connection_id(), std::move(gone));
  }

  bool wants_web_socket() const override {
    return request_ &&
           request_->header().connection() == restinio::http_connection_header_t::upgrade;
  }

  std::shared_ptr<WebSocket> upgrade(const std::string& subprotocol,
                                     WebSocketEvents events) override {
    auto socket = std::make_shared<Socket>(io_, std::move(events));
    const auto request = take_request();
    const auto on_message = [socket](rws::ws_handle_t, rws::message_handle_t message) {
      socket->receive(message);
    };
    const auto digest = restinio::utils::sha1::make_digest(
        request->header().get_field(restinio::http_field::sec_websocket_key) +
        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    const std::string accept =
        restinio::utils::base64::encode(restinio::utils::sha1::to_string(digest));
    socket->attach(
        subprotocol.empty()
            ? rws::upgrade<Traits>(*request, rws::activation_t::immediate, accept, on_message)
            : rws::upgrade<Traits>(*request, rws::activation_t::immediate, accept, subprotocol,
                                   on_message));
    return socket;
  }

 private:
  void send_now(HttpResponse response) {
    if (!request_) return;
    const auto request = take_request();
    auto builder = request->create_response(status_line(response.status));
    for (auto& [name, value] : response.headers) {
      builder.append_header(std::move(name), std::move(value));
    }
    builder.set_body(std::move(response.body));
    builder.done();
  }

  restinio::request_handle_t take_request() {
    forget_abandoned();
    return std::exchange(request_, nullptr);
  }
  void forget_abandoned() {
    if (const auto key = std::exchange(abandoned_, std::nullopt)) listeners_->remove(*key);
  }

  asio::io_context& io_;
  // Network thread only:
  restinio::request_handle_t request_;  // null after the answer
  std::optional<ClosedListeners::Key> abandoned_;
  std::shared_ptr<ClosedListeners> listeners_;
};

HttpRequest convert(const restinio::request_handle_t& from) {
  HttpRequest request;
  const auto& header = from->header();
  request.method = header.method().c_str();
  request.path = percent_decode(std::string(header.path()), false);
  request.query = std::string(header.query());
  request.peer = from->remote_endpoint().address().to_string();
  header.for_each_field([&](const restinio::http_header_field_t& field) {
    std::string name = field.name();
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    auto [at, fresh] = request.headers.emplace(std::move(name), field.value());
    if (!fresh) at->second += ", " + field.value();
  });
  return request;
}

}  // namespace

struct HttpServer::State {
  using Server = restinio::http_server_t<Traits>;

  asio::io_context& io;
  Settings settings;
  HttpHandler handler;
  std::shared_ptr<ClosedListeners> listeners = std::make_shared<ClosedListeners>();
  std::unique_ptr<Server> server;
  uint16_t port = 0;

  restinio::request_handling_status_t handle(const restinio::request_handle_t& from) {
    auto responder = std::make_shared<RestinioResponder>(io, from, listeners);
    HttpRequest request = convert(from);
    if (from->body().size() > settings.max_body) {
      responder->send(HttpResponse::error(
          413, "resource_exhausted",
          "the body has " + std::to_string(from->body().size()) + " bytes, at most " +
              std::to_string(settings.max_body) + " are allowed: send it in smaller parts"));
      return restinio::request_accepted();
    }
    request.body = from->body();
    try {
      handler(std::move(request), responder);
    } catch (const std::exception& error) {
      log::error("a request handler threw: {}", error.what());
      responder->send(HttpResponse::error(500, "internal", error.what()));
    }
    return restinio::request_accepted();
  }
};

HttpServer::HttpServer(asio::io_context& io, Settings settings, HttpHandler handler)
    : state_(
          std::make_unique<State>(State{io, std::move(settings), std::move(handler), {}, {}, 0})) {
  State* state = state_.get();
  state->listeners = std::make_shared<ClosedListeners>();
  const std::string where = state->settings.address + ":" + std::to_string(state->settings.port);
  std::error_code parse_error;
  const auto address = asio::ip::make_address(state->settings.address, parse_error);
  if (parse_error) {
    throw Error(ErrorCode::invalid_argument,
                "\"" + state->settings.address +
                    "\" is not an IP address: use --listen HOST:PORT " +
                    "with an address such as 127.0.0.1 or 0.0.0.0");
  }
  state->server =
      std::make_unique<State::Server>(restinio::external_io_context(io), [&](auto& options) {
        options.port(state->settings.port)
            .address(address)
            .request_handler([state](const restinio::request_handle_t& request) {
              return state->handle(request);
            })
            .connection_state_listener(
                std::make_shared<StateListener>(StateListener{state->listeners}))
            .acceptor_post_bind_hook([state](asio::ip::tcp::acceptor& acceptor) {
              state->port = acceptor.local_endpoint().port();
            })
            .socket_options_setter([](auto& socket_options) {
              socket_options.set_option(asio::ip::tcp::no_delay{true});
            })
            .incoming_http_msg_limits(restinio::incoming_http_msg_limits_t{}
                                          .max_url_size(16 * 1024)
                                          .max_field_value_size(32 * 1024)
                                          .max_field_count(100)
                                          .max_body_size(state->settings.max_body * 4))
            .max_pipelined_requests(8)
            .handle_request_timeout(std::chrono::hours(24))
            .write_http_response_timelimit(std::chrono::seconds(60))
            .read_next_http_message_timelimit(std::chrono::seconds(120));
      });
  try {
    state->server->open_sync();
  } catch (const std::exception& error) {
    throw Error(ErrorCode::conflict,
                "cannot listen on " + where + ": " + error.what() +
                    ". If another program uses the port, choose one with --listen 127.0.0.1:PORT " +
                    "(0 picks a free one)");
  }
}

HttpServer::~HttpServer() = default;

uint16_t HttpServer::port() const { return state_->port; }

void HttpServer::stop() { state_->server->close_sync(); }

}  // namespace selfagent
