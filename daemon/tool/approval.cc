#include "tool/approval.h"

#include "base/error.h"
#include "base/utf8.h"
#include "tool/client_link.h"
#include "tool/principal.h"

namespace selfagent {

namespace {

constexpr size_t most_shown = 2000;

// The call as a person can judge it: one line for each argument, long texts cut.
std::string question(const Tool& tool, const Json& arguments) {
  std::string text = "May the assistant call " + tool.name + " (" + tool.title + ")?";
  if (!arguments.is_object()) return text;
  for (const auto& [name, value] : arguments.items()) {
    const std::string shown = value.is_string() ? value.get<std::string>() : dump_json(value);
    text += "\n" + name + ": " + std::string(utf8_prefix(shown, most_shown));
    if (shown.size() > most_shown) {
      text += " [... " + std::to_string(shown.size() - most_shown) + " more bytes]";
    }
  }
  return text;
}

Json approval_form(const std::string& message) {
  const Json field = {{"type", "boolean"},
                      {"title", "Approve"},
                      {"description", "Yes lets this one call run; no refuses it."}};
  return form_request(message, {{"approve", field}}, Json::array({"approve"}));
}

}  // namespace

void require_approval(const Tool& tool, const Json& arguments, ToolContext& context) {
  if (context.principal == nullptr || !context.principal->approve.contains(tool.name)) return;
  if (tool.check) tool.check(arguments);  // nobody is asked about a call that cannot run
  if (context.link == nullptr) {
    throw Error(ErrorCode::permission_denied,
                tool.name +
                    " needs the approval of a person, and nobody can be asked here: call it over "
                    "MCP with a client that supports elicitation, or take " +
                    tool.name + " from the server's --approve");
  }

  if (context.link->waits()) context.progress(0, "waiting for a person's approval");
  const Json answer =
      context.link->ask({{"approve", approval_form(question(tool, arguments))}}, true)["approve"];
  const bool accepted = answer.is_object() && answer.value("action", "") == "accept";
  const Json content = accepted ? answer.value("content", Json::object()) : Json::object();
  if (accepted && content.is_object() && content.value("approve", Json(false)) == true) return;
  throw Error(ErrorCode::permission_denied,
              "the person at the client did not approve this call: do not try it again unchanged, "
              "ask what to do instead");
}

}  // namespace selfagent
