// What JobRunner does for prompts alone: their conversations, and what one run takes over from
// another.
#include "base/error.h"
#include "base/log.h"
#include "base/utf8.h"
#include "jobs/runner.h"

namespace selfagent {

namespace {

constexpr size_t title_characters = 60;

std::string title_of(const std::string& prompt) {
  std::string title;
  size_t count = 0;
  for (const char32_t c : code_points(prompt)) {
    const bool blank = c <= ' ';
    if (blank && (title.empty() || title.back() == ' ')) continue;
    if (count++ == title_characters) break;
    append_utf8(title, blank ? U' ' : c);
  }
  while (!title.empty() && title.back() == ' ') title.pop_back();
  return title;
}

}  // namespace

// A job of a schedule may begin a conversation, the schedule itself does not.
void JobRunner::choose_conversation(Job& job) {
  if (job.kind != "prompt") {
    job.conversation_id = "";
  } else if (!job.conversation_id.empty() && !store_.conversation(job.conversation_id)) {
    throw Error(ErrorCode::not_found, "there is no conversation \"" + job.conversation_id +
                                          "\"; leave conversation_id out to begin one");
  } else if (job.conversation_id.empty() && job.plan.cron.empty()) {
    job.conversation_id = store_.create_conversation(title_of(job.text)).id;
  }
}

// Whoever may start a run may be more careful than the one who started the daemon, not less.
void JobRunner::check_approvals(const JobRequest& request) const {
  if (request.approvals.empty()) return;
  if (approval_policy_named(request.approvals) >= settings_.approvals) return;
  throw Error(ErrorCode::permission_denied,
              "approvals=" + request.approvals + " is less strict than the daemon's setting, " +
                  to_string(settings_.approvals) + ": leave it out, or start the daemon with " +
                  "another --approvals");
}

// Ends the prompts that the run takes up. Under the lock, so that each is queued or ended for
// everyone who asks.
std::vector<Event> JobRunner::take_up(const Job& run) {
  const std::lock_guard guard(mutex_);
  std::vector<Event> messages;
  for (const std::string& id : desktop_.joining(run.conversation_id, now())) {
    Job job = known(id);
    job.state = JobState::succeeded;
    job.started_ms = job.finished_ms = now();
    job.reply =
        "The run " + run.id + " has taken this message up and goes on: its end is the answer.";
    messages.push_back(store_.take_up(job, run.id));
    desktop_.remove(id);
  }
  if (!messages.empty()) {
    webhooks_.wake();
    changed_.notify_all();
  }
  return messages;
}

// Whether a job that an earlier daemon left running can be gone on with.
bool JobRunner::goes_on(const Job& job) const {
  if (job.kind != "prompt") return survivor(job) != nullptr;
  if (!settings_.obstacle) return false;
  const std::string obstacle = settings_.obstacle(job);
  log::info("the run of the job {} {}", job.id,
            obstacle.empty() ? "goes on" : "does not go on by itself: " + obstacle);
  return obstacle.empty();
}

}  // namespace selfagent
