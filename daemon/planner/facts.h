// What must not be forgotten of the part of a conversation that the prompt leaves out, read from
// the events: no model can lose it or make it up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/store.h"

namespace selfagent {

/// Of the events up to `through_seq`: what the user said, word for word; files and what became of
/// them; commands and their exit codes; programs that were started; questions to the user; checks.
/// At most `bytes`, of which the user's words get the most; of each kind the newest stay, and the
/// user's first message. "" if there is nothing to tell. The conditions are not in it: they stand
/// at the end of every prompt (conditions.h).
std::string facts_of(const std::vector<Event>& events, int64_t through_seq, size_t bytes);

}  // namespace selfagent
