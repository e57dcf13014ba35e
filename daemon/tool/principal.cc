#include "tool/principal.h"

namespace selfagent {

bool Principal::allows(const Tool&) const { return profile == Profile::full; }

}  // namespace selfagent
