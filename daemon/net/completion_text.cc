#include "net/completion_text.h"

#include "base/string_member.h"
#include "base/utf8.h"

namespace selfagent {

namespace {

// Of one line about a call: who wants all of it has the conversation's events.
constexpr size_t most_line_bytes = 200;

// The first line of `text`, and not too much of it.
std::string brief(const std::string& text) {
  const std::string first = text.substr(0, text.find('\n'));
  if (first.size() <= most_line_bytes) return first;
  return std::string(utf8_prefix(first, most_line_bytes)) + "…";
}

// What `whole` adds to `told`, "" if it is another text.
std::string rest_of(const std::string& whole, const std::string& told) {
  return whole.starts_with(told) ? whole.substr(told.size()) : "";
}

}  // namespace

std::string CompletionText::say(const std::string& text) {
  if (text.empty()) return "";
  // Each answer of the model is a paragraph.
  const std::string added = (step_text_.empty() && !content_.empty() ? "\n\n" : "") + text;
  step_text_ += text;
  content_ += added;
  return added;
}

std::string CompletionText::think(const std::string& text) {
  if (text.empty()) return "";
  const bool fresh = step_reasoning_.empty() && !reasoning_.empty() && reasoning_.back() != '\n';
  const std::string added = (fresh ? "\n" : "") + text;
  step_reasoning_ += text;
  reasoning_ += added;
  return added;
}

std::string CompletionText::line(const std::string& text) {
  const bool inside = !reasoning_.empty() && reasoning_.back() != '\n';
  const std::string added = (inside ? "\n" : "") + text + "\n";
  reasoning_ += added;
  return added;
}

CompletionText::Delta CompletionText::take(const Event& event) {
  const Json& data = event.data;
  if (event.kind == "text_delta") return {live_ ? say(string_member(data, "text")) : "", ""};
  if (event.kind == "reasoning_delta") return {"", live_ ? think(string_member(data, "text")) : ""};
  if (event.kind == "assistant_message") return take_answer(data);
  if (event.kind == "action_result") return take_result(data);
  if (event.kind == "notice") return {"", line("[" + string_member(data, "text") + "]")};
  if (event.kind == "action_intent") {
    if (data.value("automatic", false)) {
      looks_.insert(string_member(data, "call_id"));
      return {};
    }
    const std::string arguments = dump_json(data.value("arguments", Json::object()));
    return {"", line("> " + string_member(data, "tool") + " " + brief(arguments))};
  }
  return {};
}

CompletionText::Delta CompletionText::take_answer(const Json& answer) {
  Delta delta;
  const bool partial = answer.value("partial", false);
  const bool calls = answer.contains("tool_calls");
  const std::string text = string_member(answer, "text");
  const std::string reasoning = string_member(answer, "reasoning");
  if (live_) {
    delta.reasoning = think(rest_of(reasoning, step_reasoning_));
    delta.content = say(rest_of(text, step_text_));
  } else if (!partial) {
    delta.reasoning = think(reasoning);
    if (!last_.empty()) line(std::exchange(last_, {}));
    if (calls && !text.empty()) line(text);
    if (!calls) last_ = text;
  }
  step_text_.clear();
  step_reasoning_.clear();
  if (const auto usage = answer.find("usage"); usage != answer.end() && usage->is_object()) {
    prompt_tokens_ += usage->value("prompt_tokens", int64_t{0});
    completion_tokens_ += usage->value("completion_tokens", int64_t{0});
    cached_tokens_ += usage->value("cached_tokens", int64_t{0});
  }
  return delta;
}

CompletionText::Delta CompletionText::take_result(const Json& result) {
  const bool ok = result.value("ok", true);
  if (ok && looks_.contains(string_member(result, "call_id"))) return {};
  return {"", line((ok ? "  ok: " : "  failed: ") + brief(string_member(result, "text")))};
}

CompletionText::Delta CompletionText::finish(const std::string& reply) {
  if (live_) return {content_.find(reply) == std::string::npos ? say(reply) : "", ""};
  if (!reply.empty() && !last_.empty() && last_ != reply) line(last_);
  return {say(reply.empty() ? last_ : reply), ""};
}

bool ends_with_answer(const Json& data) {
  if (string_member(data, "state") == "succeeded") return true;
  const std::string outcome = string_member(data, "outcome");
  return !string_member(data, "reply").empty() &&
         (outcome == "needs_user" || outcome == "blocked" || outcome == "out_of_budget");
}

Json CompletionText::usage() const {
  return {{"prompt_tokens", prompt_tokens_},
          {"completion_tokens", completion_tokens_},
          {"total_tokens", prompt_tokens_ + completion_tokens_},
          {"prompt_tokens_details", {{"cached_tokens", cached_tokens_}}}};
}

}  // namespace selfagent
