// The one TCP port: an HTTP and WebSocket server (RESTinio) on one asio thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "net/http.h"

namespace asio {
class io_context;
}

namespace selfagent {

class HttpServer {
 public:
  struct Settings {
    std::string address = "127.0.0.1";
    uint16_t port = 0;  ///< 0 picks a free one
    /// Longer bodies are answered with 413. Bodies of more than four times this are cut off without
    /// an answer, so that an endless upload does not fill the memory.
    size_t max_body = 32u << 20;
  };

  /// Binds and listens. Throws Error(conflict) with the next step if the port is taken,
  /// Error(invalid_argument) for a bad address.
  HttpServer(asio::io_context& io, Settings settings, HttpHandler handler);
  ~HttpServer();

  uint16_t port() const;

  /// Stops listening and drops every connection; call on the network thread.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace selfagent
