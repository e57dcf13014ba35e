// Which pictures of a conversation the model sees: the newest, and the one that the task began
// with.
#pragma once

#include <vector>

#include "planner/history.h"
#include "planner/turns.h"

namespace selfagent {

/// Marks the first picture of the newest task, which shows what there was before anything was done
/// (OS-Symphony keeps it, too), unless so few are shown that the newest need the place.
void mark_first_picture(std::vector<Turn>& turns, const HistoryLimits& limits);

/// Hides what leaves: of n pictures as many as `limits` say stay, picture_step leave at a time.
/// A picture that equals the one before it is said in words.
void choose_pictures(std::vector<Turn>& turns, const HistoryLimits& limits);

}  // namespace selfagent
