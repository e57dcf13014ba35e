#include "process/glob.h"

#include <optional>
#include <vector>

#include "base/error.h"

namespace selfagent {

namespace {

constexpr size_t most_alternatives = 256;

// Where the bracket that opens at `at` closes, or npos.
size_t closing_brace(std::string_view pattern, size_t at) {
  int depth = 0;
  for (; at < pattern.size(); ++at) {
    if (pattern[at] == '\\') {
      ++at;
    } else if (pattern[at] == '{') {
      ++depth;
    } else if (pattern[at] == '}' && --depth == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

// Adds to `out` what `{a,b}` in `pattern` stand for.
void expand_braces(const std::string& pattern, std::vector<std::string>& out) {
  if (out.size() >= most_alternatives) {
    throw Error(ErrorCode::invalid_argument, "the glob has too many alternatives in braces");
  }
  size_t open = 0;
  while (open < pattern.size() && pattern[open] != '{') open += pattern[open] == '\\' ? 2 : 1;
  const size_t close = open < pattern.size() ? closing_brace(pattern, open) : std::string::npos;
  if (close == std::string::npos) {
    out.push_back(pattern);
    return;
  }
  int depth = 0;
  size_t start = open + 1;
  for (size_t at = start; at <= close; ++at) {
    if (pattern[at] == '\\') {
      ++at;
    } else if (depth == 0 && (pattern[at] == ',' || at == close)) {
      expand_braces(
          pattern.substr(0, open) + pattern.substr(start, at - start) + pattern.substr(close + 1),
          out);
      start = at + 1;
    } else if (pattern[at] == '{') {
      ++depth;
    } else if (pattern[at] == '}') {
      --depth;
    }
  }
}

// Reads the set at the front of `pattern` and removes it. Empty if it is not closed.
std::optional<bool> in_set(std::string_view& pattern, char c) {
  size_t at = 1;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool found = false;
  for (const size_t first = at; at < pattern.size() && (pattern[at] != ']' || at == first); ++at) {
    if (at + 2 < pattern.size() && pattern[at + 1] == '-' && pattern[at + 2] != ']') {
      found = found || (pattern[at] <= c && c <= pattern[at + 2]);
      at += 2;
    } else {
      found = found || pattern[at] == c;
    }
  }
  if (at >= pattern.size()) return std::nullopt;
  pattern.remove_prefix(at + 1);
  return found != negated;
}

// Matches one character; removes it from both on success.
bool matches_one(std::string_view& pattern, std::string_view& text) {
  if (pattern[0] == '?') {
    if (text[0] == '/') return false;
    pattern.remove_prefix(1);
  } else if (pattern[0] == '[') {
    std::string_view rest = pattern;
    const auto found = in_set(rest, text[0]);
    if (found && (!*found || text[0] == '/')) return false;
    if (!found && text[0] != '[') return false;
    if (!found) rest.remove_prefix(1);
    pattern = rest;
  } else {
    if (pattern[0] == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
    if (pattern[0] != text[0]) return false;
    pattern.remove_prefix(1);
  }
  text.remove_prefix(1);
  return true;
}

// `steps` bounds the backtracking of patterns such as **a**a**a.
bool matches(std::string_view pattern, std::string_view text, int& steps) {
  while (!pattern.empty()) {
    if (--steps < 0) return false;
    if (pattern[0] != '*') {
      if (text.empty() || !matches_one(pattern, text)) return false;
      continue;
    }
    const bool across = pattern.substr(0, 2) == "**";
    while (!pattern.empty() && pattern[0] == '*') pattern.remove_prefix(1);
    if (across && !pattern.empty() && pattern[0] == '/' &&
        matches(pattern.substr(1), text, steps)) {
      return true;
    }
    for (size_t at = 0; at <= text.size(); ++at) {
      if (matches(pattern, text.substr(at), steps)) return true;
      if (at < text.size() && text[at] == '/' && !across) return false;
    }
    return false;
  }
  return text.empty();
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view path) {
  if (pattern.find('/') == std::string_view::npos) {
    path = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  } else if (pattern.substr(0, 2) == "./") {
    pattern.remove_prefix(2);
  }
  std::vector<std::string> alternatives;
  expand_braces(std::string(pattern), alternatives);
  int steps = 100'000;
  for (const auto& alternative : alternatives) {
    if (matches(alternative, path, steps)) return true;
  }
  return false;
}

}  // namespace selfagent
