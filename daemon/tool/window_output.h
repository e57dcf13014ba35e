// Windows as tools answer them.
#pragma once

#include "base/json.h"
#include "desktop/desktop.h"

namespace selfagent {

/// "0x1a00003".
std::string window_id(const Window& window);

Json window_json(const Window& window);
Json window_schema();

}  // namespace selfagent
