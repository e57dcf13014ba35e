// Draws the pointer's image into a picture of the screen.
#pragma once

#include <cstdint>
#include <vector>

#include "image/pixels.h"

namespace selfagent {

/// The pointer's image as XFixes tells it: 32-bit ARGB, premultiplied by alpha, rows without
/// padding.
struct CursorImage {
  int x =
      0;  ///< Of its top left in the picture; the hotspot is already subtracted. May be outside.
  int y = 0;
  int width = 0;
  int height = 0;
  std::vector<uint32_t> argb;
};

/// Blends `cursor` over `pixels`; what is outside the picture is cut off.
void draw_cursor(const CursorImage& cursor, Pixels& pixels);

}  // namespace selfagent
