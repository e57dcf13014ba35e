#include "jobs/runner.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "base/utf8.h"
#include "jobs/code_job.h"
#include "jobs/cron.h"
#include "jobs/gui_job.h"
#include "jobs/job_process.h"
#include "jobs/recording.h"
#include "jobs/replay_job.h"
#include "planner/chat_command.h"
#include "process/leftovers.h"

namespace selfagent {

namespace {

constexpr size_t status_bytes = 64 << 10;       // of each stream
constexpr std::chrono::seconds cancel_wait{5};  // the process group has 2 s between TERM and KILL

constexpr const char* isolation_file = "isolation.json";
constexpr const char* cancelled_early = "cancelled before it started";
constexpr const char* shutdown_reason = "the daemon was shut down while the job ran";

}  // namespace

JobRunner::JobRunner(Store& store, const Registry& registry, Sandbox& sandbox,
                     ProcessTable& processes, PromptRunner run_prompt, ContextFactory contexts,
                     JobSettings settings)
    : store_(store),
      registry_(registry),
      sandbox_(sandbox),
      processes_(processes),
      run_prompt_(std::move(run_prompt)),
      contexts_(std::move(contexts)),
      settings_(std::move(settings)),
      webhooks_({store_, [this](const std::string& id) { return status(id); },
                 settings_.send_webhook, settings_.now, settings_.clock_check}) {
  store_.interrupt_jobs([this](const Job& job) { return goes_on(job); });
  webhooks_.wake();  // it may have looked before
  // What else a daemon that was killed could not end: nobody waits for it any more.
  kill_marked_processes(job_mark, [this](const std::string& id) {
    const auto job = store_.job(id);
    return job && job->state != JobState::running;
  });
  for (const JobState state : {JobState::running, JobState::queued}) {
    for (const auto& job : store_.jobs_in(state)) enqueue(job);
  }
  threads_.emplace_back([this] { keep_time(); });
  threads_.emplace_back([this] { work(desktop_); });
  for (size_t i = 0; i < settings_.code_threads; ++i) {
    threads_.emplace_back([this] { work(code_); });
  }
}

JobRunner::~JobRunner() {
  shutdown(Deadline::never());
  for (auto& thread : threads_) thread.join();
}

JobQueue& JobRunner::lane_of(const std::string& kind) { return is_code(kind) ? code_ : desktop_; }

JobQueue* JobRunner::lane_with(const std::string& id) {
  for (JobQueue* lane : {&desktop_, &code_, &schedules_}) {
    if (lane->contains(id)) return lane;
  }
  return nullptr;
}

// REQUIRES: mutex_ is held, or the threads do not run yet.
void JobRunner::enqueue(const Job& job, const std::string& joins) {
  QueuedJob queued{job.id, job.plan.priority, job.plan.not_before_ms, job.plan.deadline_ms, joins};
  // Its program runs already; nothing may come before it, and its deadline must not find it here.
  if (job.state == JobState::running) {
    queued = {job.id, std::numeric_limits<int>::max(), 0, 0, ""};
  }
  (job.plan.cron.empty() ? lane_of(job.kind) : schedules_).add(std::move(queued));
}

Job JobRunner::known(const std::string& id) const {
  const auto job = store_.job(id);
  if (!job) {
    throw Error(ErrorCode::not_found, "there is no job \"" + id + "\"; GET /jobs lists them");
  }
  return *job;
}

std::filesystem::path JobRunner::log_folder(const std::string& id) const {
  return settings_.data_folder / "jobs" / id;
}

std::filesystem::path JobRunner::workspace(const std::string& id) const {
  const bool given = !settings_.workspaces.empty();
  return (given ? settings_.workspaces : sandbox_.workspace() / ".jobs") / id;
}

Submission JobRunner::submit_once(const JobRequest& request) {
  check_request(request);
  check_approvals(request);
  if (request.kind == "gui") parse_gui_script(request.text, registry_);
  if (request.kind == "replay") read_recording(store_, request.text, registry_);
  Job job;
  job.id = "j-" + random_hex(8);
  job.kind = request.kind;
  job.text = to_utf8(request.text);
  job.timeout_s = request.timeout_s;
  job.network = request.network;
  job.approvals = request.approvals;
  job.plan = request.plan;
  job.created_ms = now();
  const std::lock_guard guard(mutex_);
  if (closing_) throw Error(ErrorCode::unavailable, "the daemon is shutting down");
  if (auto known = repeated(request.plan)) return {std::move(*known), true};
  check_plan(job.plan, job.created_ms);
  if (!job.plan.cron.empty()) {
    const auto first =
        Cron(job.plan.cron).next(std::max(job.created_ms, job.plan.not_before_ms - 1));
    if (!first) {
      throw Error(ErrorCode::invalid_argument, "cron: \"" + job.plan.cron + "\" never comes");
    }
    job.plan.not_before_ms = *first;
  }
  if (full()) {
    throw Error(ErrorCode::resource_exhausted,
                std::to_string(settings_.most_queued) +
                    " jobs are queued, which is the limit: wait or cancel some (GET /jobs)");
  }
  job.conversation_id = request.conversation_id;
  choose_conversation(job);
  // Under the lock, so that jobs start in the order of their rows.
  store_.insert_job(job);
  // A run that goes on keeps the approvals with which it was begun.
  const bool joins = request.joins_run && job.kind == "prompt" && !is_chat_command(job.text) &&
                     job.approvals.empty();
  enqueue(job, joins ? job.conversation_id : "");
  if (joins && settings_.joined) settings_.joined(job.conversation_id);
  changed_.notify_all();
  return {std::move(job)};
}

// REQUIRES: mutex_ is held.
bool JobRunner::full() const {
  return desktop_.size() + code_.size() + schedules_.size() >= settings_.most_queued;
}

// The job that came with the same key. Under the lock, so that of two such requests one wins.
std::optional<Job> JobRunner::repeated(const JobPlan& plan) const {
  if (plan.idempotency_key.empty()) return std::nullopt;
  auto known = store_.job_with_key(plan.idempotency_key);
  if (known && known->plan.request_sha256 != plan.request_sha256) {
    throw Error(ErrorCode::conflict,
                "the idempotency key \"" + plan.idempotency_key + "\" belongs to the job " +
                    known->id + ", which came with another body: take a new key for a new job");
  }
  return known;
}

JobStatus JobRunner::status(const std::string& id) const {
  JobStatus status{known(id), "", "", nullptr};
  status.webhook = store_.webhook(id);
  status.out = log_tail(log_folder(id) / "stdout", status_bytes);
  status.err = log_tail(log_folder(id) / "stderr", status_bytes);
  std::ifstream file(log_folder(id) / isolation_file);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!text.empty()) status.isolation = parse_json(text);
  return status;
}

