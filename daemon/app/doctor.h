// `selfagent doctor`: checks what the daemon needs and says what to do about each failure.
#pragma once

#include "app/settings.h"

namespace selfagent {

/// Prints one line per check. The display and the user of a daemon that runs in the data folder win
/// over `settings`. Returns 0 if nothing failed, else 1.
int run_doctor(Settings settings);

}  // namespace selfagent
