#include "net/job_resource.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/wait.h"

namespace selfagent {

namespace {

constexpr size_t most_proposals = 100;
constexpr milliseconds least_interval{500};

// Tells of a job's events, which come with its output and its states.
class JobChanges : public mcp::Watch {
 public:
  JobChanges(Store& store, const std::string& job_id, std::function<void()> changed)
      : changed_(std::move(changed)), thread_([this](const std::stop_token& stop) { work(stop); }) {
    events_ = store.subscribe([this, job_id](const Event& event) {
      if (event.job_id != job_id) return;
      const std::lock_guard lock(mutex_);
      news_ = true;
      heard_.notify_one();
    });
  }

 private:
  void work(const std::stop_token& stop) {
    do {
      std::unique_lock lock(mutex_);
      if (!heard_.wait(lock, stop, [this] { return news_; })) return;
      news_ = false;
      lock.unlock();
      changed_();
    } while (sleep_until(Deadline::after(least_interval), stop));
  }

  const std::function<void()> changed_;
  std::mutex mutex_;  // protects news_
  std::condition_variable_any heard_;
  bool news_ = false;
  std::jthread thread_;
  std::unique_ptr<Store::Subscription> events_;  // ends first
};

std::string describe(const JobStatus& status) {
  const Job& job = status.job;
  std::string text = job.id + " (" + job.kind + "): " + to_string(job.state);
  if (job.exit_code) text += ", exit code " + std::to_string(*job.exit_code);
  if (!job.error.empty()) text += "\nerror: " + job.error;
  if (!job.reply.empty()) text += "\nreply: " + job.reply;
  text += "\nstdout:\n" + status.out;
  if (!status.err.empty()) text += "\nstderr:\n" + status.err;
  return text;
}

}  // namespace

mcp::Resource job_log_resource(const JobRunner& runner, Store& store) {
  mcp::Resource resource;
  resource.uri = "job://{id}/log";
  resource.name = "job_log";
  resource.title = "Log of a job";
  resource.description =
      "The state of a job of POST /schedule or the chat page, its reply or error, and the last 64 "
      "kB of its stdout and stderr, also while it runs. Subscribers are told when there is more, "
      "at "
      "most twice a second.";
  resource.mime = "text/plain";
  resource.read = [&runner](const std::string&, const mcp::Variables& variables,
                            const std::stop_token&) {
    mcp::ResourceContents contents;
    contents.mime = "text/plain";
    contents.text = describe(runner.status(variables.at("id")));
    return contents;
  };
  resource.watch = [&runner, &store](const mcp::Variables& variables,
                                     std::function<void()> changed) {
    const std::string& id = variables.at("id");
    auto watch = std::make_unique<JobChanges>(store, id, std::move(changed));
    runner.status(id);  // throws for an unknown job
    return watch;
  };
  resource.complete["id"] = [&runner](const std::string& typed, const mcp::Variables&) {
    std::vector<std::string> ids;
    for (const Job& job : runner.list(most_proposals)) {
      if (job.id.starts_with(typed)) ids.push_back(job.id);
    }
    return ids;
  };
  return resource;
}

}  // namespace selfagent
