// Text without capitals, for words of protocols.
#pragma once

#include <string>
#include <string_view>

namespace selfagent {

/// `text` with the letters A to Z in lower case; everything else stays as it is.
inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace selfagent
