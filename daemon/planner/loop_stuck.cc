// What a run does that goes in circles: another model, then the user, then the end.
#include "planner/loop.h"

namespace selfagent {

namespace {

// Enough to find another way, and to take the first steps on it.
constexpr int steps_of_other_model = 10;

}  // namespace

void Loop::ask_other_model() {
  other_steps_ = steps_of_other_model;
  log_.notice("The model goes in circles: " + fallback_ + " takes over for the next " +
              std::to_string(steps_of_other_model) + " steps.");
}

// Whether a run of this conversation has ended with such a question and none has succeeded since.
bool Loop::asked_when_stuck() const {
  const auto& events = history_.events();
  for (auto event = events.rbegin(); event != events.rend(); ++event) {
    if (event->job_id == log_.job_id()) continue;
    if (event->data.value("stuck", false)) return true;
    if (event->kind == "run_finished" &&
        event->data.value("outcome", "").starts_with("succeeded")) {
      return false;
    }
  }
  return false;
}

// The user is asked once: an answer that did not help is followed by the end.
RunOutcome Loop::stuck_end(const std::string& fact) {
  if (log_.conversation_id().empty() || asked_when_stuck()) {
    return {JobState::failed,
            "it went in circles: " + fact + ": send another message that helps it on", last_text_,
            steps(), "failed"};
  }
  const std::string question =
      "I go in circles: I did " + fact + ". What I tried last:" + stuck_.tried() +
      "\nHow shall I go on? Tell me another way, or change what is in the way.";
  log_.append("notice",
              {{"text", "The user was asked: " + question}, {"to_model", true}, {"stuck", true}});
  return outcome_of({"needs_user", question, nullptr}, steps());
}

}  // namespace selfagent
