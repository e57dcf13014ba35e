// The model's own summary of what the prompt leaves out: one, merged with the one before.
//
// It is made when text leaves, by a request of its own without tools. Only what code cannot know is
// asked for (facts.h has the rest). A summary that is empty, endless, no shorter than what it
// stands for, or not made at all costs nothing but itself: the facts stand alone then, the older
// summary stays, and nothing of the log is ever deleted. Measurements of others: masking alone
// equals summaries on average and a hybrid is best (docs/decisions/memory.md).
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "llm/client.h"
#include "planner/history.h"
#include "planner/run_log.h"
#include "store/store.h"

namespace selfagent {

/// An event `summary`.
struct Summary {
  std::string text;
  int64_t through_seq = 0;  ///< the newest event that it tells of
};

/// The newest one that tells of nothing behind `through_seq`.
std::optional<Summary> newest_summary(const std::vector<Event>& events, int64_t through_seq);

/// Used by the run's thread alone.
class Summariser {
 public:
  /// Asks the model, and counts what that costs.
  using Ask = std::function<Completion(const CompletionRequest&, const std::stop_token&)>;

  /// `history` must outlive this. `wanted` false: never asks.
  Summariser(RunLog& log, const History& history, Ask ask, bool wanted)
      : log_(log), history_(history), ask_(std::move(ask)), wanted_(wanted) {}

  /// To be called after History::messages(). If more than before is left out since, asks for a
  /// summary, unless the last one is few of the model's `steps` ago. Returns true if there is a new
  /// one. Throws Error(cancelled) after `stop`, and what the store throws.
  bool update(const HistoryLimits& limits, int steps, const std::stop_token& stop);

 private:
  bool summarise(const HistoryLimits& limits, const std::stop_token& stop);
  void refuse(const std::string& why);

  RunLog& log_;
  const History& history_;
  const Ask ask_;
  const bool wanted_;
  int64_t tried_through_ = 0;
  int next_step_ = 0;
};

}  // namespace selfagent
