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
constexpr int unsupported_version = -32022;

/// The revisions whose requests carry an envelope, newest first.
const std::vector<std::string>& modern_revisions();

/// True if `params` name a revision in their _meta: the mark of this era, be it well-formed or not.
bool has_envelope(const Json& params);

/// The members that every request needs, in form. Throws rpc::RpcError(invalid_params).
void check_envelope(const Json& params);

/// The revision that `params`, checked before, name.
std::string named_revision(const Json& params);

/// Throws rpc::RpcError(unsupported_version) for a revision of another era or of none.
void check_revision(const std::string& revision);

/// The error for a request of another era than its connection's.
rpc::RpcError version_error(const std::string& requested);

}  // namespace selfagent::mcp
