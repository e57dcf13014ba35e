// Notices that windows come, go, move, become active or get another title, by events alone.
#pragma once

#include <memory>
#include <string>

#include "desktop/desktop.h"

namespace selfagent {

/// A watch with a connection of its own, so that it shares its events with nobody. Throws
/// Error(unavailable).
std::unique_ptr<WindowWatch> watch_windows_of(const std::string& display);

}  // namespace selfagent
