#include "planner/turns.h"

#include <algorithm>
#include <map>

#include "base/string_member.h"
#include "base/utf8.h"
#include "planner/own_tools.h"
#include "planner/sight.h"

namespace selfagent {

namespace {

// Of the user's words rather more is shown than of a result.
constexpr size_t most_times_longer_prompt = 3;

// The head tells what it is, and ends of outputs tell how it ended.
std::string bounded(const std::string& text, const std::string& call_id, size_t most_bytes) {
  if (text.size() <= most_bytes) return text;
  const size_t tail_bytes = most_bytes / 4;
  const size_t head_bytes = most_bytes - tail_bytes;
  const std::string head(utf8_prefix(text, head_bytes));
  const size_t tail = next_character(text, text.size() - tail_bytes);
  const std::string how = call_id.empty()
                              ? ""
                              : ": recall with call_id \"" + call_id + "\" and offset " +
                                    std::to_string(head.size()) + " reads them";
  return head + "\n[… " + std::to_string(tail - head.size()) + " bytes left out" + how + " …]\n" +
         text.substr(tail);
}

// The turns of one job, one event after the other.
class Builder {
 public:
  Builder(std::vector<Turn>& turns, size_t result_bytes)
      : turns_(turns), result_bytes_(result_bytes) {}

  // Jobs of one conversation may overlap (a chat command beside a run): each is told as a whole.
  void tell_job(const std::vector<const Event*>& events) {
    begin_job();
    for (const Event* event : events) tell(*event);
    end_job();
  }

  // What is pending becomes the last turn.
  void finish() { flush_user(); }

 private:
  struct OpenCall {
    std::string id;
    bool asked = false;  ///< the user, whether it may run
    bool intended = false;
    bool answered = false;
    std::string text;
  };

  void begin_job() {
    command_ = false;
    command_acted_ = false;
    before_command_ = pending_.size();
    state_.clear();
    reason_.clear();
    ended_by_call_ = false;
  }

  void tell(const Event& event) {
    const Json& data = event.data;
    if (pending_.empty()) pending_seq_ = event.seq;
    if (event.kind == "user_message") {
      const std::string text = bounded(string_member(data, "text"), message_handle(event.seq),
                                       most_times_longer_prompt * result_bytes_);
      if (data.contains("joined")) return tell_message(text);
      command_ = text.starts_with('/');
      say(command_ ? "[The user ran a command directly: " + text + "]" : text);
      if (!command_) begins_task_ = true;
    } else if (event.kind == "assistant_message") {
      if (!command_ && !data.value("partial", false)) tell_answer(data, event.seq);
    } else if (event.kind == "approval_request") {
      if (OpenCall* call = find(string_member(data, "call_id"))) call->asked = true;
    } else if (event.kind == "action_intent") {
      if (OpenCall* call = find(string_member(data, "call_id"))) call->intended = true;
    } else if (event.kind == "action_result") {
      tell_result(data);
    } else if (event.kind == "notice") {
      if (data.value("to_model", false)) tell_advice(string_member(data, "text"));
    } else if (event.kind == "run_finished") {
      state_ = string_member(data, "state");
      reason_ = string_member(data, "reason");
    }
  }

  void tell_answer(const Json& data, int64_t event_seq) {
    close_calls();
    flush_user();
    Turn turn;
    turn.role = Turn::Role::assistant;
    turn.seq = answer_seq_ = event_seq;
    turn.text = string_member(data, "text");
    turn.assistant = data;
    turns_.push_back(turn);
    if (!data.contains("tool_calls") || !data["tool_calls"].is_array()) return;
    for (const auto& call : data["tool_calls"])
      calls_.push_back({string_member(call, "id"), {}, {}, {}, {}});
  }

