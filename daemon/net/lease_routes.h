// GET /lease says who has the mouse and the keyboard; POST /lease/take holds them over several
// actions, POST /lease/release gives them back.
#pragma once

#include "net/router.h"
#include "tool/input_lease.h"

namespace selfagent {

/// `lease` must outlive the router.
void add_lease_routes(Router& router, InputLease& lease);

}  // namespace selfagent
