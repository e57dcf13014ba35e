#include "jobs/job_json.h"

#include "base/utf8.h"

namespace selfagent {

namespace {

// The word of the older interface, which knows four.
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

Json webhook_json(const JobStatus& status) {
  const JobPlan& plan = status.job.plan;
  if (plan.webhook_url.empty()) return nullptr;
  const WebhookDelivery delivery = status.webhook.value_or(WebhookDelivery());
  const bool pending = !status.webhook || delivery.next_ms > 0;
  const char* state = delivery.delivered_ms > 0 ? "delivered" : pending ? "pending" : "failed";
  return {{"url", plan.webhook_url},
          {"signed", !plan.webhook_secret.empty()},
          {"state", state},
          {"attempts", delivery.attempts},
          {"next_ms", delivery.next_ms},
          {"delivered_ms", delivery.delivered_ms},
          {"status", delivery.status},
          {"error", delivery.error}};
}

}  // namespace

Json event_json(const Event& event) {
  return {{"seq", event.seq},       {"ts_ms", event.ts_ms},
          {"kind", event.kind},     {"conversation_id", event.conversation_id},
          {"job_id", event.job_id}, {"data", event.data}};
}

bool has_finished(JobState state) {
  return state != JobState::queued && state != JobState::running;
}

Json job_json(const Job& job, size_t text_limit) {
  Json out = {{"job_id", job.id},
              {"kind", job.kind},
              {"text", std::string(utf8_prefix(job.text, text_limit))},
              {"conversation_id", job.conversation_id},
              {"state", to_string(job.state)},
              {"status", older_word(job.state)},
              {"created_ms", job.created_ms},
              {"started_ms", job.started_ms},
              {"finished_ms", job.finished_ms},
              {"timeout_s", job.timeout_s},
              {"network", job.network},
              {"priority", job.plan.priority},
              {"not_before_ms", job.plan.not_before_ms},
              {"deadline_ms", job.plan.deadline_ms},
              {"attempt", job.attempt},
              {"retries", job.plan.retries},
              {"retry_delay_s", job.plan.retry_delay_s},
              {"retry_timeouts", job.plan.retry_timeouts},
              {"cron", job.plan.cron},
              {"schedule_id", job.schedule_id},
              {"approvals", job.approvals},
              {"idempotency_key", job.plan.idempotency_key},
              {"exit_code", nullptr},
              {"reply", job.reply},
              {"error", job.error},
              {"result", nullptr}};
  if (job.exit_code) out["exit_code"] = *job.exit_code;
  if (has_finished(job.state)) out["result"] = "/download/" + job.id;
  return out;
}

Json status_json(const JobStatus& status) {
  Json out = job_json(status.job);
  out["stdout"] = status.out;
  out["stderr"] = status.err;
  out["isolation"] = status.isolation;
  out["webhook"] = webhook_json(status);
  return out;
}

}  // namespace selfagent
