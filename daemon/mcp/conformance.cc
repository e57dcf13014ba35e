// Names, URIs and texts are those that the suite's scenarios ask for.
#include "mcp/conformance.h"

#include "base/base64.h"
#include "mcp/conformance_fixture.h"

namespace selfagent::mcp {

namespace {

constexpr const char* png =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg"
    "==";

void add_trigger(Registry& registry, Server& server, const std::string& name,
                 const std::string& kind) {
  registry.add_fixture(fixture(
      name, "Announces that the list of " + kind + " changed.", no_arguments(),
      [&server, topic = "notifications/" + kind + "/list_changed"](const Json&, ToolContext&) {
        server.subscriptions().announce(topic);
        return ToolResult::text("announced");
      }));
}

Resource fixed(const std::string& uri, const std::string& mime, ResourceContents contents) {
  Resource resource;
  resource.uri = uri;
  resource.name = uri;
  resource.title = uri;
  resource.description = "A fixture.";
  resource.mime = mime;
  contents.mime = mime;
  resource.read = [contents](const std::string&, const Variables&, const std::stop_token&) {
    return contents;
  };
  return resource;
}

void add_resources(Resources& resources) {
  ResourceContents text;
  text.text = "This is the content of the static text resource.";
  resources.add(fixed("test://static-text", "text/plain", text));
  ResourceContents binary;
  binary.blob = base64_decode(png);
  resources.add(fixed("test://static-binary", "image/png", binary));
  ResourceContents watched;
  watched.text = "Watched resource content";
  Resource resource = fixed("test://watched-resource", "text/plain", watched);
  resource.watch = [](const Variables&, const std::function<void()>&) {
    return std::make_unique<Watch>();
  };
  resources.add(std::move(resource));

  Resource numbered = fixed("test://template/{id}/data", "application/json", {});
  numbered.read = [](const std::string&, const Variables& variables, const std::stop_token&) {
    const std::string& id = variables.at("id");
    ResourceContents contents;
    contents.mime = "application/json";
    contents.text = dump_json({{"id", id}, {"templateTest", true}, {"data", "Data for ID: " + id}});
    return contents;
  };
  resources.add(std::move(numbered));
}

Json user(const Json& content) { return {{"role", "user"}, {"content", content}}; }

void add_prompts(Prompts& prompts) {
  prompts.add({"test_simple_prompt",
               "Simple",
               "A prompt without arguments.",
               {},
               {Profile::full},
               [](const Variables&, ClientLink&) {
                 return Json::array({text_message("user", "This is a simple prompt for testing.")});
               }});
  prompts.add({"test_prompt_with_arguments",
               "With arguments",
               "A prompt with two arguments.",
               {{"arg1", "First", "The first argument.", true,
                 [](const std::string&, const Variables&) { return std::vector<std::string>{}; }},
                {"arg2", "Second", "The second argument.", true}},
               {Profile::full},
               [](const Variables& values, ClientLink&) {
                 return Json::array(
                     {text_message("user", "Prompt with arguments: arg1='" + values.at("arg1") +
                                               "', arg2='" + values.at("arg2") + "'")});
               }});
  prompts.add({"test_prompt_with_embedded_resource",
               "With a resource",
               "A prompt with an embedded resource.",
               {{"resourceUri", "URI", "The URI of the resource.", true}},
               {Profile::full},
               [](const Variables& values, ClientLink&) {
                 const Json resource = {{"uri", values.at("resourceUri")},
                                        {"mimeType", "text/plain"},
                                        {"text", "Embedded resource content for testing."}};
                 return Json::array(
                     {user({{"type", "resource"}, {"resource", resource}}),
                      text_message("user", "Please process the embedded resource above.")});
               }});
  prompts.add({"test_prompt_with_image",
               "With an image",
               "A prompt with an image.",
               {},
               {Profile::full},
               [](const Variables&, ClientLink&) {
                 const Json image = {{"type", "image"}, {"data", png}, {"mimeType", "image/png"}};
                 return Json::array(
                     {user(image), text_message("user", "Please analyze the image above.")});
               }});
  prompts.add({"test_input_required_result_prompt",
               "With a question",
               "A prompt that asks first.",
               {},
               {Profile::full},
               [](const Variables&, ClientLink& link) {
                 const Json question =
                     form_request("What context should the prompt use?",
                                  {{"context", {{"type", "string"}}}}, Json::array({"context"}));
                 const Json answer = link.ask({{"user_context", question}}, false)["user_context"];
                 return Json::array(
                     {text_message("user", "Use this context: " + dump_json(answer))});
               }});
}

}  // namespace

void add_conformance_fixtures(Registry& registry, Server& server) {
  add_conformance_tools(registry);
  add_conformance_rounds(registry);
  add_trigger(registry, server, "test_trigger_tool_change", "tools");
  add_trigger(registry, server, "test_trigger_prompt_change", "prompts");
  add_resources(server.resources());
  add_prompts(server.prompts());
}

}  // namespace selfagent::mcp
