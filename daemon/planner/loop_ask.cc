// How a run asks its model: the request, its retries, and what is kept of the answer.
#include <algorithm>

#include "base/error.h"
#include "planner/conditions.h"
#include "planner/loop.h"
#include "planner/prompt.h"
#include "planner/sight.h"

namespace selfagent {

namespace {

constexpr int max_empty_answers = 3;
// Its notation of calls does not get better by being asked more often.
constexpr int max_malformed_answers = 4;

constexpr const char* nudge_text =
    "[Your last answer was empty. Go on with the task: call a tool, or say what the result is.]";

void append_text(Json& messages, const std::string& text) {
  if (!messages.empty() && messages.back()["role"] == "user") {
    Json& content = messages.back()["content"];
    if (content.is_array()) {
      content.push_back({{"type", "text"}, {"text", text}});
    } else {
      content = content.get<std::string>() + "\n\n" + text;
    }
    return;
  }
  messages.push_back({{"role", "user"}, {"content", text}});
}

}  // namespace

Completion Loop::ask(const std::stop_token& stop) {
  int empty = 0;
  while (true) {
    Completion completion;
    try {
      completion = ask_once(empty > 0, stop);
    } catch (const Error& error) {
      keep_partial();
      if (error.code() != ErrorCode::resource_exhausted || !shrink_prompt()) throw;
      continue;
    }
    sees_pictures_ = completion.saw_pictures;
    check_window(completion);
    const bool empty_answer =
        completion.text.empty() && completion.tool_calls.empty() && completion.malformed.empty();
    if (!empty_answer) return completion;
    if (completion.finish_reason == "content_filter") {
      throw Error(
          ErrorCode::unavailable,
          "the model server's content filter withheld the answer: say the task in other words");
    }
    const bool cut = completion.finish_reason == "length";
    if (++empty >= max_empty_answers || steps() >= max_steps_) {
      throw Error(ErrorCode::unavailable,
                  "the model answered nothing " + std::to_string(empty) + " times" +
                      (cut ? " because it reached its output limit: give the model server a larger "
                             "context window or output limit"
                           : ": send the message again, or use another model"));
    }
    keep_partial();
    log_.notice("The model's answer was empty; asking again.");
  }
}

// A question that is no step of the task.
Completion Loop::ask_beside(const CompletionRequest& asked, const std::stop_token& stop) {
  Completion answer = model_(asked, stop);
  budget_.add(answer);
  return answer;
}

Completion Loop::ask_once(bool nudge, const std::stop_token& stop) {
  budget_.add_step();
  CompletionRequest asked = request(nudge);
  if (summariser_.update(limits_, steps(), stop)) asked = request(nudge);
  if (sees_pictures_) {
    asked.without_pictures = [this, nudge, &stop] {
      sees_pictures_ = false;
      look(stop, deadline_);
      return request(nudge);
    };
  }
  return model_(asked, stop);
}

CompletionRequest Loop::request(bool nudge) {
  limits_.pictures = sees_pictures_;
  CompletionRequest request;
  request.messages =
      Json::array({{{"role", "system"}, {"content", system_prompt(sees_pictures_)}}});
  for (auto& message : history_.messages(limits_)) request.messages.push_back(std::move(message));
  // At the very end, which no server needs to keep for the next request.
  const std::string note = conditions_note(read_conditions(history_.events()));
  if (!note.empty()) append_text(request.messages, note);
  if (nudge) append_text(request.messages, nudge_text);
  request.tools = tools();
  request.by_fallback = other_steps_ > 0;
  request.on_text = [this](const std::string& piece) {
    partial_text_ += piece;
    log_.announce("text_delta", {{"text", piece}});
  };
  request.on_reasoning = [this](const std::string& piece) {
    partial_reasoning_ += piece;
    log_.announce("reasoning_delta", {{"text", piece}});
  };
  request.on_notice = [this](const std::string& text) {
    keep_partial();
    log_.notice(text);
  };
  return request;
}

size_t Loop::fixed_bytes() const {
  return system_prompt(sees_pictures_).size() + dump_json(tools()).size();
}

// The prompt was larger than the model's window: halves what is kept. If hardly anything is, the
// tools are what is too large.
bool Loop::shrink_prompt() {
  limits_.text_bytes = std::min(limits_.text_bytes, history_.text_bytes()) / 2;
  limits_.keep_pictures = 1;
  limits_.picture_step = 2;
  if (limits_.text_bytes < smallest_text_bytes) {
    if (window_tokens_ > 0 && window_tokens_ <= smallest_window_tokens) return false;
    fit(smallest_window_tokens);
  }
  log_.notice(
      "The conversation is larger than the model's context window: older parts are left out.");
  return true;
}

// Said before the first request, as what comes of it may be nonsense.
void Loop::warn_of_window() {
  if (window_tokens_ <= 0 || window_tokens_ >= smallest_window_tokens) return;
  window_checked_ = true;
  log_.notice("The model's context window has " + std::to_string(window_tokens_) +
              " tokens, and a task needs at least " + std::to_string(smallest_window_tokens) +
              ": give it a larger one (Ollama: set OLLAMA_CONTEXT_LENGTH=32768 or more; llama.cpp: "
              "--ctx-size).");
}

// Ollama's default window is 4096 tokens, the tools alone need more; it cuts the beginning off and
// says nothing.
void Loop::check_window(const Completion& completion) {
  if (window_checked_ || completion.prompt_tokens <= 0) return;
  window_checked_ = true;
  // No text of a conversation has so many bytes per token; what was cached is not counted by some
  // servers.
  constexpr size_t most_bytes_per_token = 7;
  const size_t sent = history_.text_bytes() + fixed_bytes();
  const auto read = static_cast<size_t>(completion.prompt_tokens + completion.cached_tokens);
  if (read * most_bytes_per_token >= sent) return;
  log_.notice("The model server read only " + std::to_string(read) +
              " tokens of a prompt of about " + std::to_string(sent / 4) +
              ": its context window seems too small, and it drops the beginning silently. Give it "
              "a larger one (Ollama: "
              "set OLLAMA_CONTEXT_LENGTH=32768 or more).");
}

// What came of an answer that then failed: shown to the user, never to the model.
void Loop::keep_partial() {
  if (!partial_text_.empty() || !partial_reasoning_.empty()) {
    Json data = {{"text", partial_text_}, {"partial", true}};
    if (!partial_reasoning_.empty()) data["reasoning"] = partial_reasoning_;
    log_.append("assistant_message", std::move(data));
  }
  partial_text_.clear();
  partial_reasoning_.clear();
}

void Loop::record_answer(const Completion& completion, const std::vector<PlannedAction>& calls) {
  partial_text_.clear();
  partial_reasoning_.clear();
  last_text_ = completion.text;
  Json data = {{"text", completion.text}};
  if (!completion.written.empty()) data["written"] = completion.written;
  if (!completion.reasoning.empty()) data["reasoning"] = completion.reasoning;
  if (!completion.reasoning_field.empty()) data["reasoning_field"] = completion.reasoning_field;
  if (completion.reasoning_details.is_array()) {
    data["reasoning_details"] = completion.reasoning_details;
  }
  std::string repaired;
  for (const auto& call : calls) {
    Json entry = {{"id", call.action.call_id}, {"name", call.name}, {"arguments", call.arguments}};
    if (call.extra.is_object() && !call.extra.empty()) entry["extra"] = call.extra;
    data["tool_calls"].push_back(std::move(entry));
    if (call.repaired) repaired += (repaired.empty() ? "" : ", ") + call.name;
  }
  if (completion.prompt_tokens > 0) {
    data["usage"] = {{"prompt_tokens", completion.prompt_tokens},
                     {"completion_tokens", completion.completion_tokens},
                     {"cached_tokens", completion.cached_tokens}};
  }
  log_.append("assistant_message", std::move(data));
  if (!repaired.empty()) {
    log_.notice("The model wrote broken JSON as the arguments of " + repaired + ": repaired.");
  }
  if (calls.empty() && completion.finish_reason == "length") {
    log_.notice("The answer was cut off by the model server's output limit.");
  }
}

// A call in the text that could not be read is asked for again, with what is wrong about it.
void Loop::ask_again(const Completion& completion) {
  if (completion.malformed.empty()) {
    malformed_ = 0;
    return;
  }
  if (++malformed_ >= max_malformed_answers) {
    throw Error(ErrorCode::unavailable,
                "the model wrote tool calls that cannot be read " + std::to_string(malformed_) +
                    " times in a row (" +
                    completion.malformed.substr(0, completion.malformed.find(". Write it again")) +
                    "): set LLM_TOOL_PROTOCOL to another notation, or use another model");
  }
  advise("Not run: " + completion.malformed);
}

}  // namespace selfagent
