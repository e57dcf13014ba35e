// What the connections of one HttpServer share. Network thread only.
#pragma once

#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "net/readiness.h"
#include "net/server.h"
#include "net/tls.h"

namespace selfagent {

/// A client's connection: HTTP, or the WebSocket that it has become.
class ClientConnection {
 public:
  virtual ~ClientConnection() = default;

  /// From the transport: some bytes, valid during the call only.
  virtual void received(std::string_view bytes) = 0;
  /// From the transport: less than Transport::low_water is queued.
  virtual void drained() = 0;
  /// From the transport: once, however the connection ended; never from within Transport::write.
  virtual void closed() = 0;

  /// Ends the connection if a deadline has passed.
  virtual void tick(Clock::time_point now) = 0;
  /// Ends the connection at once.
  virtual void drop() = 0;
  /// Like drop, because the server stops.
  virtual void stop() { drop(); }
};

struct ServerCore {
  asio::io_context& io;
  const HttpServer::Settings settings;
  const HttpHandler handler;
  const TlsContext tls;  ///< null: plain
  /// Every connection reads into this one: an idle connection needs no buffer of its own.
  std::vector<char> read_buffer;
  std::unordered_map<uint64_t, std::weak_ptr<ClientConnection>> connections;
  const std::shared_ptr<Readiness> readiness;
};

}  // namespace selfagent
