// Accepting is plain: a descriptor that is ready, accept4 until there is nothing more. Running out
// of descriptors pauses it for a moment instead of ending it for good.
#include "net/server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <asio.hpp>

#include "base/log.h"
#include "base/unique_fd.h"
#include "net/http_connection.h"

namespace selfagent {

namespace {

// After so many in a row the connections that are there have their turn.
constexpr int accepts_in_a_row = 64;
constexpr int backlog = 1024;
constexpr size_t read_size = 64 * 1024;

std::string text_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  } else {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
  }
  return text;
}

// Notices clients that are gone without a word: after 60 s of silence three probes, 10 s apart; and
// 60 s without a confirmation of what was sent. Source: tcp(7).
void set_options(int fd) {
  const auto set = [fd](int level, int option, int value) {
    ::setsockopt(fd, level, option, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
}

bool is_loopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
  return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
}

// Within the machine there is no congestion, and the control that paces what it sends (bbr, the
// default of some hosts) costs a picture a third of its time. Reno is always there and does not.
void send_without_pacing(int fd) {
  constexpr std::string_view name = "reno";
  ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), name.size());
}

UniqueFd listen_at(const asio::ip::tcp::endpoint& endpoint, const std::string& where,
                   const std::string& other_port) {
  UniqueFd fd(::socket(endpoint.address().is_v6() ? AF_INET6 : AF_INET,
                       SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  if (fd) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (!fd || ::bind(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0 ||
      ::listen(fd.get(), backlog) != 0) {
    throw Error(ErrorCode::conflict,
                "cannot listen on " + where + ": " + system_error("bind", errno).what() +
                    ". If another program uses the port, choose one with " + other_port);
  }
  return fd;
}

uint16_t port_of(int fd) {
  asio::ip::tcp::endpoint bound;
  auto size = static_cast<socklen_t>(bound.capacity());
  ::getsockname(fd, bound.data(), &size);
  return bound.port();
}

}  // namespace

struct HttpServer::State : std::enable_shared_from_this<HttpServer::State> {
  State(asio::io_context& io, Settings settings, HttpHandler handler)
      : listener(io), accept_again(io), ticker(io) {
    TlsContext tls;
    if (!settings.tls_cert.empty() || !settings.tls_key.empty()) {
      tls = load_tls(settings.tls_cert, settings.tls_key);
      pin = selfagent::public_key_pin(tls);
    }
    core = std::make_shared<ServerCore>(ServerCore{io,
                                                   std::move(settings),
                                                   std::move(handler),
                                                   std::move(tls),
                                                   std::vector<char>(read_size),
                                                   {},
                                                   Readiness::create(io)});
  }

  void listen() {
    const auto& settings = core->settings;
    std::error_code error;
    const auto address = asio::ip::make_address(settings.address, error);
    if (error) {
      throw Error(ErrorCode::invalid_argument,
                  "\"" + settings.address + "\" is not an IP address: use --listen HOST:PORT " +
                      "with an address such as 127.0.0.1 or 0.0.0.0");
    }
    UniqueFd fd =
        listen_at({address, settings.port}, settings.address + ":" + std::to_string(settings.port),
                  settings.other_port);
    port = port_of(fd.get());
    listener.assign(fd.release());
    accept();
    tick();
  }

  void accept() {
    listener.async_wait(asio::posix::stream_descriptor::wait_read,
                        [self = shared_from_this()](const std::error_code& error) {
                          if (!error && self->listener.is_open()) self->accept_some();
                        });
  }

  void accept_some() {
    for (int i = 0; i < accepts_in_a_row; ++i) {
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      UniqueFd fd(::accept4(listener.native_handle(), reinterpret_cast<sockaddr*>(&address), &size,
                            SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd) {
        if (is_loopback(address)) send_without_pacing(fd.get());
        welcome(std::move(fd), text_of(address));
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return accept_later(errno);
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        break;
      }
    }
    accept();
  }

  void accept_later(int reason) {
    log::warn("cannot accept a connection: {}; trying again", std::strerror(reason));
    accept_again.expires_after(std::chrono::milliseconds(200));
    accept_again.async_wait([self = shared_from_this()](const std::error_code& error) {
      if (!error) self->accept();
    });
  }

  void welcome(UniqueFd fd, std::string peer) {
    if (core->connections.size() >= core->settings.max_connections) {
      log::warn("a client at {} was turned away: there are {} connections", peer,
                core->connections.size());
      return;
    }
    set_options(fd.get());
    try {
      const auto transport = std::make_shared<Transport>(core, fd.release(), std::move(peer));
      const auto connection = std::make_shared<HttpServerConnection>(core, transport, ++last_id);
      core->connections[last_id] = connection;
      transport->start(connection);
    } catch (const std::exception& error) {
      log::error("a connection could not be served: {}", error.what());
    }
  }

  void tick() {
    const auto& periods = core->settings.periods;
    ticker.expires_after(std::min({std::chrono::milliseconds(1000), periods.idle / 4,
                                   periods.head / 4, periods.body / 4, periods.stall / 4,
                                   periods.linger / 4, periods.ping / 4, periods.silence / 4}));
    ticker.async_wait([self = shared_from_this()](const std::error_code& error) {
      if (error || !self->listener.is_open()) return;
      self->tick();
      const auto now = Clock::now();
      for (const auto& connection : self->all()) connection->tick(now);
    });
  }

  // A copy: connections remove themselves when they end.
  std::vector<std::shared_ptr<ClientConnection>> all() const {
    std::vector<std::shared_ptr<ClientConnection>> list;
    list.reserve(core->connections.size());
    for (const auto& [id, weak] : core->connections) {
      if (auto connection = weak.lock()) list.push_back(std::move(connection));
    }
    return list;
  }

  void stop() {
    std::error_code ignored;
    listener.close(ignored);
    accept_again.cancel();
    ticker.cancel();
    for (const auto& connection : all()) connection->stop();
  }

  std::shared_ptr<ServerCore> core;
  asio::posix::stream_descriptor listener;
  asio::steady_timer accept_again;
  asio::steady_timer ticker;
  uint16_t port = 0;
  uint64_t last_id = 0;
  std::string pin;
};

HttpServer::HttpServer(asio::io_context& io, Settings settings, HttpHandler handler)
    : state_(std::make_shared<State>(io, std::move(settings), std::move(handler))) {
  state_->listen();
}

HttpServer::~HttpServer() { state_->stop(); }

uint16_t HttpServer::port() const { return state_->port; }

const std::string& HttpServer::public_key_pin() const { return state_->pin; }

HttpServer::Counts HttpServer::counts() const {
  return {state_->core->connections.size(), state_->last_id};
}

void HttpServer::stop() { state_->stop(); }

}  // namespace selfagent
