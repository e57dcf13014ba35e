// The tokens beside the owner's: the file of --token-file.
//
//     {"tokens": [{"name": "ci", "token": "…", "profile": "look-only", "approve": ["shell"]},
//                 {"name": "eye", "sha256": "…64 hex digits…", "profile": "full"}]}
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tool/principal.h"
#include "tool/registry.h"

namespace selfagent {

/// One token, as its hash: what its holder sends is compared by SHA-256 and never kept.
struct Token {
  std::string sha256;  ///< 64 lower-case hexadecimal digits
  std::shared_ptr<const Principal> principal;
};

/// At least 16 characters that a header can carry: printable ASCII without spaces and quotes.
bool is_usable_token(std::string_view token);

/// Reads the file at `path`. Throws Error that names the file, the entry and the next step for
/// anything that is not as documented, for tools that `tools` does not have, for a token that
/// equals `owner_token`, and for a file that other users may read. No message holds a token.
std::vector<Token> read_token_file(const std::filesystem::path& path, const Registry& tools,
                                   std::string_view owner_token);

/// `names` as a set. Throws Error(invalid_argument) that begins with `where` for a tool that does
/// not exist.
std::set<std::string> existing_tools(const std::vector<std::string>& names, const Registry& tools,
                                     const std::string& where);

}  // namespace selfagent
