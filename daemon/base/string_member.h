// Texts in JSON that somebody else has written, or an older program.
#pragma once

#include <string>

#include "base/json.h"

namespace selfagent {

/// The string `name` of an object; "" if it is missing, or anything else.
inline std::string string_member(const Json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

}  // namespace selfagent