ArchiveFile JobRunner::archive(const std::string& id, const std::stop_token& stop) const {
  const Job job = known(id);
  return make_archive({store_, sandbox_, workspace(id), log_folder(id), settings_.data_folder}, job,
                      stop);
}

Job JobRunner::cancel(const std::string& id) {
  std::unique_lock lock(mutex_);
  if (lane_with(id) != nullptr && !closing_) {
    return end_queued(id, JobState::cancelled, cancelled_early);
  }
  const auto running = running_.find(id);
  if (running != running_.end()) {
    running->second.cancelled = true;
    std::stop_source stop = running->second.stop;
    lock.unlock();
    stop.request_stop();
    lock.lock();
    changed_.wait_for(lock, cancel_wait, [&] { return !running_.contains(id); });
    return known(id);
  }
  const Job job = known(id);
  throw Error(ErrorCode::conflict,
              "the job " + id + " cannot be cancelled any more: it is " + to_string(job.state));
}

// REQUIRES: mutex_ is held.
Job JobRunner::end_queued(const std::string& id, JobState state, const std::string& reason) {
  Job job = known(id);
  job.state = state;
  job.finished_ms = now();
  job.error = reason;
  if (!job.conversation_id.empty() && job.plan.cron.empty()) {
    // The planner never saw it, so its conversation would not know of it.
    store_.append(job.conversation_id, id, "user_message", {{"text", job.text}});
    store_.append(job.conversation_id, id, "run_finished",
                  {{"state", to_string(state)},
                   {"reason", job.error},
                   {"reply", ""},
                   {"steps", 0},
                   {"elapsed_ms", 0}});
  }
  store_.update_job(job);
  webhooks_.wake();
  if (JobQueue* lane = lane_with(id)) lane->remove(id);
  changed_.notify_all();
  return job;
}

