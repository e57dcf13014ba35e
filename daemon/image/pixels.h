// Pixels in memory, as the X server and the encoders exchange them.
#pragma once

#include <cstdint>
#include <vector>

namespace selfagent {

/// A picture of 32-bit pixels in the byte order blue, green, red, unused; rows without padding, top
/// row first.
struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> bytes;

  size_t stride() const { return static_cast<size_t>(width) * 4; }
  const uint8_t* row(int y) const { return bytes.data() + stride() * static_cast<size_t>(y); }
  uint8_t* row(int y) { return bytes.data() + stride() * static_cast<size_t>(y); }
};

}  // namespace selfagent
