// The unix control socket: JSON-RPC and MCP, one message per line, for `selfagent call` and
// `selfagent mcp`.
#pragma once

#include <filesystem>
#include <memory>

#include "mcp/connection.h"

namespace asio {
class io_context;
}

namespace selfagent {

/// Listens at a path with mode 0600: whoever may open it is the daemon's own user or root, so it
/// needs no token.
class ControlSocket {
 public:
  /// Whoever connects is `owner`, who lives as long as the socket; calls by a tool's own name are
  /// the operator's, and need nobody's approval. Replaces a stale socket file; throws
  /// Error(conflict) if a living daemon answers there.
  ControlSocket(asio::io_context& io, std::filesystem::path path, mcp::Server& server,
                const Principal& owner);
  ~ControlSocket();

  /// Closes the socket, ends every connection when its last answers are out, and removes the file;
  /// network thread.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace selfagent
