// What JobRunner does when a time comes: deadlines and schedules.
#include <algorithm>
#include <limits>

#include "base/log.h"
#include "base/random.h"
#include "jobs/cron.h"
#include "jobs/runner.h"

namespace selfagent {

void JobRunner::keep_time() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    const int64_t time = now();
    milliseconds longest = std::chrono::hours(24);
    try {
      expire_queued(time);
      fire_schedules(time);
    } catch (const std::exception& error) {
      log::error("what is due is not stored yet: {}", error.what());
      longest = retry_after_failure;
    }
    if (desktop_.ready(time) || code_.ready(time)) changed_.notify_all();
    if (auto late = late_ones(time); !late.empty()) {
      lock.unlock();
      for (auto& stop : late) stop.request_stop();
      lock.lock();
      continue;
    }
    if (const auto next = next_change(time)) {
      longest = std::min({longest, settings_.clock_check, milliseconds(*next - time)});
    }
    changed_.wait_for(lock, longest);
  }
}

// REQUIRES: mutex_ is held.
void JobRunner::expire_queued(int64_t now) {
  for (const JobQueue* lane : {&desktop_, &code_}) {
    for (const std::string& id : lane->expired(now)) {
      end_queued(id, JobState::failed, "expired: the job did not start before its deadline");
    }
  }
}

// The jobs that run beyond their deadline and are not being stopped. REQUIRES: mutex_ is held.
std::vector<std::stop_source> JobRunner::late_ones(int64_t now) {
  std::vector<std::stop_source> stops;
  for (auto& [id, running] : running_) {
    if (running.deadline_ms == 0 || running.deadline_ms > now) continue;
    if (running.cancelled || running.late) continue;
    running.late = true;
    stops.push_back(running.stop);
  }
  return stops;
}

// The next time at which keep_time() has something to do. REQUIRES: mutex_ is held.
std::optional<int64_t> JobRunner::next_change(int64_t now) const {
  auto next = sooner(sooner(desktop_.next_change(now), code_.next_change(now)),
                     schedules_.next_change(now));
  for (const auto& [id, running] : running_) {
    if (running.deadline_ms > now) next = sooner(next, running.deadline_ms);
  }
  return next;
}

// REQUIRES: mutex_ is held.
void JobRunner::fire_schedules(int64_t now) {
  while (const auto due = schedules_.take(now)) {
    try {
      fire(known(due->id), now);
    } catch (const std::exception&) {
      schedules_.add(*due);
      throw;
    }
  }
}

// Makes the job of a schedule whose time has come. What else was missed is left out, because the
// next time is counted from now. REQUIRES: mutex_ is held.
void JobRunner::fire(Job schedule, int64_t now) {
  const int64_t due = schedule.plan.not_before_ms;
  schedule.plan.not_before_ms =
      Cron(schedule.plan.cron).next(now).value_or(std::numeric_limits<int64_t>::max());
  const std::string reason = reason_to_skip(schedule);
  if (reason.empty()) {
    const Job job = job_of(schedule, now);
    store_.fire_schedule(schedule, job, due);
    enqueue(job);
  } else {
    store_.update_job(schedule);
    log::warn("the schedule {} made no job: {}", schedule.id, reason);
  }
  enqueue(schedule);
  if (!reason.empty()) {
    store_.append("", schedule.id, "skipped", {{"due_ms", due}, {"reason", reason}});
  }
}

Job JobRunner::job_of(const Job& schedule, int64_t now) {
  Job job;
  job.id = "j-" + random_hex(8);
  job.kind = schedule.kind;
  job.text = schedule.text;
  job.timeout_s = schedule.timeout_s;
  job.network = schedule.network;
  job.created_ms = now;
  job.schedule_id = schedule.id;
  job.approvals = schedule.approvals;
  job.conversation_id = schedule.conversation_id;
  job.plan = schedule.plan;
  job.plan.cron = "";
  job.plan.not_before_ms = 0;
  job.plan.idempotency_key = "";
  job.plan.request_sha256 = "";
  choose_conversation(job);
  return job;
}

// REQUIRES: mutex_ is held.
std::string JobRunner::reason_to_skip(const Job& schedule) const {
  // The schedule itself is not counted: it is taken out while it fires.
  if (full()) return std::to_string(settings_.most_queued) + " jobs are queued";
  const auto before = store_.unfinished_of(schedule.id);
  return before ? "the job before, " + before->id + ", has not ended" : "";
}

}  // namespace selfagent
