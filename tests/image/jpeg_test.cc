// JPEG files, looked at through libjpeg's decoder.
#include <cstdio>
#include <cstdlib>
// jpeglib.h needs size_t and FILE before it.
#include <jpeglib.h>

#include "base/error.h"
#include "catch.h"
#include "image/jpeg.h"

using namespace selfagent;

namespace {

/// The middle pixel as 0xRRGGBB, and the size.
struct Decoded {
  int width;
  int height;
  int middle[3];
};

Decoded decode(const std::string& file) {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_read_header(&info, TRUE);
  jpeg_start_decompress(&info);
  Decoded out{static_cast<int>(info.output_width), static_cast<int>(info.output_height), {}};
  std::vector<unsigned char> row(info.output_width * 3);
  while (info.output_scanline < info.output_height) {
    const bool middle = info.output_scanline == info.output_height / 2;
    unsigned char* rows = row.data();
    jpeg_read_scanlines(&info, &rows, 1);
    for (int i = 0; middle && i < 3; ++i) {
      out.middle[i] = row[static_cast<size_t>(out.width / 2 * 3 + i)];
    }
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return out;
}

Pixels plain(int width, int height, uint8_t red, uint8_t green, uint8_t blue) {
  Pixels pixels{width, height, {}};
  for (int i = 0; i < width * height; ++i) {
    pixels.bytes.insert(pixels.bytes.end(), {blue, green, red, 0});
  }
  return pixels;
}

}  // namespace

TEST_CASE("a JPEG has the size and the colors of the picture") {
  const int quality = GENERATE(1, 50, 80, 90, 100);
  const Decoded back = decode(encode_jpeg(plain(61, 37, 200, 100, 40), quality));
  REQUIRE(back.width == 61);
  REQUIRE(back.height == 37);
  const int allowed = quality == 1 ? 40 : 6;
  REQUIRE(std::abs(back.middle[0] - 200) <= allowed);
  REQUIRE(std::abs(back.middle[1] - 100) <= allowed);
  REQUIRE(std::abs(back.middle[2] - 40) <= allowed);
}

TEST_CASE("a bad quality and an impossible size are refused") {
  REQUIRE_THROWS_WITH(encode_jpeg(plain(4, 4, 0, 0, 0), 101), ContainsSubstring("quality=101"));
  REQUIRE_THROWS_AS(encode_jpeg(plain(4, 4, 0, 0, 0), 0), Error);
  REQUIRE_THROWS_AS(encode_jpeg(Pixels{}, 80), Error);
  REQUIRE_THROWS_AS(encode_jpeg(plain(70000, 1, 0, 0, 0), 80), Error);
}
