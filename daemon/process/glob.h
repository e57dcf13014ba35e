// File name patterns as people write them: `*.cc`, `src/**/*.{ts,tsx}`, `[a-z]?.txt`.
#pragma once

#include <string>
#include <string_view>

namespace selfagent {

/// True if `path` (relative, with slashes) fits `pattern`. A pattern without a slash is compared
/// with the last name of the path alone. `*` and `?` stop at slashes, `**` does not, `**/` may
/// stand for nothing; `{a,b}` are alternatives;
/// `[a-z]` and `[!a-z]` are sets; `\` takes the next character as it is.
bool glob_matches(std::string_view pattern, std::string_view path);

}  // namespace selfagent
