// The desktop of an X display.
#pragma once

#include <memory>
#include <string>

#include "desktop/desktop.h"

namespace selfagent {

/// The desktop of `display`, e.g. ":1". Never throws because the display is away: it connects at
/// the first use, and again by itself when the display comes back; until then each call throws
/// Error(unavailable). On destruction what is held down is released and borrowed keycodes are given
/// back.
std::unique_ptr<Desktop> open_desktop(const std::string& display);

}  // namespace selfagent
