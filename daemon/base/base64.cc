#include "base/base64.h"

#include <array>
#include <cstdint>

#include "base/error.h"

namespace selfagent {

namespace {
constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Two output characters for each 12-bit value: halves the table look-ups of the plain method.
std::array<std::array<char, 2>, 4096> make_pairs() {
  std::array<std::array<char, 2>, 4096> pairs{};
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = {alphabet[i >> 6], alphabet[i & 63]};
  return pairs;
}
}  // namespace

std::string base64_encode(std::string_view bytes) {
  static const auto pairs = make_pairs();
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  const auto* in = reinterpret_cast<const uint8_t*>(bytes.data());
  char* to = out.data();
  size_t left = bytes.size();
  for (; left >= 3; left -= 3, in += 3, to += 4) {
    const uint32_t value = uint32_t{in[0]} << 16 | uint32_t{in[1]} << 8 | in[2];
    const auto& high = pairs[value >> 12];
    const auto& low = pairs[value & 4095];
    to[0] = high[0], to[1] = high[1], to[2] = low[0], to[3] = low[1];
  }
  if (left > 0) {
    const uint32_t value = uint32_t{in[0]} << 16 | (left == 2 ? uint32_t{in[1]} << 8 : 0);
    to[0] = alphabet[value >> 18];
    to[1] = alphabet[(value >> 12) & 63];
    if (left == 2) to[2] = alphabet[(value >> 6) & 63];
  }
  return out;
}

std::string base64_decode(std::string_view text) {
  static const auto values = [] {
    std::array<int, 256> table{};
    table.fill(-1);
    for (int i = 0; i < 64; ++i) table[static_cast<uint8_t>(alphabet[i])] = i;
    return table;
  }();
  std::string out;
  out.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int count = 0;
  int padding = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    if (c == '\n' || c == '\r' || c == ' ' || c == '\t') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    if (values[c] < 0 || padding > 0) {
      throw Error(ErrorCode::invalid_argument,
                  "not valid base64: unexpected character at offset " + std::to_string(i));
    }
    bits = bits << 6 | static_cast<uint32_t>(values[c]);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(static_cast<uint8_t>(bits >> count));
    }
  }
  if (count >= 6 || padding > 2) {
    throw Error(ErrorCode::invalid_argument, "not valid base64: the text is cut off at its end");
  }
  return out;
}

}  // namespace selfagent
