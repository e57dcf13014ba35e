// The desktop's notifications in words, for models.
#pragma once

#include <cstdint>
#include <string>

#include "tool/tool.h"

namespace selfagent {

/// The number of the newest one, 0 if there is none.
uint64_t newest_notification(const ToolContext& context);

/// Those after number `seen`, which becomes that of the newest; "" if there are none.
std::string tell_notifications(const ToolContext& context, uint64_t& seen);

}  // namespace selfagent
