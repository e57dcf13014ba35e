// Reads members of JSON that may be absent, null or of another type than promised.
#pragma once

#include <string>

#include "base/json.h"

namespace selfagent {

/// The member `name` of `object`, or null if `object` is none, or the member is absent or null.
inline const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

/// The string `name` of `object`, or "" if there is none.
inline std::string text_member(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

/// The integer `name` of `object`, or 0 if there is none.
inline int64_t integer_member(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value != nullptr && value->is_number() ? value->get<int64_t>() : 0;
}

}  // namespace selfagent
