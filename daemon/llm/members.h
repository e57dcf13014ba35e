// Reads members of JSON that may be absent, null or of another type than promised.
#pragma once

#include <cmath>
#include <optional>
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

/// The integer that `value` is, 3.0 included; nothing for what is no number or beyond 2^53.
inline std::optional<int64_t> integer(const Json& value) {
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number() || std::abs(value.get<double>()) > 9e15) return std::nullopt;
  return static_cast<int64_t>(value.get<double>());
}

/// The integer `name` of `object`, or 0 if there is none.
inline int64_t integer_member(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value != nullptr ? integer(*value).value_or(0) : 0;
}

}  // namespace selfagent
