// Tool calls that a person must approve first, because the server's policy says so.
#pragma once

#include "tool/tool.h"

namespace selfagent {

/// Asks the person at the client whether `tool` may be called with `arguments`, if the principal of
/// `context` needs that. Blocks for the answer or throws InputRequired, see ClientLink::ask. Throws
/// Error(permission_denied) if the answer is no or nobody can be asked.
void require_approval(const Tool& tool, const Json& arguments, ToolContext& context);

}  // namespace selfagent