Job JobRunner::wait(const std::string& id, const std::stop_token& stop, Deadline deadline) {
  known(id);
  std::unique_lock lock(mutex_);
  const auto pending = [&] { return running_.contains(id) || lane_with(id) != nullptr; };
  const auto over = [&] { return !pending() || (closing_ && !running_.contains(id)); };
  const bool ended = changed_.wait_until(lock, stop, deadline.at(), over);
  if (!ended && stop.stop_requested()) {
    throw Error(ErrorCode::cancelled, "stopped waiting for the job " + id + "; it goes on");
  }
  if (!ended) {
    throw Error(ErrorCode::timeout,
                "the job " + id + " has not finished yet; it goes on, see GET /status/" + id);
  }
  if (pending()) {
    throw Error(ErrorCode::cancelled,
                "the daemon shuts down; the job " + id + " is queued and starts with it again");
  }
  return known(id);
}

bool JobRunner::shutdown(Deadline deadline) {
  std::vector<std::stop_source> stops;
  {
    const std::lock_guard guard(mutex_);
    closing_ = true;
    webhooks_.stop();
    for (const auto& [id, running] : running_) stops.push_back(running.stop);
  }
  changed_.notify_all();
  for (auto& stop : stops) stop.request_stop();
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline.at(), [&] { return running_.empty(); });
}

void JobRunner::work(JobQueue& lane) {
  std::unique_lock lock(mutex_);
  while (true) {
    std::optional<QueuedJob> next;
    changed_.wait(lock, [&] { return closing_ || (next = lane.take(now())).has_value(); });
    if (!next) return;
    const std::string id = next->id;
    const std::stop_token stop = running_[id].stop.get_token();
    lock.unlock();
    std::optional<Job> again;
    try {
      again = run(id, stop);
    } catch (const std::exception& error) {
      log::error("the job {} was given up: {}", id, error.what());
    }
    lock.lock();
    leave(id, again);
    changed_.notify_all();
  }
}

// Ends a run; in one step, so that a job that is tried again is always found. REQUIRES: mutex_ is
// held.
void JobRunner::leave(const std::string& id, const std::optional<Job>& again) {
  const bool cancelled = running_.at(id).cancelled;
  running_.erase(id);
  if (!again) return;
  enqueue(*again);
  if (!cancelled) return;
  try {
    end_queued(id, JobState::cancelled, cancelled_early);
  } catch (const std::exception& error) {
    log::error("the job {} is not cancelled: {}", id, error.what());
  }
}

// Runs a job to its end. Returns it if it is queued again.
std::optional<Job> JobRunner::run(const std::string& id, const std::stop_token& stop) {
  Job job = known(id);
  keep_deadline(job);
  const bool goes_on = job.state == JobState::running;
  if (!goes_on) {
    // The program of an earlier attempt is not this one's.
    if (job.attempt > 0) forget_kept(processes_, log_folder(id));
    job.state = JobState::running;
    job.started_ms = now();
    ++job.attempt;
    if (!save(job)) return std::nullopt;
  }
  const JobOutcome outcome = execute(job, goes_on, stop);
  job.finished_ms = now();
  job.state = outcome.state;
  job.exit_code = outcome.exit_code;
  job.reply = outcome.reply;
  job.error = outcome.error;
  if (job.state != JobState::succeeded && stop.stop_requested()) name_the_stop(job);
  const bool again = !stop.stop_requested() && plan_retry(job, outcome);
  if (!save(job)) return std::nullopt;
  webhooks_.wake();
  forget_kept(processes_, log_folder(id));
  return again ? std::optional(job) : std::nullopt;
}

// Queues the job again, if that is to be done.
bool JobRunner::plan_retry(Job& job, const JobOutcome& outcome) const {
  const JobPlan& plan = job.plan;
  if (job.state != JobState::failed || job.attempt > plan.retries) return false;
  if (outcome.timed_out && !plan.retry_timeouts) return false;
  int64_t delay_s = plan.retry_delay_s;
  for (int n = 1; n < job.attempt; ++n)
    delay_s = std::min<int64_t>(delay_s * 2, longest_retry_delay_s);
  const int64_t next = now() + delay_s * 1000;
  if (plan.deadline_ms != 0 && next >= plan.deadline_ms) return false;
  job.state = JobState::queued;
  job.plan.not_before_ms = next;
  job.finished_ms = 0;
  return true;
}

