// Reads and owns the clipboard.
#pragma once

#include <memory>
#include <string>

#include "desktop/desktop.h"

namespace selfagent {

std::unique_ptr<Clipboard> make_clipboard(const std::string& display);

}  // namespace selfagent
