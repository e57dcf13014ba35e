#include "x11/cursor.h"

#include <algorithm>

namespace selfagent {

void draw_cursor(const CursorImage& cursor, Pixels& pixels) {
  const int left = std::max(0, -cursor.x);
  const int right = std::min(cursor.width, pixels.width - cursor.x);
  const int bottom = std::min(cursor.height, pixels.height - cursor.y);
  for (int row = std::max(0, -cursor.y); row < bottom; ++row) {
    for (int column = left; column < right; ++column) {
      const uint32_t source = cursor.argb[static_cast<size_t>(row * cursor.width + column)];
      const uint32_t keep = 255 - (source >> 24);
      uint8_t* pixel = pixels.row(cursor.y + row) + static_cast<ptrdiff_t>(cursor.x + column) * 4;
      for (int channel = 0; channel < 3; ++channel) {
        const uint32_t over = (source >> (8 * channel)) & 255;
        pixel[channel] =
            static_cast<uint8_t>(std::min(255U, over + (pixel[channel] * keep + 127) / 255));
      }
    }
  }
}

}  // namespace selfagent
