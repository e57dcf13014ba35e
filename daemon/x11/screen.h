// Looks at the screen: pictures by MIT-SHM, the pointer's image by XFixes, changes by XDamage.
#pragma once

#include <memory>
#include <string>

#include "desktop/desktop.h"

namespace selfagent {

/// Two connections and more: one for pictures, one for each watch that is in use at the same time
/// (they are kept).
std::unique_ptr<Screen> make_screen(const std::string& display);

}  // namespace selfagent
