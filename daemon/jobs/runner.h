// The queue of jobs and the threads that run them.
//
// Two lanes: `prompt` and `gui` jobs share the one desktop and run one at a time, in order;
// `shell`, `python` and `typescript` jobs run two at a time beside them. A thread of its own keeps
// the time: it wakes the lanes when a job may start and ends those whose deadline has come. It
// looks at the time of day again and again instead of sleeping until then, because that may jump,
// and because the machine may have slept. The queue is the store's: a job is durable before
// submit() returns, and one that was queued when the daemon died starts at the next start. The
// program of a `shell`, `python` or `typescript` job runs on when the daemon is killed, and the
// next daemon goes on with it. Any other job that was running is interrupted; it is never run again
// by itself, because nobody knows how far it came. What failed by itself may be
// tried again: the job is queued then, in the same workspace, and its log goes on.
//
// A job with a cron expression is a schedule: it stays queued and makes a job at each of its times,
// once for all that passed while the daemon was down, and none while the one before has not ended.
//
// Two folders belong to a job. Its output log is in `data_folder`/jobs/ID, which the daemon alone
// may enter. Its workspace must be writable by the sandbox user, who must not reach the data
// folder, so it lies under the sandbox's own workspace, in .jobs/ID, and everything in it is done
// with that user's rights.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "jobs/archive.h"
#include "jobs/job_json.h"
#include "jobs/job_queue.h"
#include "jobs/job_request.h"
#include "jobs/outcome.h"
#include "jobs/webhooks.h"
#include "planner/planner.h"
#include "process/sandbox.h"
#include "store/store.h"
#include "tool/registry.h"

namespace selfagent {

struct JobSettings {
  std::filesystem::path data_folder;  ///< The daemon's own folder; logs are in jobs/ under it.
  std::filesystem::path workspaces;   ///< "": the folder .jobs of the sandbox's workspace.
  std::filesystem::path
      web_folder;             ///< Its node_modules/.bin/esbuild serves where none is on the PATH.
  size_t most_queued = 1000;  ///< A day of jobs of 90 s; more is a client that went wild.
  size_t code_threads = 2;
  std::function<int64_t()> now = unix_ms;  ///< The time of day; a test has its own.
  /// Why the run of a prompt that a killed daemon has left must not go on by itself, "" if it may;
  /// Planner::obstacle. Empty: none goes on.
  std::function<std::string(const Job&)> obstacle = {};
  /// Which calls of prompts wait for a person; a request may ask for stricter ones.
  ApprovalPolicy approvals = ApprovalPolicy::off;
  /// Called when a run of this conversation, if one goes on, is to take a prompt up. May be empty.
  std::function<void(const std::string& conversation_id)> joined = {};
  WebhookSender send_webhook = post_webhook;
  milliseconds clock_check{1000};  ///< How late a jump of that time may be noticed.
};

struct Submission {
  Job job;
  bool repeated = false;  ///< The job was there: the same request came with the same key before.
};

/// How soon the store is asked again when it could not write.
inline constexpr milliseconds retry_after_failure{1000};

/// Planner::run, or a fake.
using PromptRunner = std::function<RunOutcome(const RunRequest&, const std::stop_token&)>;

/// Thread-safe. Every function may block for the store: not for the network thread. Errors of the
/// store (resource_exhausted) pass through.
class JobRunner {
 public:
  /// Starts the threads, the jobs that the store has queued, and goes on with those that run.
  JobRunner(Store& store, const Registry& registry, Sandbox& sandbox, ProcessTable& processes,
            PromptRunner run_prompt, ContextFactory contexts, JobSettings settings);
  /// shutdown(), then waits for the threads, however long.
  ~JobRunner();
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  /// Puts a job into its lane; the row is durable then. A prompt job always has a conversation in
  /// the result. Throws Error(invalid_argument) for a wrong kind, text, timeout, plan or gui
  /// script, Error(not_found) for an unknown conversation, Error(resource_exhausted) when the queue
  /// is full, Error(conflict) if its idempotency key came with another request, Error(unavailable)
  /// after shutdown().
  Submission submit_once(const JobRequest& request);
  Job submit(const JobRequest& request) { return submit_once(request).job; }

