// JPEG files: smaller than PNG for photographs and video, lossy for text.
#pragma once

#include <string>

#include "image/pixels.h"

namespace selfagent {

/// A JPEG file of `pixels`. `quality` is 1 to 100; below 90 colours are stored at half the
/// resolution. Throws Error(invalid_argument) for another quality or an empty picture.
std::string encode_jpeg(const Pixels& pixels, int quality);

}  // namespace selfagent
