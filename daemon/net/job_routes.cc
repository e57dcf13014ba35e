#include "net/job_routes.h"

#include "net/approval_routes.h"
#include "net/archive_download.h"
#include "net/job_body.h"

namespace selfagent {

namespace {

// A page of GET /jobs: more would be a long answer that nobody reads.
constexpr size_t listed_jobs = 1000;

// What the run of the job asks, or null.
Json asked_by(const Job& job, const Approvals& approvals) {
  if (job.conversation_id.empty()) return nullptr;
  Json open = open_approval_json(approvals, job.conversation_id);
  return open.is_object() && open.value("job_id", "") == job.id ? open : Json();
}

}  // namespace

void add_job_routes(Router& router, JobRunner& runner, const Approvals& approvals,
                    EventStreams& streams) {
  router.add_blocking("POST", "/schedule", Access::full, [&runner](const HttpRequest& request) {
    const Submission made = runner.submit_once(read_job(request));
    if (!made.repeated) return HttpResponse::json(202, {{"job_id", made.job.id}});
    return HttpResponse::json(200, {{"job_id", made.job.id}, {"repeated", true}});
  });
  router.add_blocking("GET", "/jobs", Access::full, [&runner](const HttpRequest&) {
    Json list = Json::array();
    for (const auto& job : runner.list(listed_jobs)) list.push_back(job_json(job));
    return HttpResponse::json(200, {{"jobs", list}});
  });
  router.add_blocking("GET", "/status/{id}", Access::full,
                      [&runner, &approvals](const HttpRequest& request) {
                        const JobStatus status = runner.status(request.captures.at("id"));
                        Json body = status_json(status);
                        body["approval"] = asked_by(status.job, approvals);
                        return HttpResponse::json(200, body);
                      });
  router.add_blocking(
      "POST", "/cancel/{id}", Access::full,
      [&runner](const HttpRequest& request) {
        const Job job = runner.cancel(request.captures.at("id"));
        return HttpResponse::json(200, {{"job_id", job.id}, {"state", to_string(job.state)}});
      },
      Body::optional_json);
  router.add_streaming("GET", "/download/{id}", Access::ticket,
                       [&runner](const HttpRequest& request, const ResponderPtr& responder) {
                         send_archive(runner.archive(request.captures.at("id"), std::stop_token()),
                                      "application/zip", responder);
                       });
  router.add_streaming(
      "GET", "/jobs/{id}/events", Access::ticket,
      [&runner, &streams](const HttpRequest& request, const ResponderPtr& responder) {
        EventQuery query;
        query.job_id = request.captures.at("id");
        query.after = resume_position(request);
        runner.status(query.job_id);  // throws for an unknown job
        query.last = [](const Event& event) {
          const std::string state = event.data.value("state", "");
          return event.kind == "state" && state != "queued" && state != "running";
        };
        streams.serve(responder, std::move(query));
      });
}

}  // namespace selfagent
