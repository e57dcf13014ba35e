// Moves the pointer and presses its buttons.
#pragma once

#include <memory>

#include "desktop/desktop.h"
#include "x11/input.h"

namespace selfagent {

/// `input` must outlive the pointer.
std::unique_ptr<Pointer> make_pointer(const std::string& display, Input& input);

}  // namespace selfagent
