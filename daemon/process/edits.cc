#include "process/edits.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"

namespace selfagent {

namespace {

constexpr size_t most_compared_lines = 20'000;  // when the nearest lines are looked for
constexpr size_t most_line_bytes = 200;
constexpr size_t most_shown_ranges = 50;

// A replaced stretch of the text, moved along by later edits.
struct Stretch {
  size_t at;
  size_t size;
};

std::vector<size_t> places_of(const std::string& old, const std::string& text) {
  std::vector<size_t> places;
  for (size_t at = text.find(old); at != std::string::npos; at = text.find(old, at + old.size())) {
    places.push_back(at);
  }
  return places;
}

size_t line_at(const std::string& text, size_t at) {
  return 1 + static_cast<size_t>(
                 std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n'));
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return lines;
}

std::string_view trimmed(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return "";
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

// The pairs of neighbouring characters in a line, sorted, each once.
std::vector<std::pair<char, char>> pairs_of(std::string_view line) {
  std::vector<std::pair<char, char>> pairs;
  line = trimmed(line).substr(0, most_line_bytes);
  for (size_t i = 0; i + 1 < line.size(); ++i) pairs.push_back({line[i], line[i + 1]});
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  return pairs;
}

// The share of their pairs that two lines have in common: 0 to 1. Source: Dice's coefficient.
double likeness(const std::vector<std::pair<char, char>>& a,
                const std::vector<std::pair<char, char>>& b) {
  if (a.empty() || b.empty()) return 0;
  std::vector<std::pair<char, char>> common;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
  return 2.0 * static_cast<double>(common.size()) / static_cast<double>(a.size() + b.size());
}

// The lines of `text` that are most like the first line of `old` that says something, with their
// numbers.
std::string nearest_lines(const std::string& old, const std::string& text) {
  std::string_view wanted;
  for (const auto line : lines_of(old)) {
    if (wanted.empty()) wanted = trimmed(line);
  }
  const auto wanted_pairs = pairs_of(wanted);
  const auto lines = lines_of(text);
  std::vector<std::pair<double, size_t>> best;
  for (size_t i = 0; i < std::min(lines.size(), most_compared_lines); ++i) {
    const double like = trimmed(lines[i]) == wanted && !wanted.empty()
                            ? 1
                            : likeness(wanted_pairs, pairs_of(lines[i]));
    if (like >= 0.4) best.push_back({-like, i});
  }
  std::sort(best.begin(), best.end());
  best.resize(std::min<size_t>(best.size(), 3));
  if (best.empty()) return "No line of the file is like it: read the file again";
  std::string out = "The nearest lines are:";
  for (const auto& [like, i] : best) {
    out += "\n" + std::to_string(i + 1) + ": " + to_utf8(utf8_prefix(lines[i], most_line_bytes));
  }
  if (best[0].first == -1) out += "\nThe first differs in white space or in the lines around it";
  return out;
}

Error mismatch(const Edit& edit, size_t number, size_t all, const std::vector<size_t>& places,
               const std::string& text) {
  std::string message = "edit " + std::to_string(number) + " of " + std::to_string(all) +
                        ": `old` occurs " + std::to_string(places.size()) + " times instead of " +
                        std::to_string(edit.count) + "; nothing was changed. ";
  if (places.empty()) {
    if (text.find("\r\n") != std::string::npos && edit.old.find('\n') != std::string::npos &&
        edit.old.find('\r') == std::string::npos) {
      message += "The file has CRLF line ends (\\r\\n). ";
    }
    if (number > 1)
      message += "Earlier edits of this call are already applied to the text that is searched. ";
    return Error(ErrorCode::conflict, message + nearest_lines(edit.old, text));
  }
  message += "It is at line";
  for (size_t i = 0; i < std::min<size_t>(places.size(), 10); ++i) {
    message += (i == 0 ? " " : ", ") + std::to_string(line_at(text, places[i]));
  }
  if (places.size() > 10) message += ", ...";
  return Error(ErrorCode::conflict,
               message + ": give more of the text around it, or the right count");
}

void apply(const Edit& edit, const std::vector<size_t>& places, std::string& text,
           std::vector<Stretch>& stretches) {
  std::string changed;
  size_t from = 0;
  for (const size_t at : places) {
    changed.append(text, from, at - from);
    changed += edit.replacement;
    from = at + edit.old.size();
  }
  changed.append(text, from);
  for (auto& stretch : stretches) {
    const auto before = static_cast<size_t>(
        std::lower_bound(places.begin(), places.end(), stretch.at) - places.begin());
    stretch.at += before * edit.replacement.size();
    stretch.at -= std::min(stretch.at, before * edit.old.size());
  }
  for (size_t i = 0; i < places.size(); ++i) {
    stretches.push_back(
        {places[i] + i * edit.replacement.size() - i * edit.old.size(), edit.replacement.size()});
  }
  text = std::move(changed);
}

// The lines of the stretches, for example "3, 10-12".
std::string changed_lines(const std::string& text, std::vector<Stretch> stretches) {
  std::sort(stretches.begin(), stretches.end(),
            [](const Stretch& a, const Stretch& b) { return a.at < b.at; });
  std::string out;
  size_t shown = 0;
  size_t counted_to = 0;
  size_t line = 1;  // at counted_to
  const auto line_to = [&](size_t at) {
    for (; counted_to < at; ++counted_to) line += text[counted_to] == '\n' ? 1 : 0;
    return line;
  };
  size_t last = 0;
  for (const auto& stretch : stretches) {
    const size_t at = std::min(stretch.at, text.size());
    const size_t end = std::min(text.size(), at + stretch.size);
    const size_t first = line_to(at);
    const size_t final = line_to(end > at && text[end - 1] == '\n' ? end - 1 : end);
    if (final <= last) continue;
    last = final;
    if (++shown > most_shown_ranges) return out + ", ...";
    out += (out.empty() ? "" : ", ") + std::to_string(first);
    if (final > first) out += "-" + std::to_string(final);
  }
  return out;
}

}  // namespace

Edited apply_edits(std::string text, const std::vector<Edit>& edits, size_t most_bytes) {
  std::vector<Stretch> stretches;
  for (size_t i = 0; i < edits.size(); ++i) {
    const Edit& edit = edits[i];
    const auto places = places_of(edit.old, text);
    if (places.size() != static_cast<size_t>(edit.count)) {
      throw mismatch(edit, i + 1, edits.size(), places, text);
    }
    if (edit.old == edit.replacement) {
      throw Error(
          ErrorCode::invalid_argument,
          "edit " + std::to_string(i + 1) + ": `old` and `new` are the same; nothing was changed");
    }
    apply(edit, places, text, stretches);
    if (text.size() > most_bytes) {
      throw Error(ErrorCode::resource_exhausted, "the result would have more than " +
                                                     std::to_string(most_bytes) +
                                                     " bytes; nothing was changed");
    }
  }
  const size_t count = stretches.size();
  const std::string lines = changed_lines(text, std::move(stretches));
  return {std::move(text), count, lines};
}

}  // namespace selfagent
