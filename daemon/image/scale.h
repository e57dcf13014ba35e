// Smaller pictures: a part of one, or all of it with fewer pixels.
#pragma once

#include "image/pixels.h"

namespace selfagent {

/// `pixels` shrunk so that its longer side is at most `max_side` (1 or more) pixels; the ratio of
/// the sides is kept to the nearest pixel. Each new pixel is the mean of the area that it replaces,
/// so that thin lines and small text stay visible. A picture that is small enough is returned
/// unchanged.
Pixels shrink(Pixels pixels, int max_side);

/// The part of `pixels` with its top left at (x, y). Throws Error(invalid_argument) if it is empty
/// or reaches outside.
Pixels crop(const Pixels& pixels, int x, int y, int width, int height);

}  // namespace selfagent
