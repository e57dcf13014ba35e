#include "planner/recall.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/log.h"
#include "base/lower.h"
#include "base/string_member.h"
#include "base/utf8.h"
#include "planner/turns.h"
#include "store/search_text.h"

namespace selfagent {

namespace {

constexpr size_t longest_page = 20'000;
constexpr size_t longest_page_note = 100;
constexpr size_t most_matches = 20;
constexpr size_t most_ranked = 500;  // that the index is asked for
constexpr size_t snippet_bytes = 300;

struct Args {
  std::string call_id;
  int64_t offset = 0;
  std::string query;
};

// From `offset` on, or from the next beginning of a character.
std::string page_of(const std::string& text, size_t offset, size_t page_bytes) {
  offset = next_character(text, offset);
  const std::string part(utf8_prefix(std::string_view(text).substr(offset), page_bytes));
  const size_t end = offset + part.size();
  std::string note = "bytes " + std::to_string(offset) + " to " + std::to_string(end) + " of " +
                     std::to_string(text.size());
  if (end < text.size()) note += ", go on with offset " + std::to_string(end);
  return "[" + note + "]\n" + part;
}

bool is_meant(const Event& event, const std::string& id) {
  if (event.kind == "user_message") return message_handle(event.seq) == id;
  return event.kind == "action_result" && string_member(event.data, "call_id") == id;
}

ToolResult read_result(const Args& args, const History& history) {
  const std::vector<Event>& events = history.events();
  const auto at = std::find_if(events.rbegin(), events.rend(),
                               [&](const Event& event) { return is_meant(event, args.call_id); });
  if (at == events.rend()) {
    return ToolResult::error("no call " + args.call_id +
                             " has a result in this conversation: search for words of it with "
                             "query, which names the calls");
  }
  const std::string text = string_member(at->data, "text");
  const auto offset = static_cast<size_t>(args.offset);
  if (offset > text.size()) {
    return ToolResult::error("offset " + std::to_string(offset) + " is beyond the " +
                             std::to_string(text.size()) + " bytes of this result");
  }
  // A page is a result, too, and must be shown whole.
  const size_t shown = history.result_bytes() - longest_page_note;
  return ToolResult::text(page_of(text, offset, std::min(longest_page, shown)));
}

std::string who(const Event& event) {
  if (event.kind == "user_message") return "the user (call_id " + message_handle(event.seq) + ")";
  if (event.kind == "assistant_message") return "you";
  const std::string result =
      string_member(event.data, "tool") + " (call_id " + string_member(event.data, "call_id") + ")";
  return event.kind == "action_intent" ? "your call of " + result : result;
}

bool is_searched(const Event& event) {
  if (event.kind == "action_intent") return string_member(event.data, "tool") != "recall";
  if (event.kind == "action_result") return string_member(event.data, "tool") != "recall";
  return event.kind == "user_message" || event.kind == "assistant_message";
}

std::string text_of(const Event& event) {
  if (event.kind == "action_intent")
    return dump_json(event.data.value("arguments", Json::object()));
  return string_member(event.data, "text");
}

std::string snippet(const std::string& text, size_t at) {
  const size_t begin = next_character(text, at - std::min(at, snippet_bytes / 3));
  std::string part(utf8_prefix(std::string_view(text).substr(begin), snippet_bytes));
  std::replace(part.begin(), part.end(), '\n', ' ');
  return (begin > 0 ? "…" : "") + part + (begin + part.size() < text.size() ? "…" : "");
}

std::vector<std::string> words_of(const std::string& query) {
  std::istringstream stream(lower(query));
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

bool has_all(const std::string& text, const std::vector<std::string>& words) {
  const std::string plain = lower(text);
  return std::all_of(words.begin(), words.end(), [&](const std::string& word) {
    return plain.find(word) != std::string::npos;
  });
}

size_t count(const std::string& text, const std::string& word) {
  size_t found = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

// The first place of the word that the text has least often: that tells most. 0 if the index has
// found them in another spelling.
size_t place_of(const std::string& text, const std::vector<std::string>& words) {
  const std::string plain = lower(text);
  size_t fewest = std::string::npos;
  size_t place = 0;
  for (const auto& word : words) {
    const size_t found = count(plain, word);
    if (found == 0 || found >= fewest) continue;
    fewest = found;
    place = plain.find(word);
  }
  return place;
}

/// What a search has found, each event once, the best first.
class Matches {
 public:
  Matches(const std::string& query, const History& history)
      : history_(history), words_(words_of(query)) {
    if (words_.empty()) return;
    const FoundEvents indexed = find(query);
    for (const int64_t seq : indexed.seqs) add(history_.event(seq));
    // What the index has not read: the newest events, and the ends of very long texts.
    search([&](const Event& event) {
      return event.seq > indexed.through || text_of(event).size() > most_searched_bytes;
    });
    // The index knows beginnings of words only.
    if (events_.empty()) search([](const Event&) { return true; });
  }

  const std::vector<const Event*>& events() const { return events_; }
  const std::vector<std::string>& words() const { return words_; }

 private:
  FoundEvents find(const std::string& query) const {
    try {
      return history_.find(query, most_ranked);
    } catch (const Error& error) {
      log::warn("recall searches without the index: {}", error.what());
      return {};
    }
  }

  void add(const Event* event) {
    if (event == nullptr || !is_searched(*event) || !known_.insert(event->seq).second) return;
    events_.push_back(event);
  }

  template <class Where>
  void search(const Where& where) {
    const auto& all = history_.events();
    for (auto event = all.rbegin(); event != all.rend(); ++event) {
      if (is_searched(*event) && where(*event) && has_all(text_of(*event), words_)) add(&*event);
    }
  }

  const History& history_;
  const std::vector<std::string> words_;
  std::vector<const Event*> events_;
  std::set<int64_t> known_;
};

ToolResult search(const std::string& query, const History& history) {
  const Matches matches(query, history);
  if (matches.words().empty()) return ToolResult::error("the query has no word");
  const auto& events = matches.events();
  if (events.empty()) {
    return ToolResult::text("nothing in this conversation has all of these words: try fewer");
  }
  std::string text = "the best first:";
  size_t shown = 0;
  for (const Event* event : events) {
    const std::string whole = text_of(*event);
    const size_t at = place_of(whole, matches.words());
    const std::string line =
        "\n- " + who(*event) + ", byte " + std::to_string(at) + ": " + snippet(whole, at);
    // The list is a result, too, and must be shown whole.
    const bool fits = text.size() + line.size() + longest_page_note <= history.result_bytes();
    if (shown == most_matches || (shown > 0 && !fits)) break;
    text += line;
    ++shown;
  }
  if (const size_t more = events.size() - shown; more > 0) {
    text += "\nand " + std::to_string(more) + (events.size() >= most_ranked ? " or more" : "") +
            " others: add a word to narrow it";
  }
  return ToolResult::text(text);
}

}  // namespace

Tool recall_tool(const History& history, Annotations annotations) {
  return make_tool<Args>(
      {.name = "recall",
       .title = "Recall",
       .description =
           "Reads what is no longer shown of this conversation. With call_id: the whole "
           "result of that call, up to 20,000 bytes from offset on. With query: where all of "
           "its words occur in what the user and you said, in calls and in results.",
       .area = ToolArea::any,
       .annotations = annotations,
       .params = {param("call_id", &Args::call_id, "The id of an earlier call, or of a message.")
                      .optional(),
                  param("offset", &Args::offset, "With call_id: the first byte.")
                      .range(0, 1'000'000'000)
                      .optional(),
                  param("query", &Args::query,
                        "Words, in any order and case; their beginnings are enough.")
                      .optional()},
       .run = [&history](const Args& args, ToolContext&) {
         if (args.call_id.empty() == args.query.empty()) {
           throw ParameterError("give call_id or query, one of them");
         }
         return args.query.empty() ? read_result(args, history) : search(args.query, history);
       }});
}

}  // namespace selfagent
