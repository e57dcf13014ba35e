// Names, keys and texts are those that the suite's scenarios ask for.
#include "base/error.h"
#include "mcp/conformance.h"
#include "mcp/conformance_fixture.h"
#include "tool/client_link.h"

namespace selfagent::mcp {

namespace {

using Run = std::function<ToolResult(ClientLink& link)>;

void add(Registry& registry, const std::string& name, const std::string& description, Run run) {
  registry.add_fixture(fixture(name, description, no_arguments(),
                               [run = std::move(run)](const Json&, ToolContext& context) {
                                 if (context.link == nullptr) {
                                   throw Error(ErrorCode::conflict, "nobody can be asked here");
                                 }
                                 return run(*context.link);
                               }));
}

Json elicit(const std::string& message, const std::string& field, const char* type = "string") {
  return form_request(message, {{field, {{"type", type}}}}, Json::array({field}));
}

Json sample(const std::string& prompt, int most_tokens) {
  const Json message = {{"role", "user"}, {"content", {{"type", "text"}, {"text", prompt}}}};
  return {{"method", "sampling/createMessage"},
          {"params", {{"messages", Json::array({message})}, {"maxTokens", most_tokens}}}};
}

Json roots() { return {{"method", "roots/list"}, {"params", Json::object()}}; }

std::string entered(const Json& answer, const std::string& field) {
  const Json content = answer.value("content", Json::object());
  const Json value = content.is_object() ? content.value(field, Json()) : Json();
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

void add_one_round(Registry& registry) {
  add(registry, "test_input_required_result_elicitation", "Asks for a name.", [](ClientLink& link) {
    const Json answers = link.ask({{"user_name", elicit("What is your name?", "name")}}, false);
    return ToolResult::text("Hello, " + entered(answers["user_name"], "name") + "!");
  });
  add(registry, "test_input_required_result_sampling", "Asks the client's model.",
      [](ClientLink& link) {
        const Json answers =
            link.ask({{"capital_question", sample("What is the capital of France?", 100)}}, false);
        return ToolResult::text(dump_json(answers["capital_question"]["content"]));
      });
  add(registry, "test_input_required_result_list_roots", "Asks for the client's roots.",
      [](ClientLink& link) {
        return ToolResult::text(
            dump_json(link.ask({{"client_roots", roots()}}, false)["client_roots"]));
      });
  for (const char* name :
       {"test_input_required_result_request_state", "test_input_required_result_tampered_state"}) {
    add(registry, name, "Asks for a confirmation of this very call.", [](ClientLink& link) {
      const Json answers = link.ask({{"confirm", elicit("Please confirm", "ok", "boolean")}}, true);
      return ToolResult::text("state-ok: " + entered(answers["confirm"], "ok"));
    });
  }
  add(registry, "test_input_required_result_multiple_inputs", "Asks three things at once.",
      [](ClientLink& link) {
        const Json answers = link.ask({{"user_name", elicit("What is your name?", "name")},
                                       {"greeting", sample("Generate a greeting", 50)},
                                       {"client_roots", roots()}},
                                      false);
        return ToolResult::text(dump_json(answers));
      });
  add(registry, "test_input_required_result_capabilities", "Asks what the client can answer.",
      [](ClientLink& link) {
        Json requests = Json::object();
        if (link.can("elicitation")) requests["name"] = elicit("What is your name?", "name");
        if (link.can("sampling")) requests["sample"] = sample("Say hello", 20);
        return ToolResult::text(dump_json(link.ask(requests, false)));
      });
}

void add_more_rounds(Registry& registry) {
  add(registry, "test_input_required_result_multi_round", "Asks one thing after the other.",
      [](ClientLink& link) {
        const Json name =
            link.ask({{"step1", elicit("Step 1: What is your name?", "name")}}, false)["step1"];
        const Json color = link.ask(
            {{"step2", elicit("Step 2: What is your favorite color?", "color")}}, false)["step2"];
        return ToolResult::text(entered(name, "name") + " likes " + entered(color, "color"));
      });
  add(registry, "test_missing_capability", "Needs a client that samples.", [](ClientLink& link) {
    if (!link.can("sampling")) throw CapabilityMissing{{{"sampling", Json::object()}}};
    return ToolResult::text("the client samples");
  });
  add(registry, "test_streaming_elicitation", "Asks for a name.", [](ClientLink& link) {
    const Json answers = link.ask({{"user_name", elicit("What is your name?", "name")}}, false);
    return ToolResult::text("Hello, " + entered(answers["user_name"], "name") + "!");
  });
}

}  // namespace

void add_conformance_rounds(Registry& registry) {
  add_one_round(registry);
  add_more_rounds(registry);
}

}  // namespace selfagent::mcp
