// Hands tasks to the planner, for tools that clients call.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "base/clock.h"

namespace selfagent {

struct TaskState {
  std::string job_id;
  std::string conversation_id;
  std::string state;    ///< queued, running, succeeded, failed, cancelled or interrupted
  std::string outcome;  ///< of an ended run, e.g. "succeeded_verified"; needs_user: `reply` asks
  std::string reply;
  std::string error;  ///< why it failed, "" if it did not
  std::string doing;  ///< while it runs: the tool that it used last, and what it waits for

  bool over() const { return state != "queued" && state != "running"; }
  bool asks() const { return outcome == "needs_user"; }
};

/// Thread-safe. Every function may block for the store.
class Tasks {
 public:
  virtual ~Tasks() = default;
  /// A new run; in a new conversation if `conversation_id` is "". Throws Error(not_found) for an
  /// unknown one, Error(resource_exhausted) when too many wait.
  virtual TaskState start(const std::string& prompt, const std::string& conversation_id) = 0;
  /// How it stands. Throws Error(not_found) for a job that is none of a prompt.
  virtual TaskState look(const std::string& job_id) = 0;
  /// Returns when it is over, at `deadline`, or at `stop`, which does not end it. Calls `doing`
  /// with what it does now and then, on this thread.
  virtual TaskState wait(const std::string& job_id, Deadline deadline, const std::stop_token& stop,
                         const std::function<void(const std::string& doing)>& doing) = 0;
  /// Stops it, if it is not over.
  virtual TaskState cancel(const std::string& job_id) = 0;
};

}  // namespace selfagent
