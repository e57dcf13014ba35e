// The conversations as a whole: list, search, rename, delete, fork, rewind, export.
#pragma once

#include <filesystem>
#include <string>

#include "net/router.h"
#include "planner/approvals.h"
#include "store/store.h"

namespace selfagent {

/// Exports are made in `temporary`, and name `version` as that of the agent.
void add_conversation_routes(Router& router, Store& store, const Approvals& approvals,
                             const std::filesystem::path& temporary, const std::string& version);

}  // namespace selfagent
