// Shrinking by the mean of areas, and cutting out parts.
#include "image/scale.h"

#include "base/error.h"
#include "catch.h"

using namespace selfagent;

namespace {

/// Pixel (x, y) has the blue x % 256, the green y % 256.
Pixels grid(int width, int height) {
  Pixels pixels{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      pixels.bytes.insert(pixels.bytes.end(),
                          {static_cast<uint8_t>(x), static_cast<uint8_t>(y), 0, 255});
    }
  }
  return pixels;
}

}  // namespace

TEST_CASE("shrinking keeps the ratio of the sides") {
  const auto [width, height, max_side, new_width, new_height] =
      GENERATE(table<int, int, int, int, int>({{1920, 1080, 960, 960, 540},
                                               {1344, 896, 1000, 1000, 667},
                                               {100, 300, 30, 10, 30},
                                               {3000, 2, 100, 100, 1},
                                               {640, 480, 640, 640, 480},
                                               {640, 480, 5000, 640, 480}}));
  const Pixels out =
      shrink(Pixels{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height) * 4)},
             max_side);
  REQUIRE(out.width == new_width);
  REQUIRE(out.height == new_height);
  REQUIRE(out.bytes.size() == out.stride() * static_cast<size_t>(new_height));
}

TEST_CASE("a shrunk pixel is the mean of those that it replaces, so thin lines stay visible") {
  Pixels white{64, 64, std::vector<uint8_t>(64 * 64 * 4, 255)};
  for (int y = 0; y < 64; ++y) {
    for (int i = 0; i < 3; ++i) white.row(y)[32 * 4 + i] = 0;  // a black line, one pixel wide
  }
  const Pixels out = shrink(white, 16);
  REQUIRE(out.row(5)[8 * 4] > 180);
  REQUIRE(out.row(5)[8 * 4] < 200);  // 3/4 white
  REQUIRE(out.row(5)[7 * 4] == 255);
}

TEST_CASE("a part has the pixels of its place") {
  const Pixels out = crop(grid(100, 50), 10, 20, 3, 4);
  REQUIRE(out.width == 3);
  REQUIRE(out.height == 4);
  REQUIRE(out.row(0)[0] == 10);
  REQUIRE(out.row(3)[1] == 23);
  REQUIRE(out.row(3)[2 * 4] == 12);
  REQUIRE(crop(grid(100, 50), 0, 0, 100, 50).bytes == grid(100, 50).bytes);
}

TEST_CASE("a part outside the picture and a side of 0 are refused") {
  REQUIRE_THROWS_WITH(crop(grid(100, 50), 90, 0, 11, 1), ContainsSubstring("100x50"));
  REQUIRE_THROWS_AS(crop(grid(100, 50), -1, 0, 5, 5), Error);
  REQUIRE_THROWS_AS(crop(grid(100, 50), 0, 0, 0, 5), Error);
  REQUIRE_THROWS_WITH(shrink(grid(4, 4), 0), ContainsSubstring("max_side=0"));
}
