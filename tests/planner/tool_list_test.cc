// Which tools a small context window gets, and in how many words.
#include "planner/tool_list.h"

#include <string>
#include <vector>

#include "catch.h"
#include "world.h"

namespace selfagent {
namespace {

Json definition(const std::string& name, size_t description_bytes = 600) {
  const std::string text =
      "Does " + name + " and what belongs to it. " + std::string(description_bytes, 'd');
  Json properties = {{"settle_ms", {{"type", "integer"}, {"minimum", 0}, {"default", 1500}}},
                     {"path", {{"type", "string"}, {"description", "Where. Relative to home."}}},
                     {"limits", {{"type", "object"}, {"properties", Json::object()}}}};
  for (int i = 0; i < 9; ++i) properties["p" + std::to_string(i)] = {{"type", "integer"}};
  properties["kind"] = {{"type", "string"}, {"enum", {"a", "b"}}, {"default", "a"}};
  return {{"type", "function"},
          {"function",
           {{"name", name},
            {"description", text},
            {"parameters",
             {{"type", "object"},
              {"properties", properties},
              {"required", {"kind"}},
              {"additionalProperties", false}}}}}};
}

Json definitions(const std::vector<std::string>& names) {
  Json list = Json::array();
  for (const std::string& name : names) list.push_back(definition(name));
  return list;
}

std::string listed_names(const Json& list) {
  std::string names;
  for (const Json& each : list) {
    names += (names.empty() ? "" : " ") + each["function"]["name"].get<std::string>();
  }
  return names;
}

const std::vector<std::string> most{"screenshot", "actions", "click",    "drag", "key",
                                    "shell",      "type",    "launch",   "done", "read_file",
                                    "write_file", "recall",  "ask_user", "zz"};

/// A World whose tools take far more than a small window has.
struct WordyWorld : World {
  WordyWorld() {
    for (int i = 0; i < 60; ++i) {
      registry.add(make_tool<TextArgs>(
          {.name = "tool_" + std::to_string(i),
           .title = "Tool",
           .description = "Is tool " + std::to_string(i) + ". " + std::string(700, 'd'),
           .area = ToolArea::any,
           .annotations = {},
           .params = {param("text", &TextArgs::text, "text")},
           .run = [i](const TextArgs& args, ToolContext&) {
             return ToolResult::text("tool " + std::to_string(i) + " got " + args.text);
           }}));
    }
  }
};

TEST_CASE("a window with room for all tools gets them as they are") {
  const Json all = definitions(most);
  CHECK(fit_tools(all, dump_json(all).size()) == all);
  CHECK(fit_tools(all, tool_bytes_for(0, 5'000)) == all);
  CHECK(tool_bytes_for(1'000'000, 5'000) > 1'000'000);
}

TEST_CASE("a smaller one gets all of them in fewer words") {
  const Json all = definitions(most);
  const Json brief = fit_tools(all, dump_json(all).size() - 1);
  CHECK(listed_names(brief) == listed_names(all));
  CHECK(brief[1] == Json::parse(R"({"type":"function","function":{
    "name":"actions","description":"Does actions and what belongs to it",
    "parameters":{"type":"object","properties":{
      "path":{"type":"string","description":"Where"},
      "p0":{"type":"integer"},"p1":{"type":"integer"},"p2":{"type":"integer"},
      "p3":{"type":"integer"},"p4":{"type":"integer"},
      "kind":{"type":"string","enum":["a","b"]}},
      "required":["kind"]}}})"));
  CHECK(fit_tools(all, dump_json(all).size() - 1) == brief);
}

TEST_CASE("the smallest one gets the most needed, and more_tools for the others") {
  const Json all = definitions(most);
  const Json few = fit_tools(all, 10);
  CHECK(listed_names(few) ==
        "screenshot click key shell type done read_file write_file recall ask_user more_tools");
  CHECK_THAT(few.back()["function"]["description"].get<std::string>(),
             ContainsSubstring("actions, drag, launch, zz. Without arguments"));
  const size_t bytes = dump_json(few).size() + 500;
  CHECK(listed_names(fit_tools(all, bytes)) ==
        "screenshot click key shell type launch done read_file write_file recall ask_user "
        "more_tools");
  CHECK(dump_json(fit_tools(all, bytes)).size() <= bytes);
}

TEST_CASE("more_tools calls and describes the tools that are not listed") {
  WordyWorld world;
  world.settings.dialect.context_tokens = 8'192;
  world.model.then(calls_answer({call("a", "more_tools", R"({"tool":"tool_58"})")}));
  world.model.then(calls_answer(
      {call("b", "more_tools", R"({"tool":"tool_58","arguments":{"text":"this"}})"),
       call("c", "more_tools", R"({"tool":"tool_58","arguments":"{\"text\":\"that\"}"})"),
       call("d", "more_tools", R"({"tool":"tool_58","arguments":["text"]})"),
       call("e", "more_tools", R"({"tool":"nonsense"})"),
       call("f", "tool_57", R"({"text":"x"})")}));
  world.model.then(text_answer("Done."));
  CHECK(world.run("Go").reply == "Done.");
  REQUIRE(world.model.requests.size() == 3);
  CHECK(listed_names(world.model.tools).ends_with(" more_tools"));
  CHECK(listed_names(world.model.tools).find("tool_58") == std::string::npos);
  CHECK(dump_json(world.model.tools).size() < 11'000);
  const std::string told = all_text(world.model.requests[1]);
  CHECK_THAT(told, ContainsSubstring("tool_58: Is tool 58. ddd"));
  CHECK_THAT(told, ContainsSubstring("Its arguments: {"));
  const Json& last = world.model.requests[2];
  const std::string all = all_text(last);
  CHECK_THAT(all, ContainsSubstring("tool 58 got this"));
  CHECK_THAT(all, ContainsSubstring("tool 58 got that"));
  CHECK_THAT(all, ContainsSubstring("arguments must be an object with what tool_58 takes"));
  CHECK_THAT(all, ContainsSubstring("there is no tool nonsense"));
  CHECK_THAT(all, ContainsSubstring("tool 57 got x"));
  // The model sees its calls as it made them; the log has the tool that ran.
  CHECK_THAT(all, ContainsSubstring("\"name\":\"more_tools\""));
  CHECK_THAT(all, !ContainsSubstring("\"name\":\"tool_58\""));
  int ran = 0;
  for (const Event& event : world.events()) {
    if (event.kind == "action_intent" && event.data["tool"] == "tool_58") ++ran;
  }
  CHECK(ran == 2);
}

/// Refuses what is longer than a window of 8,192 tokens of 4 bytes, a picture being 1,200 tokens.
struct TinyModel {
  int overflows = 0;
  Json tools;  ///< of the first request that fitted
  bool same_tools = true;

  void hear(const CompletionRequest& request) {
    count(request.messages, dump_json(request.tools).size());
    if (tools.is_null()) tools = request.tools;
    same_tools = same_tools && tools == request.tools;
  }
  void hear_summary(const Json& messages) { count(messages, 0); }

 private:
  void count(Json messages, size_t tools_bytes) {
    size_t pictures = 0;
    for (Json& message : messages) {
      if (!message["content"].is_array()) continue;
      for (Json& part : message["content"]) {
        if (part["type"] != "image_url") continue;
        part = nullptr;
        ++pictures;
      }
    }
    const size_t tokens = (dump_json(messages).size() + tools_bytes) / 4 + 1'200 * pictures;
    if (tokens <= 8'192) return;
    ++overflows;
    throw Error(ErrorCode::resource_exhausted, "the prompt exceeds the context window");
  }
};

RunOutcome work_in(World& world, TinyModel& model, int steps) {
  for (int i = 0; i < steps; ++i) {
    world.model.then([&model, i](const CompletionRequest& request, const std::stop_token&) {
      model.hear(request);
      const std::string text = "page " + std::to_string(i) + std::string(i % 10 * 400, '.');
      return i % 3 == 0 ? calls_answer({call(
                              "", "click", dump_json({{"x", i}, {"y", 2}, {"screenshot", true}}))})
                        : calls_answer({call("", "say", dump_json({{"text", text}}))}, "Going on.");
    });
  }
  world.model.then(text_answer("Done."));
  world.model.summarise = [&model](const CompletionRequest& request) {
    model.hear_summary(request.messages);
    return text_answer("## Next steps\nGo on.");
  };
  world.limits.max_steps = 2 * steps;
  return world.run("Read the pages", {}, std::chrono::seconds(600));
}

TEST_CASE("300 steps in a window of 8,192 tokens, without one overflow") {
  WordyWorld world;
  world.settings.dialect.context_tokens = 8'192;
  TinyModel model;
  const RunOutcome outcome = work_in(world, model, 300);
  CHECK(outcome.reply == "Done.");
  CHECK(model.overflows == 0);
  CHECK(world.model.summaries.size() > 5);
  CHECK(all_text(world.model.requests.back()).find("Read the pages") != std::string::npos);
}

TEST_CASE("a window of 8,192 tokens that nobody tells of is found by the first refusal") {
  WordyWorld world;
  TinyModel model;
  for (int i = 0; i < 20; ++i) {
    world.model.then([&model, i](const CompletionRequest& request, const std::stop_token&) {
      model.hear(request);
      return calls_answer({call("", "say", dump_json({{"text", std::to_string(i)}}))});
    });
  }
  world.model.then(text_answer("Done."));
  CHECK(world.run("Go").reply == "Done.");
  CHECK(model.overflows == 1);
  CHECK(model.same_tools);
}

TEST_CASE("a message that is larger than the window is shown in part, and recall reads the rest") {
  WordyWorld world;
  world.settings.dialect.context_tokens = 8'192;
  TinyModel model;
  const std::string prompt = "Sum this up: " + std::string(40'000, 'x') + "KIWI" +
                             std::string(40'000, 'y') + " in one word";
  std::string handle;
  world.model.then([&](const CompletionRequest& request, const std::stop_token&) {
    model.hear(request);
    const std::string all = all_text(request.messages);
    CHECK(all.find("Sum this up") != std::string::npos);
    CHECK(all.find("yyy in one word") != std::string::npos);
    const size_t at = all.find("message_");
    REQUIRE(at != std::string::npos);
    handle = all.substr(at, all.find_first_not_of("0123456789", at + 8) - at);
    return calls_answer({call("", "recall", dump_json({{"call_id", handle}, {"offset", 40'000}}))});
  });
  world.model.then([&](const CompletionRequest& request, const std::stop_token&) {
    model.hear(request);
    CHECK_THAT(all_text(request.messages), ContainsSubstring("xKIWIy"));
    return text_answer("Fruit.");
  });
  CHECK(world.run(prompt).reply == "Fruit.");
  CHECK(model.overflows == 0);
}

TEST_CASE("a window that is too small for any task is told of at once") {
  const int64_t tokens = GENERATE(4'096, 8'192, 0);
  WordyWorld world;
  world.settings.dialect.context_tokens = tokens;
  world.model.then(text_answer("Hello."));
  world.run("Hello");
  std::string notices;
  for (const Event& event : world.events()) {
    if (event.kind == "notice") notices += event.data["text"].get<std::string>();
  }
  const bool told = notices.starts_with("The model's context window has 4096 tokens, and a task");
  CHECK(told == (tokens == 4'096));
  CHECK(notices.empty() == !told);
}

TEST_CASE("a window of a million tokens keeps everything") {
  WordyWorld world;
  world.settings.dialect.context_tokens = 1'000'000;
  for (int i = 0; i < 100; ++i) {
    const std::string text = "page " + std::to_string(i) + std::string(10'000, '.');
    world.model.then(calls_answer({call("", "say", dump_json({{"text", text}}))}));
  }
  world.model.then(text_answer("Done."));
  CHECK(world.run("Read", {}, std::chrono::seconds(600)).reply == "Done.");
  const std::string last = all_text(world.model.requests.back());
  CHECK(last.size() > 3'000'000 / 2);
  CHECK_THAT(last, ContainsSubstring("page 0."));
  CHECK(world.model.summaries.empty());
  CHECK(listed_names(world.model.tools).find("tool_58") != std::string::npos);
}

}  // namespace
}  // namespace selfagent
