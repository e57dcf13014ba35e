// What the kinds of jobs have in common: where one runs and how it ends.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "jobs/output_log.h"
#include "process/sandbox.h"
#include "store/store.h"

namespace selfagent {

/// How a job ended. `error` is a sentence for the user, "" when it succeeded.
struct JobOutcome {
  JobState state = JobState::failed;
  std::optional<int> exit_code;
  std::string reply;
  std::string error;

  static JobOutcome failed(std::string error) {
    return {JobState::failed, std::nullopt, "", std::move(error)};
  }
};

/// The surroundings of one running code or gui job; used on its thread.
struct JobRun {
  const Job& job;
  Sandbox& sandbox;
  std::filesystem::path workspace;  ///< Belongs to the sandbox user.
  OutputLog& log;
  Deadline deadline;
  std::stop_token stop;
};

/// "the job was stopped at its limit, timeout_s=5".
std::string timeout_sentence(const Job& job);

}  // namespace selfagent
