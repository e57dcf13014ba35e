// The Model Context Protocol over any transport that carries JSON-RPC messages.
//
// Served now: the revisions that open with `initialize` (2024-11-05, 2025-03-26, 2025-06-18,
// 2025-11-25), called legacy below. Revision 2026-07-28 has no initialize and no sessions: every
// request carries its own envelope. It will be a second rpc::Service over the same ToolCaller,
// chosen by the transport from the message's body, so nothing here may keep state that a request
// needs, except what Connection holds for legacy streams.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
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
    /// Progress notifications go here; empty on transports that cannot carry them.
    Notify notify;
  };
  Connection(ToolCaller& caller, ServerIdentity identity, Options options);

  void handle(rpc::Request request, rpc::Done done) override;

  /// Cancels everything that runs for this peer and sends it nothing more.
  void close();

 private:
  std::string initialize(const Json& params) const;
  std::string list_tools(const Json& params) const;
  void call_tool(const std::string& name, Json arguments, const rpc::Request& request, bool plain,
                 const rpc::Done& done);
  void cancelled(const Json& params);

  ToolCaller& caller_;
  const ServerIdentity identity_;
  const Options options_;
  std::mutex mutex_;                                 // protects the members below
  std::map<std::string, std::stop_source> running_;  // by the request id's JSON text
  std::stop_source closed_;
};

}  // namespace selfagent::mcp
