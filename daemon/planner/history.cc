#include "planner/history.h"

#include <algorithm>

#include "base/base64.h"
#include "base/utf8.h"
#include "planner/turns.h"
#include "store/cut.h"
#include "store/each_event.h"

namespace selfagent {

namespace {

constexpr size_t page_of_events = 2'000;
constexpr size_t smallest_text_bytes = 4'000;
// The user's own words in the part that is left out: each up to so much, the newest so many.
constexpr size_t kept_prompt_bytes = 4'000;
constexpr size_t kept_prompts = 20;

size_t size_of(const Turn& turn) {
  size_t bytes = turn.text.size();
  for (const auto& part : turn.parts) bytes += part.text.size();
  if (turn.role != Turn::Role::assistant) return bytes;
  const auto reasoning = turn.assistant.find("reasoning");
  if (reasoning != turn.assistant.end() && reasoning->is_string()) {
    bytes += reasoning->get_ref<const std::string&>().size();
  }
  const auto written = turn.assistant.find("written");
  if (written != turn.assistant.end() && written->is_string()) {
    return bytes + written->get_ref<const std::string&>().size();
  }
  const auto calls = turn.assistant.find("tool_calls");
  if (calls == turn.assistant.end() || !calls->is_array()) return bytes;
  for (const auto& call : *calls) bytes += call.value("arguments", "").size() + 40;
  return bytes;
}

// The first turn that stays. Told from the beginning each time, so that the answer for a longer
// conversation is the same until the next half must leave. Cuts stand before a turn that needs none
// before it.
size_t first_kept(const std::vector<Turn>& turns, size_t budget) {
  size_t first = 0;
  size_t total = 0;
  for (size_t i = 0; i < turns.size(); ++i) {
    total += size_of(turns[i]);
    if (total <= budget) continue;
    while (first < i && total > budget / 2) total -= size_of(turns[first++]);
    // An answer to a call without the call would be refused; so go on to the next answer of the
    // model.
    while (first < i && turns[first].role != Turn::Role::assistant)
      total -= size_of(turns[first++]);
  }
  // The end of the loop may stand between a call and its answers: step back to the call.
  while (first > 0 && first < turns.size() && turns[first].role == Turn::Role::tool) --first;
  return first;
}

std::string left_out_note(const std::vector<Turn>& turns, size_t first) {
  std::vector<std::string> prompts;
  for (size_t i = 0; i < first; ++i) {
    prompts.insert(prompts.end(), turns[i].prompts.begin(), turns[i].prompts.end());
  }
  std::string note = "[The earlier part of this conversation, " + std::to_string(first) +
                     " messages, is left out; recall reads and searches it. The user said in it:]";
  const size_t begin = prompts.size() > kept_prompts ? prompts.size() - kept_prompts : 0;
  for (size_t i = begin; i < prompts.size(); ++i) {
    note += "\n\n" + std::string(utf8_prefix(prompts[i], kept_prompt_bytes));
  }
  return note;
}

Json assistant_message(const Turn& turn) {
  Json message = {{"role", "assistant"}};
  const Json& data = turn.assistant;
  const Json calls = data.value("tool_calls", Json::array());
  message["content"] = turn.text.empty() && !calls.empty() ? Json(nullptr) : Json(turn.text);
  if (data.contains("written")) message["written"] = data["written"];
  const std::string field = data.value("reasoning_field", "");
  if (!field.empty()) message[field] = data.value("reasoning", "");
  if (data.contains("reasoning_details")) message["reasoning_details"] = data["reasoning_details"];
  for (const auto& call : calls) {
    Json entry = {
        {"id", call.value("id", "")},
        {"type", "function"},
        {"function",
         {{"name", call.value("name", "")}, {"arguments", call.value("arguments", "{}")}}}};
    if (call.contains("extra") && call["extra"].is_object()) entry.update(call["extra"]);
    message["tool_calls"].push_back(std::move(entry));
  }
  return message;
}

}  // namespace

HistoryLimits limits_for(int64_t tokens, size_t fixed_bytes) {
  // Of mixed text, JSON and code, rather too few than too many.
  constexpr double bytes_per_token = 3;
  constexpr double used_share = 0.9;  // estimates are wrong
  constexpr int64_t picture_tokens = 1'300;
  constexpr int64_t small_window = 32'768;
  constexpr int64_t answer_tokens = 4'096;
  HistoryLimits limits;
  if (tokens <= 0) return limits;
  if (tokens <= small_window) {
    limits.keep_pictures = 1;
    limits.picture_step = 2;
  }
  const int64_t pictures = picture_tokens * (limits.keep_pictures + limits.picture_step - 1);
  const double left = used_share * static_cast<double>(tokens) -
                      static_cast<double>(pictures + std::min(answer_tokens, tokens / 4)) -
                      static_cast<double>(fixed_bytes) / bytes_per_token;
  const double bytes = std::max(left * bytes_per_token, static_cast<double>(smallest_text_bytes));
  limits.text_bytes = std::min(limits.text_bytes, static_cast<size_t>(bytes));
  return limits;
}

History::History(const Store& store, const std::string& conversation_id) : store_(store) {
  if (conversation_id.empty()) return;
  each_event(store, conversation_id, "", page_of_events,
             [this](const Event& event) { add(event); });
}

void History::add(const Event& event) {
  if (event.kind == "rewound") {
    events_.resize(kept_by(events_, event));
    return;
  }
  events_.push_back(event);
  // A call that was asked about keeps its id, though it has not run.
  if (event.kind == "action_intent" || event.kind == "approval_request") {
    call_ids_.insert(event.data.value("call_id", ""));
  }
}

void History::keep(const std::string& sha256, EncodedImagePtr picture) {
  const std::string& text = picture->base64;
  base64_[sha256] = std::shared_ptr<const std::string>(std::move(picture), &text);
}

std::string History::picture_url(const std::string& sha256, const std::string& mime) {
  auto& text = used_[sha256];
  if (!text) {
    if (const auto known = base64_.find(sha256); known != base64_.end()) {
      text = known->second;
    } else if (const auto bytes = store_.blob(sha256)) {
      text = std::make_shared<const std::string>(base64_encode(*bytes));
    }
  }
  return text ? "data:" + mime + ";base64," + *text : "";
}

Json History::messages(const HistoryLimits& limits) {
  std::vector<Turn> turns = make_turns(events_);
  const size_t first = first_kept(turns, limits.text_bytes);
  if (first > 0) {
    const Part note{left_out_note(turns, first), "", ""};
    turns.erase(turns.begin(), turns.begin() + static_cast<std::ptrdiff_t>(first));
    if (turns.empty() || turns.front().role != Turn::Role::user)
      turns.insert(turns.begin(), Turn());
    turns.front().parts.insert(turns.front().parts.begin(), note);
  }

  text_bytes_ = 0;
  for (const auto& turn : turns) text_bytes_ += size_of(turn);

  // A picture that equals the one before it is said in words.
  int pictures = 0;
  std::string previous;
  for (auto& turn : turns) {
    for (auto& part : turn.parts) {
      if (part.sha256.empty()) continue;
      if (part.sha256 == previous) {
        part = {"[" + part.text + ": exactly the same as the picture before]", "", ""};
      } else {
        previous = part.sha256;
        ++pictures;
      }
    }
  }
  const int step = std::max(1, limits.picture_step);
  int leave = std::max(0, pictures - limits.keep_pictures - pictures % step);
  if (!limits.pictures) leave = pictures;

  used_.clear();
  Json messages = Json::array();
  for (const auto& turn : turns) {
    if (turn.role == Turn::Role::assistant) {
      messages.push_back(assistant_message(turn));
      continue;
    }
    if (turn.role == Turn::Role::tool) {
      messages.push_back(
          {{"role", "tool"}, {"tool_call_id", turn.call_id}, {"content", turn.text}});
      continue;
    }
    Json parts = Json::array();
    std::string text;
    bool has_picture = false;
    for (const auto& part : turn.parts) {
      std::string url;
      std::string words = part.text;
      if (!part.sha256.empty()) {
        if (leave > 0) {
          --leave;
          words = "[" + part.text + (limits.pictures ? ": no longer shown]" : ": not shown]");
        } else {
          url = picture_url(part.sha256, part.mime);
          words = "[" + part.text + (url.empty() ? ": lost]" : "]");
        }
      }
      text += (text.empty() ? "" : "\n\n") + words;
      if (url.empty()) continue;
      has_picture = true;
      parts.push_back({{"type", "text"}, {"text", std::move(text)}});
      text.clear();
      parts.push_back({{"type", "image_url"}, {"image_url", {{"url", std::move(url)}}}});
    }
    if (!has_picture) {
      messages.push_back({{"role", "user"}, {"content", text}});
      continue;
    }
    if (!text.empty()) parts.push_back({{"type", "text"}, {"text", text}});
    messages.push_back({{"role", "user"}, {"content", std::move(parts)}});
  }
  base64_ = used_;
  return messages;
}

}  // namespace selfagent
