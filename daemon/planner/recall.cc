#include "planner/recall.h"

#include <algorithm>
#include <sstream>

#include "base/lower.h"
#include "base/string_member.h"
#include "base/utf8.h"
#include "planner/turns.h"

namespace selfagent {

namespace {

constexpr size_t longest_page = 20'000;
constexpr size_t longest_page_note = 100;
constexpr size_t most_matches = 20;
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
  return string_member(event.data, "tool") + " (call_id " + string_member(event.data, "call_id") +
         ")";
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

// Where the first of `words` stands if all of them occur, else npos.
size_t find_all(const std::string& text, const std::vector<std::string>& words) {
  const std::string plain = lower(text);
  size_t first = std::string::npos;
  for (const auto& word : words) {
    const size_t at = plain.find(word);
    if (at == std::string::npos) return at;
    first = std::min(first, at);
  }
  return first;
}

ToolResult search(const std::string& query, const std::vector<Event>& events) {
  std::istringstream stream(lower(query));
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words.empty()) return ToolResult::error("the query has no word");
  std::vector<std::string> lines;
  size_t more = 0;
  for (auto event = events.rbegin(); event != events.rend(); ++event) {
    if (!is_searched(*event)) continue;
    const std::string text = text_of(*event);
    const size_t at = find_all(text, words);
    if (at == std::string::npos) continue;
    if (lines.size() < most_matches) {
      lines.push_back("- " + who(*event) + ", byte " + std::to_string(at) + ": " +
                      snippet(text, at));
    } else {
      ++more;
    }
  }
  if (lines.empty()) {
    return ToolResult::text("nothing in this conversation has all of these words: try fewer");
  }
  std::string text = "newest first:";
  for (const auto& line : lines) text += "\n" + line;
  if (more > 0) text += "\nand " + std::to_string(more) + " older ones: add a word to narrow it";
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
                  param("query", &Args::query, "Words, in any order and case.").optional()},
       .run = [&history](const Args& args, ToolContext&) {
         if (args.call_id.empty() == args.query.empty()) {
           throw ParameterError("give call_id or query, one of them");
         }
         return args.query.empty() ? read_result(args, history)
                                   : search(args.query, history.events());
       }});
}

}  // namespace selfagent
