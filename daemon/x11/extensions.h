// Which X extensions the daemon needs and a server lacks.
#pragma once

#include <string>
#include <vector>

namespace selfagent {

/// The names of missing extensions. Opens a connection of its own; throws Error(unavailable) if
/// `display` does not answer.
std::vector<std::string> missing_extensions(const std::string& display);

}  // namespace selfagent
