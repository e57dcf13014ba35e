#include "schema/codec.h"

#include <algorithm>
#include <numeric>

#include "base/utf8.h"

namespace selfagent {

void throw_mismatch(const std::string& where, const std::string& expected, const Json& value) {
  std::string shown = dump_json(value);
  if (shown.size() > 80) shown = std::string(utf8_prefix(shown, 77)) + "...";
  throw ParameterError(where + ": expected " + expected + ", got " + shown);
}

namespace {
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}
}  // namespace

std::string nearest_word(const std::string& word, const std::vector<std::string>& words) {
  if (word.size() > 64) return "";
  std::string best;
  size_t best_distance = word.size() / 3 + 2;
  for (const auto& candidate : words) {
    const size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace selfagent
