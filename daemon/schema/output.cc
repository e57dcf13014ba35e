#include "schema/output.h"

namespace selfagent {

Json field(const char* type, const std::string& description) {
  return {{"type", type}, {"description", description}};
}

Json list_field(Json items, const std::string& description) {
  return {{"type", "array"}, {"items", std::move(items)}, {"description", description}};
}

Json object_schema(Fields required, Fields optional) {
  Json properties = Json::object();
  Json names = Json::array();
  for (const auto& [name, schema] : required) {
    properties[name] = schema;
    names.push_back(name);
  }
  for (const auto& [name, schema] : optional) properties[name] = schema;
  Json schema = {{"type", "object"}, {"properties", std::move(properties)}};
  if (!names.empty()) schema["required"] = std::move(names);
  schema["additionalProperties"] = false;
  return schema;
}

}  // namespace selfagent
