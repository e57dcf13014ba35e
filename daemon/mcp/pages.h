// Lists in pages, with opaque cursors. Source: MCP, Pagination.
#pragma once

#include "base/json.h"

namespace selfagent::mcp {

/// {`key`: the part of `all` that params.cursor asks for, "nextCursor" if there is more}. Throws
/// rpc::RpcError(invalid_params) for a cursor that no page gave.
Json page(const char* key, const Json& all, const Json& params, size_t page_size);

}  // namespace selfagent::mcp
