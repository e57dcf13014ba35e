#include "store/search_text.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "base/lower.h"
#include "base/utf8.h"

namespace selfagent {

namespace {

constexpr size_t excerpt_bytes = 200;

bool stands_alone(char32_t c) {
  return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7AF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

// FTS5 finds nothing for a phrase without a word, so signs alone must not become one.
bool is_sign(char32_t c) {
  if (c < 0x80) return std::isalnum(static_cast<int>(c)) == 0;
  return c <= 0xBF || (c >= 0x2000 && c <= 0x2BFF) || (c >= 0x3000 && c <= 0x303F) ||
         (c >= 0xFF00 && c <= 0xFF0F);
}

std::vector<std::string> words_of(const std::string& query) {
  std::istringstream stream(query);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    const auto characters = code_points(word);
    if (!std::all_of(characters.begin(), characters.end(), is_sign)) words.push_back(word);
  }
  return words;
}

// Each word in quotes, where nothing of it is syntax.
std::vector<std::string> phrases_of(const std::string& query) {
  std::vector<std::string> phrases;
  for (std::string word : words_of(to_utf8(query))) {
    // What would end the quotes, or the text for SQLite.
    std::replace_if(word.begin(), word.end(), [](char c) { return c == '"' || c == '\0'; }, ' ');
    phrases.push_back('"' + with_words_apart(word) + '"');
  }
  return phrases;
}

std::string string_member(const Json& data, const char* name) {
  const auto at = data.find(name);
  return at != data.end() && at->is_string() ? at->get<std::string>() : "";
}

}  // namespace

std::string searched_text(const Event& event) {
  if (!event.data.is_object()) return "";
  std::string text;
  if (event.kind == "action_intent") {
    text = string_member(event.data, "tool") + " " +
           dump_json(event.data.value("arguments", Json::object()));
  } else if (event.kind == "user_message" || event.kind == "assistant_message" ||
             event.kind == "action_result") {
    text = string_member(event.data, "text");
  }
  return std::string(utf8_prefix(text, most_searched_bytes));
}

std::string with_words_apart(const std::string& text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; })) return text;
  std::string apart;
  for (const char32_t c : code_points(text)) {
    const bool alone = stands_alone(c);
    if (alone) apart += ' ';
    append_utf8(apart, c);
    if (alone) apart += ' ';
  }
  return apart;
}

std::string match_of(const std::string& query) {
  std::string match;
  for (const std::string& phrase : phrases_of(query)) {
    match += (match.empty() ? "" : " AND ") + phrase + " *";
  }
  return match;
}

std::string ranked_match_of(const std::string& query) {
  std::string match;
  for (const std::string& phrase : phrases_of(query)) {
    match += (match.empty() ? "(" : " AND (") + phrase + " OR " + phrase + " *)";
  }
  return match;
}

std::string excerpt_of(const std::string& text, const std::string& query) {
  const std::string plain = lower(text);
  size_t at = std::string::npos;
  for (const auto& word : words_of(lower(to_utf8(query)))) at = std::min(at, plain.find(word));
  if (at == std::string::npos) at = 0;
  const size_t begin = next_character(text, at - std::min(at, excerpt_bytes / 3));
  std::string part(utf8_prefix(std::string_view(text).substr(begin), excerpt_bytes));
  std::replace_if(part.begin(), part.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return (begin > 0 ? "…" : "") + part + (begin + part.size() < text.size() ? "…" : "");
}

std::vector<std::string> pictures_of(const Json& data) {
  std::vector<std::string> names;
  const auto images = data.is_object() ? data.find("images") : data.end();
  if (!data.is_object() || images == data.end() || !images->is_array()) return names;
  for (const auto& image : *images) {
    if (!image.is_object()) continue;
    std::string name = string_member(image, "sha256");
    if (!name.empty()) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace selfagent
