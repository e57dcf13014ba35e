// The Model Context Protocol over any transport that carries JSON-RPC messages.
//
// Two eras. Legacy are the revisions that open with `initialize` (2024-11-05, 2025-03-26,
// 2025-06-18, 2025-11-25). Modern is 2026-07-28: no initialize and no sessions, every request
// carries its own envelope. Both are served from the same registry by the same code; what differs
// is the frame around a result.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "rpc/service.h"
#include "tool/caller.h"

namespace selfagent::mcp {

/// What the server says of itself.
struct ServerIdentity {
  std::string name = "selfagent";
  std::string version;
  std::string instructions;  ///< at most 2 KB: clients cut it there
};

/// The legacy revisions, newest first.
const std::vector<std::string>& legacy_revisions();

enum class Era { legacy, modern };

/// Sends a notification to the peer of a connection; called on any thread.
using Notify = std::function<void(std::string message)>;

/// One peer: a WebSocket, a stdio or control-socket stream, or a single HTTP request. Thread-safe.
///
/// Requests of a peer that went away are cancelled by close().
class Connection : public rpc::Service, public std::enable_shared_from_this<Connection> {
 public:
  struct Options {
    /// Tool names are methods too: plain JSON-RPC on /rpc, /ws and the control socket.
    bool tool_methods = false;
    /// Names the connection, "" on transports without one: what it holds is released when it ends.
    std::string client;
    /// The era of all requests. Left out, the first request decides for the connection, as the
    /// specification says for streams.
    std::optional<Era> era;
    /// Progress notifications go here; empty on transports that cannot carry them.
    Notify notify;
  };
  Connection(ToolCaller& caller, ServerIdentity identity, Options options);

  void handle(rpc::Request request, rpc::Done done) override;

  /// Cancels everything that runs for this peer and sends it nothing more.
  void close();

 private:
  Era era_of(const rpc::Request& request);
  void handle_legacy(const rpc::Request& request, const rpc::Done& done);
  void handle_modern(const rpc::Request& request, const rpc::Done& done);
  std::string initialize(const Json& params) const;
  std::string discover() const;
  Json list_tools(const Json& params) const;
  void call_named_tool(const rpc::Request& request, const rpc::Done& done);
  /// `result` as a complete result of the modern era.
  std::string complete(std::string_view result) const;
  void call_tool(const std::string& name, Json arguments, const rpc::Request& request, bool plain,
                 const rpc::Done& done);
  void cancelled(const Json& params);

  ToolCaller& caller_;
  const ServerIdentity identity_;
  const Options options_;
  std::mutex mutex_;  // protects the members below
  std::optional<Era> era_;
  std::map<std::string, std::stop_source> running_;  // by the request id's JSON text
  std::stop_source closed_;
};

}  // namespace selfagent::mcp
