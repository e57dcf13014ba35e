// `selfagent doctor`: checks what the daemon needs and says what to do about each failure.
#pragma once

#include "app/settings.h"

namespace selfagent {

/// Prints one line per check. An empty display or sandbox user is that of the daemon that runs in
/// the data folder. Returns 0 if nothing failed, else 1.
int run_doctor(Settings settings);

}  // namespace selfagent
