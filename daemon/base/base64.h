// Base64 with the standard alphabet and padding. Source: RFC 4648, section 4.
#pragma once

#include <string>
#include <string_view>

namespace selfagent {

/// Encodes `bytes`; the result has 4 characters for every 3 bytes begun.
std::string base64_encode(std::string_view bytes);

/// Decodes `text`; white space is skipped. Throws Error(invalid_argument) with the offset of a bad
/// character.
std::string base64_decode(std::string_view text);

}  // namespace selfagent