void JobRunner::keep_deadline(const Job& job) {
  if (job.plan.deadline_ms == 0) return;
  const std::lock_guard guard(mutex_);
  running_.at(job.id).deadline_ms = job.plan.deadline_ms;
  changed_.notify_all();
}

// Sets the state and reason of a job that did not end by itself.
void JobRunner::name_the_stop(Job& job) {
  const std::lock_guard guard(mutex_);
  const Running& running = running_.at(job.id);
  if (running.cancelled) {
    job.state = JobState::cancelled;
  } else if (running.late) {
    job.state = JobState::failed;
    job.error = "the job was stopped at its deadline, " + iso_time(job.plan.deadline_ms);
  } else {
    job.state = JobState::interrupted;
    job.error = shutdown_reason;
  }
}

// Writes the row; tries again while the disk is full, until the daemon shuts down. Returns whether
// it is written.
bool JobRunner::save(const Job& job) {
  while (true) {
    try {
      store_.update_job(job);
      return true;
    } catch (const Error& error) {
      log::error("the state of the job {} is not stored yet: {}", job.id, error.what());
    }
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, retry_after_failure, [this] { return closing_; })) return false;
  }
}

JobOutcome JobRunner::execute(const Job& job, bool goes_on, const std::stop_token& stop) {
  try {
    if (job.kind != "prompt") return execute_code(job, goes_on, stop);
    RunOutcome run = run_prompt_(
        {job.conversation_id, job.id, job.text, std::chrono::seconds(job.timeout_s),
         [this, id = job.id] {
           const std::lock_guard guard(mutex_);
           const Running& running = running_.at(id);
           return !running.cancelled && !running.late;
         },
         goes_on, [this, &job] { return take_up(job); },
         job.approvals.empty() ? settings_.approvals : approval_policy_named(job.approvals)},
        stop);
    return {run.state, std::nullopt, std::move(run.reply), std::move(run.reason)};
  } catch (const std::exception& error) {
    return JobOutcome::failed(error.what());
  }
}

void JobRunner::note_isolation(const std::string& id, const Isolation& isolation) const {
  const auto path = log_folder(id) / isolation_file;
  std::ofstream file(path);
  file << dump_json(to_json(isolation));
  if (!file.flush()) log::warn("cannot write {}", path.string());
}

// The program with which an earlier daemon left the job.
ProcessPtr JobRunner::survivor(const Job& job) const {
  if (!is_code(job.kind)) return nullptr;
  return kept_program(processes_, log_folder(job.id));
}

JobOutcome JobRunner::execute_code(const Job& job, bool goes_on, const std::stop_token& stop) {
  const ProcessPtr program = goes_on ? survivor(job) : nullptr;
  OutputLog log(store_, job.id, log_folder(job.id),
                program || job.attempt > 1 ? OutputLog::Start::resume : OutputLog::Start::empty);
  const int seconds = job.timeout_s > 0 ? job.timeout_s : most_timeout_s;
  const milliseconds left(job.started_ms + int64_t{1000} * seconds - now());
  const JobRun run{job,
                   sandbox_,
                   processes_,
                   workspace(job.id),
                   log_folder(job.id),
                   log,
                   Deadline::after(std::max(left, milliseconds(0))),
                   stop,
                   [&](const Isolation& isolation) { note_isolation(job.id, isolation); }};
  JobOutcome outcome = job.kind == "gui"      ? run_gui_job(run, store_, registry_, contexts_)
                       : job.kind == "replay" ? run_replay_job(run, store_, registry_, contexts_)
                       : program              ? resume_code_job(run, program)
                                              : run_code_job(run, settings_.web_folder);
  log.close();
  const std::string problem = log.problem();
  if (!problem.empty()) outcome.error += (outcome.error.empty() ? "" : "; ") + problem;
  return outcome;
}

}  // namespace selfagent
