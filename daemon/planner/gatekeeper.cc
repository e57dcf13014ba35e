#include "planner/gatekeeper.h"

#include <algorithm>

#include "base/error.h"
#include "base/string_member.h"
#include "base/utf8.h"

namespace selfagent {

namespace {

constexpr size_t most_question_bytes = 4'000;
// Looking at the target of a call must not hold up the run for long.
constexpr std::chrono::seconds longest_judgement{5};

Reasons reasons_of(const Event& request) {
  Reasons reasons;
  const auto list = request.data.find("why");
  if (list == request.data.end() || !list->is_array()) return reasons;
  for (const Json& reason : *list) {
    if (reason.is_string()) reasons.push_back(reason.get<std::string>());
  }
  return reasons;
}

Json arguments_of(const Event& event) { return event.data.value("arguments", Json::object()); }

std::string joined_reasons(const Reasons& reasons) {
  std::string text;
  for (const std::string& reason : reasons) text += (text.empty() ? "" : "; ") + reason;
  return text;
}

std::string session_key(const std::string& tool, const std::string& reason) {
  return tool + "\n" + reason;
}

// The model must know what was really run.
Action edited(Action action, const Json& arguments) {
  action.arguments = arguments;
  action.retell = [note =
                       "[the user changed the arguments of this call before approving it; it was "
                       "run with " +
                       dump_json(arguments) + "]\n",
                   inner = action.retell](const std::string& text) {
    return note + (inner ? inner(text) : text);
  };
  return action;
}

std::string question_text(const Event& request) {
  const std::string call = call_text(string_member(request.data, "tool"), arguments_of(request));
  std::string shown(utf8_prefix(call, most_question_bytes));
  if (shown.size() < call.size()) shown += " …";
  return "May this be done? It was not done, because nobody has answered in time.\n\n" + shown +
         "\n\nIt is asked for because " + joined_reasons(reasons_of(request)) +
         ".\n\nApprove, edit or deny it in the conversation: the task goes on then.";
}

}  // namespace

Action action_of(const Event& request) {
  Action action;
  action.call_id = string_member(request.data, "call_id");
  action.tool = string_member(request.data, "tool");
  action.arguments = arguments_of(request);
  return action;
}

std::string scope_of(const std::string& tool, const Reasons& reasons) {
  return "further calls of " + tool + " that would be asked about only because " +
         joined_reasons(reasons);
}

Gatekeeper::Gatekeeper(Approvals& approvals, RunLog& log, const History& history,
                       const ContextFactory& contexts, FindTool find_tool,
                       const ApprovalSettings& settings)
    : approvals_(approvals),
      log_(log),
      history_(history),
      contexts_(contexts),
      find_tool_(std::move(find_tool)),
      settings_(settings) {}

Passage Gatekeeper::ask(const Action& action, const std::stop_token& stop, Deadline deadline) {
  const Tool* tool = find_tool_(action.tool);
  Reasons reasons;
  // A name that is no tool runs nothing.
  if (tool != nullptr && settings_.policy != ApprovalPolicy::off) {
    try {
      if (tool->check) tool->check(action.arguments);
    } catch (const std::exception&) {
      return {Permit(action), "", ""};  // it is refused by its tool, which says why
    }
    ToolContext context = contexts_(stop, deadline.sooner(Deadline::after(longest_judgement)));
    reasons = reasons_to_ask(settings_.policy, *tool, action.arguments, surroundings_of(context));
  }
  if (reasons.empty()) return {Permit(action), "", ""};
  if (const auto question = granted(action, reasons)) {
    Action allowed = action;
    allowed.approval = *question;
    return {Permit(std::move(allowed)), "", ""};
  }
  const Event request =
      log_.append("approval_request", {{"call_id", action.call_id},
                                       {"tool", action.tool},
                                       {"arguments", action.arguments},
                                       {"why", reasons},
                                       {"session", scope_of(action.tool, reasons)},
                                       {"policy", to_string(settings_.policy)},
                                       {"wait_s", settings_.wait.count()}});
  return wait(request, action, stop, deadline);
}

Passage Gatekeeper::ask_again(const Event& request, const std::stop_token& stop,
                              Deadline deadline) {
  return wait(request, action_of(request), stop, deadline);
}

Passage Gatekeeper::wait(const Event& request, Action action, const std::stop_token& stop,
                         Deadline deadline) {
  const auto answer =
      approvals_.wait(request, stop, deadline.sooner(Deadline::after(settings_.wait)));
  if (!answer) {
    if (stop.stop_requested() && !deadline.passed()) throw Error(ErrorCode::cancelled, "stopped");
    return {std::nullopt, "", question_text(request)};
  }
  log_.hear(*answer);
  return pass(std::move(action), *answer);
}

Passage Gatekeeper::pass(Action action, const Event& answer) const {
  const std::string decision = string_member(answer.data, "decision");
  if (decision == "deny") {
    const std::string reason = string_member(answer.data, "reason");
    return {std::nullopt,
            "[not run: the user did not approve this call" +
                (reason.empty() ? std::string() : ": " + reason) +
                ". Do not try to reach the same in another way; go on without it, or ask the user]",
            ""};
  }
  action.approval = string_member(answer.data, "call_id");
  if (decision == "edit") action = edited(std::move(action), arguments_of(answer));
  return {Permit(std::move(action)), "", ""};
}

// Read from the conversation each time: it is short work beside a call, and what was rewound does
// not count.
Gatekeeper::Grants Gatekeeper::grants() const {
  Grants grants;
  std::map<std::string, const Event*> requests;
  std::set<std::string> finished;
  for (const Event& event : history_.events()) {
    if (event.kind == "forked") {
      grants = {};  // what was approved in the other conversation
      requests.clear();
    } else if (event.kind == "approval_request") {
      requests[string_member(event.data, "call_id")] = &event;
    } else if (event.kind == "approval_answer") {
      const auto request = requests.find(string_member(event.data, "call_id"));
      if (request == requests.end()) continue;
      const std::string decision = string_member(event.data, "decision");
      const std::string tool = string_member(request->second->data, "tool");
      const Reasons reasons = reasons_of(*request->second);
      if (decision == "deny") continue;
      for (const std::string& reason : reasons) {
        if (decision == "session")
          grants.session.emplace(session_key(tool, reason), request->first);
      }
      const bool edits = decision == "edit";
      const bool late = finished.contains(request->second->job_id);
      grants.once.push_back({request->first,
                             tool,
                             arguments_of(edits ? event : *request->second),
                             {reasons.begin(), reasons.end()},
                             edits,
                             late,
                             late ? "" : request->second->job_id});
    } else if (event.kind == "run_finished") {
      finished.insert(event.job_id);
    } else if (event.kind == "run_started") {
      enter_run(grants, event);
    } else if (event.kind == "action_intent") {
      const std::string used = string_member(event.data, "approval");
      for (Grant& grant : grants.once) grant.used = grant.used || grant.call_id == used;
    }
  }
  return grants;
}

// An approval for one call counts in the run that asked or, if that had ended, in the next one.
void Gatekeeper::enter_run(Grants& grants, const Event& started) {
  if (string_member(started.data, "model").empty()) return;  // a command of a person
  for (Grant& grant : grants.once) {
    if (grant.run.empty()) grant.run = started.job_id;
    if (grant.run != started.job_id) grant.used = true;
  }
}

std::optional<std::string> Gatekeeper::granted(const Action& action, const Reasons& reasons) const {
  const Grants all = grants();
  std::string question;
  const bool session = std::all_of(reasons.begin(), reasons.end(), [&](const std::string& reason) {
    const auto at = all.session.find(session_key(action.tool, reason));
    if (at != all.session.end()) question = at->second;
    return at != all.session.end();
  });
  if (session) return question;
  for (const Grant& grant : all.once) {
    if (grant.used || grant.tool != action.tool) continue;
    // Other reasons: what stands at the target is not what was asked for. Who has written the
    // arguments knows what they do.
    const bool known =
        grant.edited || std::all_of(reasons.begin(), reasons.end(), [&](const std::string& reason) {
          return grant.reasons.contains(reason);
        });
    if (known && canonical(grant.arguments) == canonical(action.arguments)) return grant.call_id;
  }
  return std::nullopt;
}

std::vector<std::string> Gatekeeper::approved_since() const {
  std::vector<std::string> sentences;
  for (const Grant& grant : grants().once) {
    if (grant.used || !grant.late) continue;
    sentences.push_back(
        "The user has approved this call since, once: " + call_text(grant.tool, grant.arguments) +
        ". If it is still what is needed, make exactly this call.");
  }
  return sentences;
}

}  // namespace selfagent