  /// The job with the ends of its output, also while it runs. Throws Error(not_found).
  JobStatus status(const std::string& id) const;

  /// What runs ask for at least; JobSettings.
  ApprovalPolicy approvals() const { return settings_.approvals; }

  /// The newest jobs first.
  std::vector<Job> list(size_t limit) const { return store_.jobs(limit); }

  /// Cancels a queued job at once; stops a running one with its whole process group, and waits up
  /// to 5 s for its end. Returns the job as it is then. Throws Error(not_found), Error(conflict) if
  /// it has finished already.
  Job cancel(const std::string& id);

  /// Deletes a job that has ended, which belongs to no conversation, with its log and workspace.
  /// Throws Error(not_found), Error(conflict) if it is queued or runs.
  void forget(const std::string& id);

  /// Waits until the job has finished. Throws Error(not_found), Error(cancelled) at `stop` or when
  /// the daemon shuts down before the job has started, Error(timeout) at `deadline`; none of these
  /// touches the job.
  Job wait(const std::string& id, const std::stop_token& stop, Deadline deadline);

  /// The ZIP of the job, also of one that runs. Throws Error(not_found) and what make_archive
  /// throws.
  ArchiveFile archive(const std::string& id, const std::stop_token& stop) const;

  /// Refuses new jobs, leaves queued ones in the store, stops running ones, which become
  /// interrupted, and waits for them until `deadline`. Returns true if all have ended; otherwise
  /// the process may exit all the same: the store calls them interrupted at the next start.
  bool shutdown(Deadline deadline);

 private:
  struct Running {
    std::stop_source stop;
    int64_t deadline_ms = 0;
    bool cancelled = false;  // by cancel(), not by shutdown()
    bool late = false;       // stopped at its deadline
  };

  JobQueue& lane_of(const std::string& kind);
  JobQueue* lane_with(const std::string& id);
  std::optional<Job> repeated(const JobPlan& plan) const;
  void choose_conversation(Job& job);
  void check_approvals(const JobRequest& request) const;
  bool full() const;
  void enqueue(const Job& job, const std::string& joins = {});
  void work(JobQueue& lane);
  void keep_time();
  void expire_queued(int64_t now);
  void fire_schedules(int64_t now);
  void fire(Job schedule, int64_t now);
  Job job_of(const Job& schedule, int64_t now);
  std::string reason_to_skip(const Job& schedule) const;
  std::vector<std::stop_source> late_ones(int64_t now);
  std::optional<int64_t> next_change(int64_t now) const;
  int64_t now() const { return settings_.now(); }
  std::optional<Job> run(const std::string& id, const std::stop_token& stop);
  void leave(const std::string& id, const std::optional<Job>& again);
  bool plan_retry(Job& job, const JobOutcome& outcome) const;
  JobOutcome execute(const Job& job, bool goes_on, const std::stop_token& stop);
  JobOutcome execute_code(const Job& job, bool goes_on, const std::stop_token& stop);
  ProcessPtr survivor(const Job& job) const;
  std::vector<Event> take_up(const Job& run);
  bool goes_on(const Job& job) const;
  void note_isolation(const std::string& id, const Isolation& isolation) const;
  bool save(const Job& job);
  void keep_deadline(const Job& job);
  void name_the_stop(Job& job);
  Job end_queued(const std::string& id, JobState state, const std::string& reason);
  Job known(const std::string& id) const;

  std::filesystem::path log_folder(const std::string& id) const;
  std::filesystem::path workspace(const std::string& id) const;

  Store& store_;
  const Registry& registry_;
  Sandbox& sandbox_;
  ProcessTable& processes_;
  const PromptRunner run_prompt_;
  const ContextFactory contexts_;
  const JobSettings settings_;

  mutable std::mutex mutex_;  // protects everything below but the threads
  std::condition_variable_any changed_;
  JobQueue desktop_;
  JobQueue code_;
  JobQueue schedules_;  // do not run, but make jobs
  std::map<std::string, Running> running_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
  Webhooks webhooks_;  // last: its thread asks for the status of jobs
};

}  // namespace selfagent
