#include "base/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

#ifdef __x86_64__
#include <immintrin.h>
#endif

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

// Encodes `triples` * 3 bytes.
void encode_plainly(const uint8_t* in, size_t triples, char* to) {
  static const auto pairs = make_pairs();
  for (; triples > 0; --triples, in += 3, to += 4) {
    const uint32_t value = uint32_t{in[0]} << 16 | uint32_t{in[1]} << 8 | in[2];
    const auto& high = pairs[value >> 12];
    const auto& low = pairs[value & 4095];
    to[0] = high[0], to[1] = high[1], to[2] = low[0], to[3] = low[1];
  }
}

#ifdef __x86_64__
// The same, 24 bytes at a time. Source: W. Mula and D. Lemire, "Faster Base64 Encoding and Decoding
// Using AVX2 Instructions", ACM Transactions on the Web 12 (2018).
__attribute__((target("avx2"))) void encode_avx2(const uint8_t* in, size_t triples, char* to) {
  const __m256i spread = _mm256_set_epi8(10, 11, 9, 10, 7, 8, 6, 7, 4, 5, 3, 4, 1, 2, 0, 1, 10, 11,
                                         9, 10, 7, 8, 6, 7, 4, 5, 3, 4, 1, 2, 0, 1);
  const __m256i offsets =
      _mm256_setr_epi8(71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0, 71, -4, -4,
                       -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0);
  // Each half loads 16 bytes and uses 12: two triples must follow the last.
  for (; triples >= 10; triples -= 8, in += 24, to += 32) {
    const __m256i bytes = _mm256_shuffle_epi8(
        _mm256_set_m128i(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + 12)),
                         _mm_loadu_si128(reinterpret_cast<const __m128i*>(in))),
        spread);
    const __m256i high = _mm256_mulhi_epu16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x0fc0fc00)),
                                            _mm256_set1_epi32(0x04000040));
    const __m256i low = _mm256_mullo_epi16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x003f03f0)),
                                           _mm256_set1_epi32(0x01000010));
    const __m256i index = _mm256_or_si256(high, low);
    const __m256i capital =
        _mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(26), index), _mm256_set1_epi8(13));
    const __m256i kind = _mm256_or_si256(_mm256_subs_epu8(index, _mm256_set1_epi8(51)), capital);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm256_add_epi8(_mm256_shuffle_epi8(offsets, kind), index));
  }
  encode_plainly(in, triples, to);
}
#endif

}  // namespace

std::string base64_encode(std::string_view bytes) {
#ifdef __x86_64__
  static const auto encode = __builtin_cpu_supports("avx2") ? encode_avx2 : encode_plainly;
#else
  constexpr auto encode = encode_plainly;
#endif
  const auto* in = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t left = bytes.size();
  std::string out;
  out.reserve((left + 2) / 3 * 4);
  // By way of a small buffer: a string cannot be lengthened without being filled first.
  std::array<char, 16384> buffer;
  while (left >= 3) {
    const size_t triples = std::min(left / 3, buffer.size() / 4);
    encode(in, triples, buffer.data());
    out.append(buffer.data(), triples * 4);
    in += triples * 3, left -= triples * 3;
  }
  if (left > 0) {
    std::array<char, 4> to{'=', '=', '=', '='};
    const uint32_t value = uint32_t{in[0]} << 16 | (left == 2 ? uint32_t{in[1]} << 8 : 0);
    to[0] = alphabet[value >> 18];
    to[1] = alphabet[(value >> 12) & 63];
    if (left == 2) to[2] = alphabet[(value >> 6) & 63];
    out.append(to.data(), to.size());
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
