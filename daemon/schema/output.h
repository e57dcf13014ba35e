// JSON Schemas of what tools answer: objects whose members are all named and described.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "base/json.h"

namespace selfagent {

/// A member of `type` ("string", "integer", "number", "boolean").
Json field(const char* type, const std::string& description);

/// An array of `items`.
Json list_field(Json items, const std::string& description);

using Fields = std::initializer_list<std::pair<std::string, Json>>;

/// An object that has all `required` members, perhaps `optional` ones, and no others.
Json object_schema(Fields required, Fields optional = {});

}  // namespace selfagent
