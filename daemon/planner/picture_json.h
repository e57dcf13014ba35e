// A picture of a tool's result as events name it.
#pragma once

#include <string>

#include "tool/tool.h"

namespace selfagent {

inline Json picture_json(const std::string& sha256, const EncodedImage& picture) {
  return {{"sha256", sha256},
          {"mime", picture.mime},
          {"width", picture.width},
          {"height", picture.height}};
}

}  // namespace selfagent
