// What all connections of the Model Context Protocol share: the registries and what they say of
// the server. Filled at start, constant afterwards.
//
// Two eras. Legacy are the revisions that open with `initialize` (2024-11-05, 2025-03-26,
// 2025-06-18, 2025-11-25). Modern is 2026-07-28: no initialize and no sessions, every request
// carries its own envelope. Both are served from the same registries by the same code; what differs
// is the frame around a result.
#pragma once

#include <string>

#include "mcp/prompts.h"
#include "mcp/request_state.h"
#include "mcp/resources.h"
#include "mcp/subscriptions.h"
#include "tool/caller.h"

namespace selfagent::mcp {

/// What the server says of itself.
struct ServerIdentity {
  std::string name = "selfagent";
  std::string version;
  std::string instructions;  ///< at most 2 KB: clients cut it there
};

enum class Era { legacy, modern };

/// Thread-safe once it is filled.
class Server {
 public:
  struct Options {
    ServerIdentity identity;
    /// Offers what only the fixtures of the conformance suite use: logging, listChanged.
    bool conformance = false;
    /// A call that runs longer is answered "still running" with an id; below the 60 s after which
    /// most clients give up.
    milliseconds foreground{45'000};
    size_t page_size = 200;  ///< of every list: all there is, because some clients ask but once
  };
  Server(ToolCaller& caller, Options options);

  ToolCaller& caller() { return caller_; }
  const Options& options() const { return options_; }
  Resources& resources() { return resources_; }
  Prompts& prompts() { return prompts_; }
  RequestStates& states() { return states_; }
  Subscriptions& subscriptions() { return subscriptions_; }

  /// The tool `name` if `principal` may call it. Throws rpc::RpcError(invalid_params) with the
  /// nearest name.
  const Tool& tool(const std::string& name, const Principal& principal) const;

  /// Result of initialize; params of the request. Throws rpc::RpcError(invalid_params).
  Json initialize(const Json& params) const;
  /// Result of server/discover, without what every modern result has.
  Json discover() const;
  /// Results of tools/list, resources/list, resources/templates/list, prompts/list.
  Json list(const std::string& method, const Json& params, const Principal& principal) const;
  /// Result of completion/complete. May block. Throws rpc::RpcError(invalid_params).
  Json complete(const Json& params, const Principal& principal) const;

 private:
  Json capabilities(Era era) const;

  ToolCaller& caller_;
  const Options options_;
  Resources resources_;
  Prompts prompts_;
  RequestStates states_;
  Subscriptions subscriptions_;
};

/// The legacy revisions, newest first.
const std::vector<std::string>& legacy_revisions();

}  // namespace selfagent::mcp
