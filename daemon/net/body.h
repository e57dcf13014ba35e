// Reads the JSON bodies of plain HTTP requests, naming what is wrong.
#pragma once

#include <set>
#include <string>

#include "net/http.h"

namespace selfagent {

/// The object of a JSON body. Throws Error(invalid_argument) for anything else and for an unknown
/// member.
Json body_object(const HttpRequest& request, const std::set<std::string>& known);

/// The string `name` of `body`; "" if it is absent and not required. Throws
/// Error(invalid_argument).
std::string text_member(const Json& body, const std::string& name, bool required);

}  // namespace selfagent
