// Tasks for the planner, as jobs of kind prompt.
#pragma once

#include "jobs/runner.h"
#include "tool/tasks.h"

namespace selfagent {

/// Thread-safe.
class JobTasks : public Tasks {
 public:
  JobTasks(JobRunner& runner, Store& store) : runner_(runner), store_(store) {}

  TaskState start(const std::string& prompt, const std::string& conversation_id) override;
  TaskState look(const std::string& job_id) override;
  TaskState wait(const std::string& job_id, Deadline deadline, const std::stop_token& stop,
                 const std::function<void(const std::string& doing)>& doing) override;
  TaskState cancel(const std::string& job_id) override;

 private:
  TaskState state_of(const Job& job) const;

  JobRunner& runner_;
  Store& store_;
};

}  // namespace selfagent
