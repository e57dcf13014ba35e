// Randomness from the kernel, hashes, and the comparison of secrets.
#pragma once

#include <string>
#include <string_view>

namespace selfagent {

/// `bytes` random bytes as lower-case hexadecimal (2 characters a byte). Source: getrandom(2).
std::string random_hex(size_t bytes);

/// The SHA-256 of `data` as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view data);

/// HMAC-SHA-256 of `data` as 64 lower-case hexadecimal digits. Source: RFC 2104.
std::string hmac_sha256_hex(std::string_view key, std::string_view data);

/// Compares in a time that depends on the lengths alone.
bool equal_secrets(std::string_view a, std::string_view b);

}  // namespace selfagent
