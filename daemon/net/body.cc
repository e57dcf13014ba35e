#include "net/body.h"

namespace selfagent {

Json body_object(const HttpRequest& request, const std::set<std::string>& known) {
  Json body = parse_json(request.body);
  if (!body.is_object()) {
    throw Error(ErrorCode::invalid_argument, "the body must be a JSON object");
  }
  for (const auto& [name, value] : body.items()) {
    if (known.contains(name)) continue;
    std::string list;
    for (const auto& word : known) list += (list.empty() ? "" : ", ") + word;
    throw Error(ErrorCode::invalid_argument,
                "unknown member \"" + name + "\" in the body (known: " + list + ")");
  }
  return body;
}

std::string text_member(const Json& body, const std::string& name, bool required) {
  if (!body.contains(name) || body[name].is_null()) {
    if (!required) return "";
    throw Error(ErrorCode::invalid_argument, "the member \"" + name + "\" is missing in the body");
  }
  if (!body[name].is_string()) {
    throw Error(ErrorCode::invalid_argument, "\"" + name + "\" must be a string");
  }
  return body[name].get<std::string>();
}

}  // namespace selfagent
