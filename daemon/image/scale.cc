// Shrinks and cuts pictures; the mean of an area comes from libyuv.
#include "image/scale.h"

#include <libyuv.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/error.h"

namespace selfagent {
namespace {

int scaled(int side, int longer, int max_side) {
  return std::max(1,
                  static_cast<int>((static_cast<int64_t>(side) * max_side + longer / 2) / longer));
}

}  // namespace

Pixels shrink(Pixels pixels, int max_side) {
  if (max_side < 1) {
    throw Error(ErrorCode::invalid_argument,
                "max_side=" + std::to_string(max_side) + " is less than 1 pixel");
  }
  const int longer = std::max(pixels.width, pixels.height);
  if (longer <= max_side) return pixels;
  Pixels out{scaled(pixels.width, longer, max_side), scaled(pixels.height, longer, max_side), {}};
  out.bytes.resize(out.stride() * static_cast<size_t>(out.height));
  libyuv::ARGBScale(pixels.bytes.data(), static_cast<int>(pixels.stride()), pixels.width,
                    pixels.height, out.bytes.data(), static_cast<int>(out.stride()), out.width,
                    out.height, libyuv::kFilterBox);
  return out;
}

Pixels crop(const Pixels& pixels, int x, int y, int width, int height) {
  if (x < 0 || y < 0 || width < 1 || height < 1 || width > pixels.width - x ||
      height > pixels.height - y) {
    throw Error(ErrorCode::invalid_argument,
                "the part [" + std::to_string(x) + "," + std::to_string(y) + "," +
                    std::to_string(width) + "," + std::to_string(height) +
                    "] is not inside the picture of " + std::to_string(pixels.width) + "x" +
                    std::to_string(pixels.height) + " pixels");
  }
  Pixels out{width, height, {}};
  out.bytes.resize(out.stride() * static_cast<size_t>(height));
  for (int row = 0; row < height; ++row) {
    std::memcpy(out.row(row), pixels.row(y + row) + static_cast<size_t>(x) * 4, out.stride());
  }
  return out;
}

}  // namespace selfagent
