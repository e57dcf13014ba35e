#include "jobs/job_tasks.h"

#include <mutex>

#include "base/error.h"
#include "store/each_event.h"

namespace selfagent {

namespace {

constexpr size_t run_events_at_once = 200;
constexpr std::chrono::seconds between_reports{1};

std::string how_it_ended(const Store& store, const Job& job) {
  std::string outcome;
  each_event(store, job.conversation_id, job.id, run_events_at_once, [&](const Event& event) {
    if (event.kind == "run_finished") outcome = event.data.value("outcome", "");
  });
  return outcome;
}

/// What a run does, as its events tell.
class Doing {
 public:
  void hear(const Event& event) {
    const std::lock_guard lock(mutex_);
    if (event.kind == "action_intent") text_ = event.data.value("tool", "");
    if (event.kind == "approval_request") {
      text_ = "waits for a person's approval of " + event.data.value("tool", "");
    }
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_ = "waits for its turn, or for the model";
};

}  // namespace

TaskState JobTasks::state_of(const Job& job) const {
  TaskState state{job.id, job.conversation_id, to_string(job.state), "", job.reply, job.error, ""};
  if (state.over()) state.outcome = how_it_ended(store_, job);
  return state;
}

TaskState JobTasks::start(const std::string& prompt, const std::string& conversation_id) {
  JobRequest request;
  request.kind = "prompt";
  request.text = prompt;
  request.conversation_id = conversation_id;
  return state_of(runner_.submit(request));
}

TaskState JobTasks::look(const std::string& job_id) {
  const Job job = runner_.status(job_id).job;
  if (job.kind == "prompt") return state_of(job);
  throw Error(ErrorCode::not_found,
              "\"" + job_id + "\" is a job of kind " + job.kind + ": GET /status/ID tells of it");
}

TaskState JobTasks::wait(const std::string& job_id, Deadline deadline, const std::stop_token& stop,
                         const std::function<void(const std::string& doing)>& doing) {
  Doing now;
  const auto events = store_.subscribe([&now, &job_id](const Event& event) {
    if (event.job_id == job_id) now.hear(event);
  });
  TaskState state = look(job_id);
  while (!state.over() && !deadline.passed() && !stop.stop_requested()) {
    try {
      runner_.wait(job_id, stop, deadline.sooner(Deadline::after(between_reports)));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::timeout && error.code() != ErrorCode::cancelled) throw;
    }
    state = look(job_id);
    if (!state.over()) doing(now.text());
  }
  state.doing = now.text();
  return state;
}

TaskState JobTasks::cancel(const std::string& job_id) {
  try {
    return state_of(runner_.cancel(job_id));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::conflict) throw;  // it is over
    return look(job_id);
  }
}

}  // namespace selfagent
