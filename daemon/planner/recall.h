// Reads back what is no longer in the prompt.
#pragma once

#include "planner/history.h"
#include "tool/tool.h"

namespace selfagent {

/// The tool `recall`: the whole result of an earlier call, or where words occur in the
/// conversation, by the store's index and, where that has not come to, in the events themselves.
/// Reads `history`, which must outlive it.
Tool recall_tool(const History& history, Annotations annotations);

}  // namespace selfagent
