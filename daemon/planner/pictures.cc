#include "planner/pictures.h"

#include <algorithm>
#include <string>

namespace selfagent {

namespace {

constexpr int room_for_first = 3;

}  // namespace

void mark_first_picture(std::vector<Turn>& turns, const HistoryLimits& limits) {
  if (limits.keep_pictures < room_for_first) return;
  const auto task =
      std::find_if(turns.rbegin(), turns.rend(), [](const Turn& turn) { return turn.begins_task; });
  if (task == turns.rend()) return;
  const auto begin = task.base() - 1;
  Part* shown = nullptr;  // the newest that is not the same as the one before it
  for (auto turn = turns.begin(); turn != turns.end(); ++turn) {
    for (Part& part : turn->parts) {
      if (part.sha256.empty()) continue;
      if (shown == nullptr || shown->sha256 != part.sha256) shown = &part;
      if (turn < begin) continue;
      shown->kept = true;
      return;
    }
  }
}

void choose_pictures(std::vector<Turn>& turns, const HistoryLimits& limits) {
  int pictures = 0;
  std::string previous;
  for (auto& turn : turns) {
    for (auto& part : turn.parts) {
      if (part.sha256.empty()) continue;
      if (part.sha256 == previous) {
        part = {"[" + part.text + ": exactly the same as the picture before]", "", ""};
      } else {
        previous = part.sha256;
        ++pictures;
      }
    }
  }
  const int step = std::max(1, limits.picture_step);
  int leave = std::max(0, pictures - limits.keep_pictures - pictures % step);
  for (auto& turn : turns) {
    for (auto& part : turn.parts) {
      if (part.sha256.empty()) continue;
      part.hidden = !limits.pictures || (leave > 0 && !part.kept);
      if (part.hidden) --leave;
    }
  }
}

}  // namespace selfagent
