#include "planner/approvals.h"

#include "base/error.h"
#include "base/string_member.h"
#include "base/utf8.h"
#include "planner/chat_command.h"
#include "store/cut.h"
#include "store/each_event.h"

namespace selfagent {

namespace {

constexpr size_t asked_events_at_once = 2'000;
constexpr size_t longest_answer_reason = 4'000;

// Whether the message begins something else than the run `job_id`.
bool goes_on_without(const Event& event, const std::string& job_id) {
  return event.kind == "user_message" && event.job_id != job_id &&
         !is_chat_command(string_member(event.data, "text"));
}

bool stopped_by_person(const Event& event, const std::string& job_id) {
  return event.kind == "run_finished" && event.job_id == job_id &&
         string_member(event.data, "state") == "cancelled";
}

bool same_answer(const Event& stored, const Json& data) {
  for (const char* name : {"decision", "reason", "arguments"}) {
    if (canonical(stored.data.value(name, Json())) != canonical(data.value(name, Json()))) {
      return false;
    }
  }
  return true;
}

}  // namespace

// What the log says of one question.
struct Approvals::View {
  Event request;
  std::optional<Event> answer;
  bool finished = false;
  std::string closed;  ///< why it can no longer be answered, "" if it can
};

std::string canonical(const Json& value) { return nlohmann::json::parse(dump_json(value)).dump(); }

std::string call_text(const std::string& tool, const Json& arguments) {
  return tool + " " + dump_json(arguments);
}

Approvals::Approvals(Store& store, const Registry& registry)
    : store_(store),
      registry_(registry),
      subscription_(store.subscribe([this](const Event& event) { hear(event); })) {
  read_open();
}

// Heard already: what was appended since the subscription; hearing it twice changes nothing.
void Approvals::read_open() {
  for (const Event& request : store_.newest_requests()) {
    hear(request);
    int64_t after = request.seq;
    while (true) {
      const auto page = store_.events(request.conversation_id, "", after, asked_events_at_once);
      for (const Event& event : page) hear(event);
      if (page.size() < asked_events_at_once) break;
      after = page.back().seq;
    }
  }
}

void Approvals::hear(const Event& event) {
  if (event.conversation_id.empty()) return;
  const std::lock_guard guard(mutex_);
  if (event.kind == "approval_request") {
    open_[event.conversation_id] = {event, std::nullopt};
    return;
  }
  const auto at = open_.find(event.conversation_id);
  if (at == open_.end()) return;
  Open& open = at->second;
  const std::string job_id = open.request.job_id;
  if (event.kind == "approval_answer" &&
      string_member(event.data, "call_id") == string_member(open.request.data, "call_id")) {
    open.answer = event;
    changed_.notify_all();
  } else if (event.kind == "rewound" && event.data.value("to", int64_t{0}) < open.request.seq) {
    open_.erase(at);
  } else if (event.kind == "forked" || stopped_by_person(event, job_id) ||
             (open.finished && goes_on_without(event, job_id))) {
    open_.erase(at);
  } else if (event.kind == "run_finished" && event.job_id == job_id) {
    open.finished = true;
    if (open.answer) open_.erase(at);
  }
}

std::optional<Event> Approvals::open(const std::string& conversation_id) const {
  const std::lock_guard guard(mutex_);
  const auto at = open_.find(conversation_id);
  if (at == open_.end() || at->second.answer) return std::nullopt;
  return at->second.request;
}

Approvals::View Approvals::view_of(const std::string& conversation_id,
                                   const std::string& call_id) const {
  std::vector<Event> events;
  each_event(store_, conversation_id, "", asked_events_at_once, [&](const Event& event) {
    if (event.kind == "rewound") {
      events.resize(kept_by(events, event));
    } else {
      events.push_back(event);
    }
  });
  View view;
  for (const Event& event : events) {
    const std::string& job_id = view.request.job_id;
    if (event.kind == "approval_request" && string_member(event.data, "call_id") == call_id) {
      view.request = event;
    } else if (view.request.seq == 0) {
      continue;
    } else if (event.kind == "approval_answer" && string_member(event.data, "call_id") == call_id) {
      view.answer = event;
    } else if (event.kind == "forked") {
      view.closed = "it was asked in the conversation of which this one is a fork";
    } else if (stopped_by_person(event, job_id)) {
      view.closed = "the run that asked was stopped";
    } else if (event.kind == "run_finished" && event.job_id == job_id) {
      view.finished = true;
    } else if (view.finished && goes_on_without(event, job_id)) {
      view.closed = "the conversation has gone on without it";
    }
  }
  return view;
}

// The event's data. Throws Error(invalid_argument).
Json Approvals::checked(const Event& request, const ApprovalAnswer& given) const {
  const std::string tool = string_member(request.data, "tool");
  Json data = {{"call_id", string_member(request.data, "call_id")},
               {"decision", given.decision},
               {"by", given.by}};
  const bool edits = given.decision == "edit";
  if (given.decision != "once" && given.decision != "session" && given.decision != "deny" &&
      !edits) {
    throw Error(ErrorCode::invalid_argument, "\"decision\" is once, session, deny or edit, not \"" +
                                                 given.decision.substr(0, 50) + "\"");
  }
  if (!given.reason.empty() && given.decision != "deny") {
    throw Error(ErrorCode::invalid_argument, "\"reason\" goes with the decision deny");
  }
  if (given.reason.size() > longest_answer_reason) {
    throw Error(ErrorCode::invalid_argument,
                "\"reason\" has " + std::to_string(given.reason.size()) + " bytes, the limit is " +
                    std::to_string(longest_answer_reason));
  }
  if (!given.reason.empty()) data["reason"] = to_utf8(given.reason);
  if (!edits && !given.arguments.is_null()) {
    throw Error(ErrorCode::invalid_argument, "\"arguments\" goes with the decision edit");
  }
  if (!edits) return data;
  const Tool* found = registry_.find(tool);
  if (found == nullptr || !found->check) {
    throw Error(ErrorCode::invalid_argument,
                "a call of " + tool + " cannot be edited: deny it, and say why");
  }
  if (!given.arguments.is_object()) {
    throw Error(
        ErrorCode::invalid_argument,
        "the decision edit needs \"arguments\", the whole object that " + tool + " is to get");
  }
  try {
    found->check(given.arguments);
  } catch (const Error& error) {
    throw Error(ErrorCode::invalid_argument, "\"arguments\" for " + tool + ": " + error.what());
  }
  data["arguments"] = given.arguments;
  return data;
}

AnsweredApproval Approvals::answer(const std::string& conversation_id, const std::string& call_id,
                                   const ApprovalAnswer& given) {
  const std::lock_guard answering(answering_);
  if (!store_.conversation(conversation_id)) {
    throw Error(ErrorCode::not_found, "there is no conversation \"" + conversation_id + "\"");
  }
  const View view = view_of(conversation_id, call_id);
  if (view.request.seq == 0) {
    throw Error(ErrorCode::not_found,
                "nothing in the conversation asks for the approval of the call \"" + call_id +
                    "\": its events approval_request have the ids");
  }
  const Json data = checked(view.request, given);
  if (view.answer) {
    if (same_answer(*view.answer, data)) return {view.request, *view.answer, true, false};
    throw Error(ErrorCode::conflict, "the call \"" + call_id + "\" was answered already: " +
                                         string_member(view.answer->data, "decision") + " by " +
                                         string_member(view.answer->data, "by") +
                                         "; send a message to say something else");
  }
  if (!view.closed.empty()) {
    throw Error(ErrorCode::conflict, "the question about the call \"" + call_id +
                                         "\" is no longer open: " + view.closed +
                                         "; send a message instead");
  }
  bool late = view.finished;
  {
    const std::lock_guard guard(mutex_);
    const auto at = open_.find(conversation_id);
    late = late || at == open_.end() || at->second.left;
  }
  const Event stored = store_.append(conversation_id, view.request.job_id, "approval_answer", data);
  return {view.request, stored, false, late};
}

void Approvals::said(const std::string& conversation_id) {
  const std::lock_guard answering(answering_);
  Event request;
  {
    const std::lock_guard guard(mutex_);
    const auto at = open_.find(conversation_id);
    if (at == open_.end()) return;
    const Open& open = at->second;
    if (open.answer || open.finished || open.left) return;
    request = open.request;
  }
  store_.append(conversation_id, request.job_id, "approval_answer",
                {{"call_id", string_member(request.data, "call_id")},
                 {"decision", "deny"},
                 {"reason", "the user has sent a message instead of an answer, which follows"},
                 {"by", "a message"}});
}

std::optional<Event> Approvals::wait(const Event& request, const std::stop_token& stop,
                                     Deadline deadline) {
  const auto answer = [&]() -> std::optional<Event> {
    const auto at = open_.find(request.conversation_id);
    if (at == open_.end() || at->second.request.seq != request.seq) return std::nullopt;
    return at->second.answer;
  };
  {
    std::unique_lock lock(mutex_);
    const bool answered =
        changed_.wait_until(lock, stop, deadline.at(), [&] { return answer().has_value(); });
    if (answered) return answer();
  }
  // An answer that is being stored now is either in time or knows that it is late.
  const std::lock_guard answering(answering_);
  const std::lock_guard guard(mutex_);
  if (const auto found = answer(); found && !stop.stop_requested()) return found;
  const auto at = open_.find(request.conversation_id);
  if (at != open_.end() && at->second.request.seq == request.seq) at->second.left = true;
  return std::nullopt;
}

}  // namespace selfagent
