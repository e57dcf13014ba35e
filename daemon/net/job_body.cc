#include "net/job_body.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "jobs/moment.h"
#include "jobs/webhooks.h"
#include "net/body.h"

namespace selfagent {

namespace {

constexpr int longest_delay_s = 10 * 366 * 24 * 3600;

/// The integer `name` of `body`, or nothing if it is absent. `unit` says of what it is a number.
std::optional<int> integer_member(const Json& body, const std::string& name,
                                  const std::string& unit, int least, int most) {
  if (!body.contains(name)) return std::nullopt;
  const Json& value = body[name];
  // A number beyond int64_t would compare as a negative one.
  const bool huge = value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX;
  if (!value.is_number_integer() || huge || value < least || value > most) {
    throw Error(ErrorCode::invalid_argument, "\"" + name + "\" must be a whole number" + unit +
                                                 " from " + std::to_string(least) + " to " +
                                                 std::to_string(most) + ", got " +
                                                 dump_json(value));
  }
  return value.get<int>();
}

bool flag_member(const Json& body, const std::string& name, bool otherwise) {
  if (!body.contains(name)) return otherwise;
  if (!body[name].is_boolean()) {
    throw Error(ErrorCode::invalid_argument,
                "\"" + name + "\" must be true or false, got " + dump_json(body[name]));
  }
  return body[name].get<bool>();
}

/// A point in time as Unix milliseconds; 0 if it is absent.
int64_t moment_member(const Json& body, const std::string& name) {
  if (!body.contains(name)) return 0;
  const Json& value = body[name];
  if (value.is_number_integer() && is_moment(value.get<int64_t>())) return value.get<int64_t>();
  if (value.is_string()) {
    try {
      return parse_moment(value.get<std::string>());
    } catch (const Error& error) {
      throw Error(error.code(), "\"" + name + "\": " + error.what());
    }
  }
  throw Error(ErrorCode::invalid_argument,
              "\"" + name +
                  "\" must be a time such as \"2026-07-28T09:41:00Z\" or milliseconds since 1970, "
                  "got " +
                  dump_json(value));
}

JobPlan read_plan(const Json& body) {
  JobPlan plan;
  plan.priority = integer_member(body, "priority", "", -1000, 1000).value_or(0);
  plan.not_before_ms = moment_member(body, "not_before");
  plan.deadline_ms = moment_member(body, "deadline");
  if (const auto delay = integer_member(body, "delay_s", " of seconds", 0, longest_delay_s)) {
    if (plan.not_before_ms != 0) {
      throw Error(ErrorCode::invalid_argument, "give either \"not_before\" or \"delay_s\"");
    }
    plan.not_before_ms = unix_ms() + int64_t{1000} * *delay;
  }
  plan.retries = integer_member(body, "retries", "", 0, most_retries).value_or(0);
  plan.retry_delay_s =
      integer_member(body, "retry_delay_s", " of seconds", 0, longest_retry_delay_s).value_or(1);
  plan.retry_timeouts = flag_member(body, "retry_timeouts", false);
  plan.cron = text_member(body, "cron", false);
  if (body.contains("cron") && plan.cron.empty()) {
    throw Error(ErrorCode::invalid_argument, "\"cron\" is empty: leave it out for a single job");
  }
  return plan;
}

void read_webhook(const Json& body, JobPlan& plan) {
  if (!body.contains("webhook")) return;
  const Json& webhook = body["webhook"];
  if (!webhook.is_object()) {
    throw Error(ErrorCode::invalid_argument,
                "\"webhook\" must be an object: {\"url\":\"https://…\",\"secret\":\"whsec_…\"}");
  }
  for (const auto& [name, value] : webhook.items()) {
    if (name == "url" || name == "secret") continue;
    throw Error(ErrorCode::invalid_argument,
                "unknown member \"" + name + "\" in \"webhook\" (known: url, secret)");
  }
  plan.webhook_url = text_member(webhook, "url", true);
  plan.webhook_secret = text_member(webhook, "secret", false);
  check_webhook_url(plan.webhook_url);
  if (webhook.contains("secret")) check_webhook_secret(plan.webhook_secret);
}

void read_key(const HttpRequest& request, const Json& body, JobPlan& plan) {
  const std::string& header = request.header("idempotency-key");
  plan.idempotency_key = text_member(body, "idempotency_key", false);
  if (body.contains("idempotency_key") && plan.idempotency_key.empty()) {
    throw Error(ErrorCode::invalid_argument, "\"idempotency_key\" is empty");
  }
  if (!header.empty() && !plan.idempotency_key.empty() && header != plan.idempotency_key) {
    throw Error(ErrorCode::invalid_argument,
                "the header Idempotency-Key and \"idempotency_key\" differ: give one of them");
  }
  if (plan.idempotency_key.empty()) plan.idempotency_key = header;
  if (plan.idempotency_key.empty()) return;
  // Members in another order, or the key in another place, are the same request.
  nlohmann::json sorted = nlohmann::json::parse(dump_json(body));
  sorted.erase("idempotency_key");
  plan.request_sha256 = sha256_hex(sorted.dump());
}

void read_task(const Json& body, JobRequest& job) {
  const std::string prompt = text_member(body, "prompt", false);
  const std::string task = text_member(body, "task", false);
  if (!prompt.empty() || !task.empty()) {
    if (!job.kind.empty() && job.kind != "prompt") {
      throw Error(ErrorCode::invalid_argument,
                  "give either \"prompt\" or \"kind\" with \"code\", not both");
    }
    job.kind = "prompt";
    job.text = prompt.empty() ? task : prompt;
    return;
  }
  if (job.kind.empty()) {
    throw Error(ErrorCode::invalid_argument,
                "the body needs \"prompt\" (or \"task\"), or \"kind\" (shell, python, typescript, "
                "gui) and \"code\", or \"kind\" replay and \"run\"");
  }
  const char* member = job.kind == "prompt" ? "prompt" : job.kind == "replay" ? "run" : "code";
  job.text = text_member(body, member, true);
}

}  // namespace

JobRequest read_job(const HttpRequest& request) {
  const Json body = body_object(
      request, {"prompt", "task", "kind", "code", "run", "conversation_id", "timeout_s", "network",
                "priority", "not_before", "delay_s", "deadline", "retries", "retry_delay_s",
                "retry_timeouts", "cron", "webhook", "idempotency_key", "approvals"});
  JobRequest job;
  job.kind = text_member(body, "kind", false);
  job.conversation_id = text_member(body, "conversation_id", false);
  job.timeout_s = integer_member(body, "timeout_s", " of seconds", 1, most_timeout_s).value_or(0);
  job.network = flag_member(body, "network", true);
  job.approvals = text_member(body, "approvals", false);
  job.plan = read_plan(body);
  read_webhook(body, job.plan);
  read_key(request, body, job.plan);
  read_task(body, job);
  return job;
}

}  // namespace selfagent
