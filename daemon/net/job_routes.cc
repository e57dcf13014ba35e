#include "net/job_routes.h"

#include <unistd.h>

#include "net/body.h"

namespace selfagent {

namespace {

// The older word that clients of similar services expect.
const char* older_word(JobState state) {
  switch (state) {
    case JobState::queued:
      return "queued";
    case JobState::running:
      return "running";
    case JobState::succeeded:
      return "complete";
    default:
      return "failed";
  }
}

Json time_or_null(int64_t ms) { return ms == 0 ? Json() : Json(ms); }

Json describe(const Job& job) {
  return {{"job_id", job.id},
          {"kind", job.kind},
          {"state", to_string(job.state)},
          {"status", older_word(job.state)},
          {"conversation_id", job.conversation_id.empty() ? Json() : Json(job.conversation_id)},
          {"created_ms", job.created_ms},
          {"started_ms", time_or_null(job.started_ms)},
          {"finished_ms", time_or_null(job.finished_ms)},
          {"exit_code", job.exit_code ? Json(*job.exit_code) : Json()},
          {"reply", job.reply},
          {"error", job.error},
          {"result", "/download/" + job.id}};
}

Job find(Store& store, const std::string& id) {
  auto job = store.job(id);
  if (!job) {
    throw Error(ErrorCode::not_found, "there is no job \"" + id + "\": GET /jobs lists them");
  }
  return *job;
}

JobRequest read_job(const HttpRequest& request) {
  const Json body =
      body_object(request, {"prompt", "task", "kind", "code", "conversation_id", "timeout_s"});
  JobRequest job;
  const std::string prompt = text_member(body, "prompt", false);
  const std::string task = text_member(body, "task", false);
  job.kind = text_member(body, "kind", false);
  job.conversation_id = text_member(body, "conversation_id", false);
  if (body.contains("timeout_s")) {
    if (!body["timeout_s"].is_number_integer() || body["timeout_s"] < 1 ||
        body["timeout_s"] > 604800) {
      throw Error(ErrorCode::invalid_argument,
                  "\"timeout_s\" must be a whole number of seconds from 1 to 604800, got " +
                      dump_json(body["timeout_s"]));
    }
    job.timeout_s = body["timeout_s"].get<int>();
  }
  if (!prompt.empty() || !task.empty()) {
    if (!job.kind.empty() && job.kind != "prompt") {
      throw Error(ErrorCode::invalid_argument,
                  "give either \"prompt\" or \"kind\" with \"code\", not both");
    }
    job.kind = "prompt";
    job.text = prompt.empty() ? task : prompt;
    return job;
  }
  if (job.kind.empty()) {
    throw Error(ErrorCode::invalid_argument,
                "the body needs \"prompt\" (or \"task\"), or \"kind\" (shell, python, typescript, "
                "gui) and \"code\"");
  }
  job.text = text_member(body, job.kind == "prompt" ? "prompt" : "code", true);
  return job;
}

// Sends a file in pieces, never more than 1 MiB ahead of the client.
class FileSender : public std::enable_shared_from_this<FileSender> {
 public:
  FileSender(ArchiveFile file, std::shared_ptr<Stream> stream)
      : file_(std::move(file)), stream_(std::move(stream)) {}

  void next() {
    std::string piece(256 * 1024, '\0');
    const ssize_t got = ::read(file_.fd.get(), piece.data(), piece.size());
    if (got <= 0) return stream_->end();
    piece.resize(static_cast<size_t>(got));
    stream_->write(std::move(piece));
    stream_->when_drained([self = shared_from_this()] { self->next(); });
  }

 private:
  ArchiveFile file_;
  std::shared_ptr<Stream> stream_;
};

}  // namespace

void add_job_routes(Router& router, Store& store, JobRunner& runner, EventStreams& streams) {
  router.add_blocking("POST", "/schedule", Access::token, [&runner](const HttpRequest& request) {
    return HttpResponse::json(202, {{"job_id", runner.submit(read_job(request))}});
  });
  router.add_blocking("GET", "/jobs", Access::token, [&store](const HttpRequest&) {
    Json list = Json::array();
    for (const auto& job : store.jobs(1000)) list.push_back(describe(job));
    return HttpResponse::json(200, {{"jobs", list}});
  });
  router.add_blocking("GET", "/status/{id}", Access::token,
                      [&store, &runner](const HttpRequest& request) {
                        const Job job = find(store, request.captures.at("id"));
                        Json body = describe(job);
                        const JobOutput output = runner.output(job.id);
                        body["stdout"] = output.out;
                        body["stderr"] = output.err;
                        return HttpResponse::json(200, body);
                      });
  router.add_blocking("POST", "/cancel/{id}", Access::token,
                      [&store, &runner](const HttpRequest& request) {
                        const std::string id = request.captures.at("id");
                        runner.cancel(id);
                        return HttpResponse::json(
                            200, {{"job_id", id}, {"state", to_string(find(store, id).state)}});
                      });
  router.add_streaming(
      "GET", "/download/{id}", Access::token,
      [&store, &runner](const HttpRequest& request, const ResponderPtr& responder) {
        const Job job = find(store, request.captures.at("id"));
        auto stream = responder->stream(
            200, {{"Content-Type", "application/zip"},
                  {"Content-Disposition", "attachment; filename=\"" + job.id + ".zip\""}});
        std::make_shared<FileSender>(runner.archive(job.id), stream)->next();
      });
  router.add_streaming(
      "GET", "/jobs/{id}/events", Access::token,
      [&store, &streams](const HttpRequest& request, const ResponderPtr& responder) {
        EventQuery query;
        query.job_id = request.captures.at("id");
        query.after = resume_position(request);
        find(store, query.job_id);
        query.last = [](const Event& event) {
          if (event.kind != "state") return false;
          const std::string state = event.data.value("state", "");
          return state != "queued" && state != "running";
        };
        streams.serve(responder, std::move(query));
      });
}

}  // namespace selfagent
