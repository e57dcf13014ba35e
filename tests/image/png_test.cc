// PNG files that we write are read back by libpng pixel for pixel.
#include "image/png.h"

#include "base/error.h"
#include "catch.h"

using namespace selfagent;

namespace {

/// Pixels that do not repeat, from a fixed generator.
Pixels noise(int width, int height) {
  Pixels pixels{width, height, {}};
  uint32_t state = 12345;
  for (size_t i = 0; i < pixels.stride() * static_cast<size_t>(height); ++i) {
    state = state * 1664525 + 1013904223;
    pixels.bytes.push_back(i % 4 == 3 ? uint8_t{255} : static_cast<uint8_t>(state >> 24));
  }
  return pixels;
}

}  // namespace

TEST_CASE("a picture of any size survives encoding and decoding") {
  const auto [width, height] = GENERATE(table<int, int>(
      {{1, 1}, {1, 100}, {100, 1}, {3, 17}, {16, 16}, {333, 47}, {1344, 33}, {32767, 2}}));
  const Pixels pixels = noise(width, height);
  const Pixels back = decode_png(encode_png(pixels));
  REQUIRE(back.width == width);
  REQUIRE(back.height == height);
  REQUIRE(back.bytes == pixels.bytes);
}

TEST_CASE("a PNG file begins as the specification says and is small for a plain picture") {
  const Pixels white{640, 480, std::vector<uint8_t>(640 * 480 * 4, 255)};
  const std::string file = encode_png(white);
  // Signature, length 13, IHDR, 640, 480, 8 bits, RGB.
  REQUIRE(file.substr(0, 26) == std::string("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"
                                            "\0\0\x02\x80\0\0\x01\xe0\x08\x02",
                                            26));
  REQUIRE(file.substr(file.size() - 12) == std::string("\0\0\0\0IEND\xae\x42\x60\x82", 12));
  REQUIRE(file.size() < 10'000);
}

TEST_CASE("an impossible size and a broken file are refused") {
  REQUIRE_THROWS_AS(encode_png(Pixels{}), Error);
  REQUIRE_THROWS_WITH(encode_png(Pixels{32768, 1, std::vector<uint8_t>(32768 * 4)}),
                      ContainsSubstring("32768x1"));
  REQUIRE_THROWS_WITH(decode_png("GIF89a"), ContainsSubstring("not a readable PNG"));
  std::string file = encode_png(noise(20, 20));
  file.resize(file.size() / 2);
  REQUIRE_THROWS_AS(decode_png(file), Error);
}
