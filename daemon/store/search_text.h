// What of an event is searched, and how text becomes words.
//
// FTS5's tokenizer takes a run of letters for one word, which Chinese, Japanese and Korean text
// does not divide by blanks: a whole sentence would be one word. So each of those characters is set
// apart and becomes a word of its own, and a word that is searched for becomes a phrase of them.
// docs/decisions/search.md says why not trigrams.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace selfagent {

/// Of one event, from its beginning.
inline constexpr size_t most_searched_bytes = 64 << 10;

/// What was said or done in the event: of a message and a result the text, of a call the tool and
/// its arguments; "" for the other kinds. At most most_searched_bytes.
std::string searched_text(const Event& event);

/// `text` with blanks around each character of scripts that write without blanks.
std::string with_words_apart(const std::string& text);

/// The FTS5 expression for all of the words of `query`, the last part of each being a beginning
/// ("scr" finds "screenshot"); "" if there is no word in it.
std::string match_of(const std::string& query);

/// Finds the same; where whole words of it occur, they count for bm25 beside the beginnings.
std::string ranked_match_of(const std::string& query);

/// About 200 bytes of `text` around the first of the words of `query`, in one line.
std::string excerpt_of(const std::string& text, const std::string& query);

/// The names of the pictures of an event.
std::vector<std::string> pictures_of(const Json& data);

}  // namespace selfagent
