// The envelope of revision 2026-07-28: every request names its revision and its client's
// capabilities in params._meta, because there is no handshake. Source: MCP 2026-07-28, base
// protocol.
#pragma once

#include <string>
#include <vector>

#include "rpc/message.h"

namespace selfagent::mcp {

// Error codes of the specification for this era.
constexpr int header_mismatch = -32020;
constexpr int missing_capability = -32021;
constexpr int unsupported_version = -32022;

// Where a notification says which subscriptions/listen it belongs to.
constexpr const char* subscription_key = "io.modelcontextprotocol/subscriptionId";

/// The revisions whose requests carry an envelope, newest first.
const std::vector<std::string>& modern_revisions();

/// True if `params` name a revision in their _meta: the mark of this era, be it well-formed or not.
bool has_envelope(const Json& params);

/// The members that every request needs, in form. Throws rpc::RpcError(invalid_params).
void check_envelope(const Json& params);

/// What the client of `params`, checked before, is capable of.
const Json& client_capabilities(const Json& params);

/// The least level of log messages that the client of `params` wants with this request, "" for
/// none.
std::string wanted_log_level(const Json& params);

/// The revision that `params`, checked before, name.
std::string named_revision(const Json& params);

/// Throws rpc::RpcError(unsupported_version) for a revision of another era or of none.
void check_revision(const std::string& revision);

/// The error for a request of another era than its connection's.
rpc::RpcError version_error(const std::string& requested);

}  // namespace selfagent::mcp
