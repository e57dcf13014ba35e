#include "planner/actions.h"

#include "planner/picture_json.h"
#include "tool/command_line.h"
#include "tool/held_input.h"

namespace selfagent {

namespace {

// Longer than any tool waits by itself; a handler that forgot its own limit ends here.
constexpr std::chrono::minutes longest_call{15};

Json intent_of(const Action& action) {
  Json intent = {
      {"call_id", action.call_id}, {"tool", action.tool}, {"arguments", action.arguments}};
  if (action.automatic) intent["automatic"] = true;
  if (!action.approval.empty()) intent["approval"] = action.approval;
  return intent;
}

void note_interruption(ToolResult& result, const std::stop_token& stop) {
  if (!result.is_error || !stop.stop_requested()) return;
  result.content.insert(result.content.begin(), Content{"[interrupted by user]", nullptr});
}

}  // namespace

std::string durable_id(const std::string& job_id, const std::string& call_id) {
  return job_id + "/" + call_id;
}

Actions::~Actions() {
  if (held_ != nullptr && !client_.empty()) held_->client_gone(client_);
}

ActionEnd Actions::perform(const Permit& permit, const std::stop_token& stop, Deadline deadline) {
  const Action& action = permit.action();
  log_.append("action_intent", intent_of(action));
  const auto begin = Clock::now();
  const Tool* tool = registry_.find(action.tool);
  if (tool == nullptr) tool = own_.find(action.tool);
  ToolResult result;
  bool ran = false;
  if (tool == nullptr) {
    result = ToolResult::error(registry_.unknown(action.tool));
  } else {
    try {
      ToolContext context = context_of(action, stop, deadline);
      held_ = context.held;
      result = call_tool(*tool, action.arguments, context);
      ran = true;
    } catch (const ParameterError& error) {
      result =
          ToolResult::error(action.tool + " was not run: " + error.what() +
                            ". Correct the arguments and call it again; usage: " + usage(*tool));
    } catch (const std::exception& error) {
      result = ToolResult::error(action.tool + " was not run: " + error.what());
    }
  }
  note_interruption(result, stop);
  ActionEnd end = record(action, result, begin);
  end.ran = ran;
  return end;
}

ToolContext Actions::context_of(const Action& action, const std::stop_token& stop,
                                Deadline deadline) {
  ToolContext context = contexts_(stop, deadline.sooner(Deadline::after(longest_call)));
  context.client = client_;
  context.durable_id = durable_id(log_.job_id(), action.call_id);
  return context;
}

void Actions::go_on(const Action& action, const std::stop_token& stop, Deadline deadline) {
  const auto begin = Clock::now();
  const Tool* tool = registry_.find(action.tool);
  ToolContext context = context_of(action, stop, deadline);
  const Resumption resumption = resumption_of(tool, action.arguments, context);
  if (!resumption) return;
  ToolResult result = resume_call(*tool, resumption, context);
  note_interruption(result, stop);
  record(action, result, begin);
}

ActionEnd Actions::refuse(const Action& action, const std::string& text) {
  log_.append("action_intent", intent_of(action));
  return record(action, ToolResult::error(text), Clock::now());
}

ActionEnd Actions::record(const Action& action, const ToolResult& result, Clock::time_point begin) {
  ActionEnd end;
  end.ok = !result.is_error;
  end.text = result.all_text();
  const auto elapsed = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
  Json images = Json::array();
  for (const auto& block : result.content) {
    if (!block.image) continue;
    end.sha256 = log_.store().put_blob(block.image->bytes);
    images.push_back(picture_json(end.sha256, *block.image));
    if (on_picture) on_picture(end.sha256, block.image);
  }
  Json event = {
      {"call_id", action.call_id}, {"tool", action.tool}, {"ok", end.ok},
      {"text", end.text},          {"images", images},    {"elapsed_ms", elapsed.count()}};
  if (action.retell) {
    std::string told = action.retell(end.text);
    if (told != end.text) event["model_text"] = std::move(told);
  }
  log_.append("action_result", std::move(event));
  return end;
}

}  // namespace selfagent
