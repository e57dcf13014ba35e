// Replacing exact texts, all or none, with an answer that helps when one is not there.
#pragma once

#include <string>
#include <vector>

namespace selfagent {

struct Edit {
  std::string old;
  std::string replacement;
  int count = 1;  ///< How often `old` must occur; every occurrence is replaced.
};

/// A text after its edits.
struct Edited {
  std::string text;
  size_t replacements = 0;
  std::string changed_lines;  ///< As numbered in `text`, for example "3, 10-12".
};

/// Applies `edits` in order, each to the text as the earlier ones left it. Throws Error(conflict)
/// if one does not occur exactly `count` times, with the lines where it does or the lines nearest
/// to it; Error(resource_exhausted) if the text would become larger than `most_bytes`. Works on
/// bytes: any encoding that contains ASCII is preserved.
Edited apply_edits(std::string text, const std::vector<Edit>& edits, size_t most_bytes);

}  // namespace selfagent
