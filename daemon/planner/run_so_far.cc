#include "planner/run_so_far.h"

#include <map>

#include "planner/chat_command.h"
#include "planner/own_tools.h"

namespace selfagent {

namespace {

// A run that ends the daemon each time must not do so for ever.
constexpr int most_restarts_in_a_step = 3;

class Reader {
 public:
  Reader(const Registry& registry, const std::function<bool(const Json&)>& has_begun)
      : registry_(registry), has_begun_(has_begun) {}

  void read(const Event& event) {
    const Json& data = event.data;
    if (event.kind == "user_message") {
      run_.asked = true;
      if (is_chat_command(data.value("text", ""))) run_.obstacle = "a command is not run again";
    } else if (event.kind == "run_started") {
      run_.started = true;
    } else if (event.kind == "assistant_message") {
      if (!data.value("partial", false)) read_answer(data);
    } else if (event.kind == "approval_request") {
      run_.waiting = event;
    } else if (event.kind == "action_intent") {
      // It was answered, and what became of it is in the log.
      if (run_.waiting && run_.waiting->data.value("call_id", "") == data.value("call_id", "")) {
        run_.waiting.reset();
      }
      if (!data.value("automatic", false)) open_[data.value("call_id", "")] = data;
    } else if (event.kind == "action_result") {
      read_result(data);
    } else if (event.kind == "notice") {
      // What the model is told after an answer in words, it is told because the run goes on.
      if (data.value("restarted", false)) {
        ++restarts_;
      } else if (data.value("to_model", false)) {
        run_.ended.reset();
      }
    } else if (event.kind == "summary") {
      read_usage(data);
    } else if (event.kind == "run_finished") {
      run_.obstacle = "it has ended";
    }
  }

  RunSoFar finish() {
    if (run_.obstacle.empty()) run_.obstacle = obstacle();
    if (run_.ended) run_.ended->steps = run_.steps;
    return std::move(run_);
  }

 private:
  void read_usage(const Json& data) {
    if (const auto usage = data.find("usage"); usage != data.end() && usage->is_object()) {
      run_.input_tokens += usage->value("prompt_tokens", int64_t{0});
      run_.cached_tokens += usage->value("cached_tokens", int64_t{0});
      run_.output_tokens += usage->value("completion_tokens", int64_t{0});
    }
  }

  void read_answer(const Json& data) {
    ++run_.steps;
    restarts_ = 0;
    open_.clear();
    run_.ended.reset();
    run_.waiting.reset();
    read_usage(data);
    if (data.contains("tool_calls")) return;
    run_.ended =
        RunOutcome{JobState::succeeded, "", data.value("text", ""), 0, "succeeded_unverified"};
  }

  void read_result(const Json& data) {
    const auto intent = open_.find(data.value("call_id", ""));
    if (intent == open_.end()) return;
    const std::string tool = data.value("tool", "");
    if (OwnTools::ends_run(tool) && data.value("ok", false)) {
      run_.ended = outcome_of(OwnTools::ending_of(tool, intent->second["arguments"]), 0);
    }
    open_.erase(intent);
  }

  std::string obstacle() {
    if (restarts_ >= most_restarts_in_a_step) {
      return "the daemon ended " + std::to_string(restarts_) + " times in the same step";
    }
    for (const auto& [id, intent] : open_) {
      const std::string name = intent.value("tool", "");
      const Tool* tool = registry_.find(name);
      if (tool == nullptr || tool->annotations.read_only || tool->annotations.idempotent) continue;
      if (!has_begun_ || !has_begun_(intent)) {
        return "nobody knows whether " + name + " happened";
      }
      run_.begun.push_back(intent);
    }
    return "";
  }

  const Registry& registry_;
  const std::function<bool(const Json&)>& has_begun_;
  RunSoFar run_;
  std::map<std::string, Json> open_;  ///< intents of the newest answer without a result
  int restarts_ = 0;                  ///< since the newest answer
};

}  // namespace

RunSoFar read_run(const std::vector<Event>& events, const Registry& registry,
                  const std::function<bool(const Json&)>& has_begun) {
  Reader reader(registry, has_begun);
  for (const Event& event : events) reader.read(event);
  RunSoFar run = reader.finish();
  if (!events.empty()) run.elapsed = milliseconds(events.back().ts_ms - events.front().ts_ms);
  return run;
}

}  // namespace selfagent
