#include "jobs/job_request.h"

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/error.h"
#include "jobs/moment.h"
#include "jobs/webhook_post.h"
#include "jobs/webhooks.h"
#include "planner/approval_settings.h"

namespace selfagent {

namespace {

constexpr size_t most_text_bytes = 1 << 20;
constexpr int most_priority = 1000;
constexpr size_t longest_key = 255;
constexpr std::array kinds{"prompt", "shell", "python", "typescript", "gui", "replay"};

void check_retries(const JobRequest& request) {
  const JobPlan& plan = request.plan;
  if (plan.retries < 0 || plan.retries > most_retries) {
    throw Error(ErrorCode::invalid_argument, "retries=" + std::to_string(plan.retries) +
                                                 " is outside 0 to " +
                                                 std::to_string(most_retries));
  }
  if (plan.retry_delay_s < 0 || plan.retry_delay_s > longest_retry_delay_s) {
    throw Error(ErrorCode::invalid_argument, "retry_delay_s=" + std::to_string(plan.retry_delay_s) +
                                                 " is outside 0 to " +
                                                 std::to_string(longest_retry_delay_s));
  }
  if (plan.retries > 0 && !is_code(request.kind)) {
    throw Error(ErrorCode::invalid_argument,
                "retries are for the kinds shell, python and typescript: nobody knows how far a " +
                    request.kind + " job has come on the desktop");
  }
  if (plan.idempotency_key.size() > longest_key) {
    throw Error(ErrorCode::invalid_argument,
                "the idempotency key has more than " + std::to_string(longest_key) + " bytes");
  }
}

void check_moment(const std::string& name, int64_t unix_ms) {
  if (unix_ms == 0 || is_moment(unix_ms)) return;
  throw Error(ErrorCode::invalid_argument,
              name + "=" + std::to_string(unix_ms) +
                  " is not in the years 1973 to 9999: give milliseconds since 1970, or an RFC 3339 "
                  "time");
}

}  // namespace

bool is_code(const std::string& kind) {
  return kind == "shell" || kind == "python" || kind == "typescript";
}

void check_request(const JobRequest& request) {
  const std::string& kind = request.kind;
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
    throw Error(ErrorCode::invalid_argument,
                "kind \"" + kind + "\" is none of prompt, shell, python, typescript, gui, replay");
  }
  const std::string what = kind == "prompt"   ? "the prompt"
                           : kind == "replay" ? "the run to play back"
                                              : "the code";
  if (request.text.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw Error(ErrorCode::invalid_argument, what + " is empty");
  }
  if (request.text.size() > most_text_bytes) {
    throw Error(ErrorCode::invalid_argument,
                what + " has " + std::to_string(request.text.size()) + " bytes, the limit is " +
                    std::to_string(most_text_bytes) + ": put the bulk into a file");
  }
  if (!request.network && !is_code(kind)) {
    throw Error(ErrorCode::invalid_argument,
                "network=false is for the kinds shell, python and typescript: a job of the kind " +
                    kind + " has no program of its own");
  }
  if (!request.approvals.empty()) {
    approval_policy_named(request.approvals);
    if (kind != "prompt") {
      throw Error(ErrorCode::invalid_argument,
                  "approvals is for prompts: nobody is asked about a job of the kind " + kind);
    }
  }
  if (request.timeout_s < 0 || request.timeout_s > most_timeout_s) {
    throw Error(ErrorCode::invalid_argument,
                "timeout_s=" + std::to_string(request.timeout_s) + " is outside 0 to " +
                    std::to_string(most_timeout_s) + " (0: no limit of your own)");
  }
  check_retries(request);
  const JobPlan& plan = request.plan;
  if (!plan.webhook_url.empty()) check_webhook_url(plan.webhook_url);
  if (!plan.webhook_secret.empty()) check_webhook_secret(plan.webhook_secret);
}

void check_plan(const JobPlan& plan, int64_t now) {
  if (plan.priority < -most_priority || plan.priority > most_priority) {
    throw Error(ErrorCode::invalid_argument, "priority=" + std::to_string(plan.priority) +
                                                 " is outside -" + std::to_string(most_priority) +
                                                 " to " + std::to_string(most_priority));
  }
  check_moment("not_before", plan.not_before_ms);
  check_moment("deadline", plan.deadline_ms);
  if (!plan.cron.empty() && plan.deadline_ms != 0) {
    throw Error(ErrorCode::invalid_argument,
                "a schedule (cron) has no deadline: limit each of its jobs with timeout_s, and "
                "cancel the schedule when it is to end");
  }
  if (plan.deadline_ms == 0) return;
  if (plan.deadline_ms <= now) {
    throw Error(ErrorCode::invalid_argument, "the deadline " + iso_time(plan.deadline_ms) +
                                                 " has passed: it is " + iso_time(now));
  }
  if (plan.deadline_ms <= plan.not_before_ms) {
    throw Error(ErrorCode::invalid_argument, "the deadline " + iso_time(plan.deadline_ms) +
                                                 " is not after not_before, " +
                                                 iso_time(plan.not_before_ms));
  }
}

}  // namespace selfagent
