#include "planner/sight.h"

#include <array>

#include "planner/prompt.h"
#include "planner/tool_list.h"
#include "tool/desktop_text.h"

namespace selfagent {

namespace {

constexpr int whole_look_after = 7;
// Of the tools; the rest of their parameters work without eyes.
constexpr std::array picture_parameters{"screenshot", "frame"};

struct LookArgs {
  bool changes = false;
};

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

ToolResult look_around(const LookArgs& args, ToolContext& context, LastLook& last) {
  std::vector<std::string> now = desktop_lines(context);
  const std::vector<std::string> changes = changed_lines(last.lines, now);
  const bool whole = !args.changes || last.lines.empty() || changes.size() * 2 > now.size() ||
                     last.changes_in_a_row >= whole_look_after;
  last.lines = now;
  last.changes_in_a_row = whole ? 0 : last.changes_in_a_row + 1;
  if (whole) return ToolResult::text(joined(now));
  if (changes.empty()) return ToolResult::text("the desktop is as at the last look");
  return ToolResult::text("since the last look came (+) and went (-):\n" + joined(changes));
}

Json definitions_without(const std::vector<const Registry*>& registries, const char* left_out) {
  Json tools = Json::array();
  for (auto& tool : tool_definitions(registries)) {
    const Json& name = tool["function"]["name"];
    // more_tools comes with the list that needs it.
    if (name != left_out && name != more_tools_name) tools.push_back(std::move(tool));
  }
  return tools;
}

}  // namespace

Tool look_tool(LastLook& last, Annotations annotations) {
  return make_tool<LookArgs>(
      {.name = look_name,
       .title = "Look",
       .description =
           "Tells the desktop in words: the windows with their positions, and the elements of the "
           "active window (buttons, fields, menus, texts) with role, name, text, state and the "
           "screen position of their centre, which click takes. After an action you are told what "
           "changed without calling it. Not every program tells its elements: then use keys, the "
           "clipboard and the shell.",
       .area = ToolArea::desktop,
       .annotations = annotations,
       .params = {param("changes", &LookArgs::changes,
                        "Only what is different from your last look.")
                      .optional()},
       .run = [&last](const LookArgs& args, ToolContext& context) {
         return look_around(args, context, last);
       }});
}

Json tools_with_eyes(const std::vector<const Registry*>& registries) {
  return definitions_without(registries, look_name);
}

Json tools_without_eyes(const std::vector<const Registry*>& registries) {
  Json tools = definitions_without(registries, "screenshot");
  for (auto& tool : tools) {
    Json& schema = tool["function"]["parameters"];
    if (!schema.is_object() || !schema.contains("properties")) continue;
    for (const char* name : picture_parameters) schema["properties"].erase(name);
  }
  return tools;
}

void drop_picture_arguments(Json& arguments, const Json& schema) {
  if (!arguments.is_object()) return;
  for (const char* name : picture_parameters) arguments.erase(name);
  // With some a picture is the default.
  const bool takes_one = schema.is_object() && schema.contains("properties") &&
                         schema["properties"].contains("screenshot");
  if (takes_one) arguments["screenshot"] = false;
}

std::string useless_without_eyes(const std::string& tool) {
  if (tool != "screenshot") return "";
  return "[not run: screenshot gives a picture, and you see none: look tells the desktop in words]";
}

}  // namespace selfagent
