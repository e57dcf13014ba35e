// The clock of what expires, given from outside so that tests need not wait.
#pragma once

#include <functional>

#include "base/clock.h"

namespace selfagent {

/// Reads the monotonic clock.
using Now = std::function<Clock::time_point()>;

}  // namespace selfagent
