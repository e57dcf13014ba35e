// Lists and controls top-level windows.
#pragma once

#include <memory>
#include <string>

#include "desktop/desktop.h"

namespace selfagent {

std::unique_ptr<Windows> make_windows(const std::string& display);

}  // namespace selfagent
