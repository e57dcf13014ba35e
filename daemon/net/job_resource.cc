#include "net/job_resource.h"

namespace selfagent {

namespace {

constexpr size_t most_proposals = 100;

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

mcp::Resource job_log_resource(const JobRunner& runner) {
  mcp::Resource resource;
  resource.uri = "job://{id}/log";
  resource.name = "job_log";
  resource.title = "Log of a job";
  resource.description =
      "The state of a job of POST /schedule or the chat page, its reply or error, and the last 64 "
      "kB of its stdout and stderr, also while it runs.";
  resource.mime = "text/plain";
  resource.read = [&runner](const std::string&, const mcp::Variables& variables,
                            const std::stop_token&) {
    mcp::ResourceContents contents;
    contents.mime = "text/plain";
    contents.text = describe(runner.status(variables.at("id")));
    return contents;
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