  void tell_result(const Json& data) {
    const std::string tool = string_member(data, "tool");
    const std::string call_id = string_member(data, "call_id");
    const char* told = data.contains("model_text") ? "model_text" : "text";
    const std::string text = bounded(string_member(data, told), call_id, result_bytes_);
    if (OpenCall* call = find(call_id)) {
      call->answered = true;
      ended_by_call_ = OwnTools::ends_run(tool) && data.value("ok", false);
      call->text = text;
    } else {
      // The planner's own look, or a chat command: no call of the model is waiting for it.
      command_acted_ = true;
      const bool ok = data.value("ok", true);
      if (ok && tool == look_name && !command_) {
        seen_.push_back({"[" + text + "]", "", ""});
        if (calls_.empty()) take_seen();
      }
      if (command_ || !ok) say("[" + tool + (ok ? "" : " failed") + ": " + text + "]");
    }
    if (!data.contains("images") || !data["images"].is_array()) return;
    for (const auto& image : data["images"]) {
      const std::string size =
          std::to_string(image.value("width", 0)) + "x" + std::to_string(image.value("height", 0));
      seen_.push_back({"picture from " + tool + ", " + size, string_member(image, "sha256"),
                       string_member(image, "mime")});
    }
    // Pictures of calls wait until every call is answered.
    if (calls_.empty()) take_seen();
  }

  // The user speaks while the model works.
  void tell_message(const std::string& text) {
    tell_advice("The user says, while you work:");
    seen_.push_back({text, "", ""});
    if (calls_.empty()) take_seen();
  }

  // Between a call and its answer nothing may stand.
  void tell_advice(const std::string& text) {
    seen_.push_back({"[" + text + "]", "", ""});
    if (calls_.empty()) take_seen();
  }

  void end_job() {
    close_calls();
    if (command_ && !command_acted_) {
      pending_.resize(std::min(before_command_, pending_.size()));
      return;
    }
    if (state_ == "cancelled") say("[The user stopped the run here.]");
    if (state_ == "interrupted") say("[The daemon was stopped here and started again.]");
    if (ended_by_call_) return;
    if (state_ == "failed" && !command_) say("[The run ended here: " + reason_ + "]");
  }

  void close_calls() {
    for (const auto& call : calls_) {
      Turn turn;
      turn.role = Turn::Role::tool;
      turn.seq = answer_seq_;
      turn.call_id = call.id;
      turn.text = call.answered ? call.text : missing_answer(call);
      if (turn.text.empty()) turn.text = "ok";
      turns_.push_back(turn);
    }
    calls_.clear();
    take_seen();
  }

  std::string missing_answer(const OpenCall& call) const {
    if (state_ == "cancelled") return "[interrupted by user]";
    if (call.intended) {
      return "[outcome unknown: the daemon was stopped; look again before repeating]";
    }
    if (call.asked) return "[not run: the user had not said yet whether it may run]";
    return state_.empty() ? "[not run: the daemon was stopped before]"
                          : "[not run: the run ended before]";
  }

  void take_seen() {
    pending_.insert(pending_.end(), seen_.begin(), seen_.end());
    seen_.clear();
  }

  void say(const std::string& text) { pending_.push_back({text, "", ""}); }

  void flush_user() {
    if (pending_.empty()) return;
    Turn turn;
    turn.seq = pending_seq_;
    turn.parts = std::move(pending_);
    turn.begins_task = begins_task_;
    turns_.push_back(std::move(turn));
    pending_.clear();
    begins_task_ = false;
  }

  OpenCall* find(const std::string& id) {
    const auto at = std::find_if(calls_.begin(), calls_.end(), [&](const OpenCall& call) {
      return call.id == id && !call.answered;
    });
    return at == calls_.end() ? nullptr : &*at;
  }

  std::vector<Turn>& turns_;
  const size_t result_bytes_;
  std::vector<OpenCall> calls_;  ///< of the newest answer of the model
  std::vector<Part> seen_;       ///< pictures that belong after the answers of calls_
  std::vector<Part> pending_;    ///< of the user turn that comes next
  int64_t pending_seq_ = 0;      ///< of its first event
  int64_t answer_seq_ = 0;       ///< of the newest answer of the model
  bool begins_task_ = false;
  bool command_ = false;
  bool command_acted_ = false;
  size_t before_command_ = 0;
  std::string state_;
  std::string reason_;
  bool ended_by_call_ = false;
};

}  // namespace

std::string message_handle(int64_t seq) { return "message_" + std::to_string(seq); }

std::vector<Turn> make_turns(const std::vector<Event>& events, size_t result_bytes) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<const Event*>> jobs;
  for (const auto& event : events) {
    auto& job = jobs[event.job_id];
    if (job.empty()) order.push_back(event.job_id);
    job.push_back(&event);
  }
  std::vector<Turn> turns;
  Builder builder(turns, result_bytes);
  for (const auto& job : order) builder.tell_job(jobs[job]);
  builder.finish();
  return turns;
}

}  // namespace selfagent
