#include "planner/history.h"

#include <algorithm>

#include "base/base64.h"
#include "base/utf8.h"
#include "planner/facts.h"
#include "planner/pictures.h"
#include "planner/summary.h"
#include "planner/turns.h"
#include "store/cut.h"
#include "store/each_event.h"

namespace selfagent {

namespace {

constexpr size_t page_of_events = 2'000;
// Of text_bytes after some has left.
constexpr double kept_share = 0.45;

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
size_t first_kept(const std::vector<Turn>& turns, const HistoryLimits& limits) {
  const auto kept = static_cast<size_t>(kept_share * static_cast<double>(limits.text_bytes));
  size_t first = 0;
  size_t total = 0;
  for (size_t i = 0; i < turns.size(); ++i) {
    total += size_of(turns[i]);
    if (total + (first > 0 ? limits.note_bytes() : 0) <= limits.text_bytes) continue;
    while (first < i && total > kept) total -= size_of(turns[first++]);
    // An answer to a call without the call would be refused; so go on to the next answer of the
    // model.
    while (first < i && turns[first].role != Turn::Role::assistant)
      total -= size_of(turns[first++]);
  }
  // The end of the loop may stand between a call and its answers: step back to the call.
  while (first > 0 && first < turns.size() && turns[first].role == Turn::Role::tool) --first;
  return first;
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

size_t HistoryLimits::note_bytes() const {
  return std::clamp(text_bytes / 5, size_t{1'500}, size_t{24'000});
}

size_t HistoryLimits::result_bytes() const {
  return std::clamp(text_bytes / 6, size_t{1'500}, size_t{32'000});
}

HistoryLimits limits_for(int64_t tokens, size_t fixed_bytes) {
  // Of mixed text, JSON and code, rather too few than too many.
  constexpr double bytes_per_token = 3;
  constexpr double fixed_bytes_per_token = 3.6;  // English and schemas, which are known
  constexpr double used_share = 0.9;             // estimates are wrong
  constexpr int64_t picture_tokens = 1'300;
  constexpr int64_t small_window = 32'768;
  constexpr int64_t tiny_window = 16'384;
  constexpr int64_t answer_tokens = 4'096;
  HistoryLimits limits;
  if (tokens <= 0) return limits;
  if (tokens <= small_window) {
    limits.keep_pictures = 1;
    limits.picture_step = tokens <= tiny_window ? 1 : 2;
  }
  const int64_t pictures = picture_tokens * (limits.keep_pictures + limits.picture_step - 1);
  const double left = used_share * static_cast<double>(tokens) -
                      static_cast<double>(pictures + std::min(answer_tokens, tokens / 6)) -
                      static_cast<double>(fixed_bytes) / fixed_bytes_per_token;
  const double bytes = std::max(left * bytes_per_token, static_cast<double>(smallest_text_bytes));
  limits.text_bytes = static_cast<size_t>(bytes);
  return limits;
}

History::History(const Store& store, const std::string& conversation_id)
    : store_(store), conversation_id_(conversation_id) {
  if (conversation_id.empty()) return;
  each_event(store, conversation_id, "", page_of_events,
             [this](const Event& event) { add(event); });
}

void History::add(const Event& event) {
  if (event.kind == "rewound") {
    events_.resize(kept_by(events_, event));
    facts_through_ = {0, 0};
    return;
  }
  events_.push_back(event);
  // A call that was asked about keeps its id, though it has not run.
  if (event.kind == "action_intent" || event.kind == "approval_request") {
    call_ids_.insert(event.data.value("call_id", ""));
  }
}

const Event* History::event(int64_t seq) const {
  const auto at =
      std::lower_bound(events_.begin(), events_.end(), seq,
                       [](const Event& event, int64_t number) { return event.seq < number; });
  return at == events_.end() || at->seq != seq ? nullptr : &*at;
}

FoundEvents History::find(const std::string& query, size_t limit) const {
  if (events_.empty() || conversation_id_.empty()) return {};
  return store_.search_events(conversation_id_, events_.front().seq, events_.back().seq, query,
                              limit);
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

// The same until more is left out, but for a summary that was made of it meanwhile.
std::string History::left_out_note(size_t messages, const HistoryLimits& limits) {
  const size_t facts_bytes = limits.note_bytes() - limits.summary_bytes();
  const std::pair through{left_out_through_, facts_bytes};
  if (facts_through_ != through) {
    facts_ = facts_of(events_, left_out_through_, facts_bytes);
    facts_through_ = through;
  }
  std::string note = "[The earlier part of this conversation, " + std::to_string(messages) +
                     " messages, is left out; recall reads and searches it. The user said in it:]" +
                     facts_;
  if (const auto summary = newest_summary(events_, left_out_through_)) {
    const bool whole = summary->through_seq == left_out_through_;
    note += std::string("\n\n[Your own summary of it") +
            (whole ? "" : ", without the newest part") + ":]\n" +
            std::string(utf8_prefix(summary->text, limits.summary_bytes()));
  }
  return note;
}

Json History::messages(const HistoryLimits& limits) {
  result_bytes_ = limits.result_bytes();
  std::vector<Turn> turns = make_turns(events_, result_bytes_);
  mark_first_picture(turns, limits);
  const size_t first = first_kept(turns, limits);
  left_out_through_ = first > 0 ? turns[first].seq - 1 : 0;
  if (first > 0) {
    std::vector<Part> note{{left_out_note(first, limits), "", ""}};
    for (size_t i = 0; i < first; ++i) {
      for (const Part& part : turns[i].parts) {
        if (part.kept) note.push_back(part);
      }
    }
    turns.erase(turns.begin(), turns.begin() + static_cast<std::ptrdiff_t>(first));
    if (turns.empty() || turns.front().role != Turn::Role::user)
      turns.insert(turns.begin(), Turn());
    turns.front().parts.insert(turns.front().parts.begin(), note.begin(), note.end());
  }

  text_bytes_ = 0;
  for (const auto& turn : turns) text_bytes_ += size_of(turn);

  choose_pictures(turns, limits);

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
        if (part.hidden) {
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
