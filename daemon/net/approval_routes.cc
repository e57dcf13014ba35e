#include "net/approval_routes.h"

#include "base/error.h"
#include "base/string_member.h"
#include "net/body.h"
#include "tool/principal.h"

namespace selfagent {

namespace {

// The words of the user with which the run begins that goes on after a late answer. What the model
// had written is not in them: the run tells it in words of its own.
std::string message_for(const AnsweredApproval& answered) {
  const std::string tool = string_member(answered.request.data, "tool");
  const std::string decision = string_member(answered.answer.data, "decision");
  if (decision == "deny") {
    const std::string reason = string_member(answered.answer.data, "reason");
    return "I do not approve the call of " + tool + " that you asked about" +
           (reason.empty() ? "." : ": " + reason) + " Go on without it.";
  }
  if (decision == "edit") {
    return "I approve the call of " + tool + " that you asked about with other arguments. Go on.";
  }
  if (decision == "session") {
    return "I approve the call of " + tool +
           " that you asked about, and such calls for the rest of this conversation. Go on.";
  }
  return "I approve the call of " + tool + " that you asked about. Go on.";
}

// The run keeps the approvals of the one that asked, unless the daemon's are stricter by now.
std::string approvals_of(const ApprovalParts& parts, const Event& request) {
  const auto job = parts.store.job(request.job_id);
  if (!job || job->approvals.empty()) return "";
  return approval_policy_named(job->approvals) >= parts.runner.approvals() ? job->approvals : "";
}

HttpResponse answer_approval(const ApprovalParts& parts, const HttpRequest& request) {
  const Json body = body_object(request, {"decision", "reason", "arguments"});
  ApprovalAnswer given;
  given.decision = text_member(body, "decision", true);
  given.reason = text_member(body, "reason", false);
  if (body.contains("arguments")) given.arguments = body["arguments"];
  given.by = request.principal ? request.principal->name : "owner";
  parts.answered();
  const AnsweredApproval answered =
      parts.approvals.answer(request.captures.at("id"), request.captures.at("call_id"), given);
  Json out = answered.answer.data;
  out["at_ms"] = answered.answer.ts_ms;
  out["tool"] = string_member(answered.request.data, "tool");
  out["repeated"] = answered.repeated;
  out["job_id"] = answered.request.job_id;
  if (given.decision == "session") out["covers"] = string_member(answered.request.data, "session");
  if (answered.late) {
    JobRequest next;
    next.kind = "prompt";
    next.conversation_id = answered.request.conversation_id;
    next.text = message_for(answered);
    next.approvals = approvals_of(parts, answered.request);
    out["job_id"] = parts.runner.submit(next).id;
  }
  return HttpResponse::json(200, out);
}

}  // namespace

Json open_approval_json(const Approvals& approvals, const std::string& conversation_id) {
  const auto open = approvals.open(conversation_id);
  if (!open) return nullptr;
  Json json = open->data;
  json["job_id"] = open->job_id;
  json["asked_ms"] = open->ts_ms;
  return json;
}

void add_approval_routes(Router& router, const ApprovalParts& parts) {
  router.add_blocking(
      "POST", "/api/conversations/{id}/approvals/{call_id}", Access::full,
      [parts](const HttpRequest& request) { return answer_approval(parts, request); });
}

}  // namespace selfagent
