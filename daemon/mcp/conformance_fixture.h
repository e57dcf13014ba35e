// A tool of the conformance suite. Internal to this layer.
#pragma once

#include "tool/registry.h"

namespace selfagent::mcp {

/// A tool that changes nothing and is open to every profile, for Registry::add_fixture.
inline Tool fixture(const std::string& name, const std::string& description, Json schema,
                    std::function<ToolResult(const Json& arguments, ToolContext&)> run) {
  Tool tool;
  tool.name = name;
  tool.title = name;
  tool.description = description;
  tool.area = ToolArea::any;
  tool.annotations = {true, false, true, false};
  tool.input_schema = std::move(schema);
  tool.run = std::move(run);
  return tool;
}

/// The schema of a tool without parameters.
inline Json no_arguments() {
  return {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
}

}  // namespace selfagent::mcp
