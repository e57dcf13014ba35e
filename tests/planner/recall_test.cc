// What recall finds in a conversation, and in which order.
#include "catch.h"
#include "world.h"

using Catch::Matchers::Contains;

namespace selfagent {
namespace {

struct RecallWorld : World {
  // The model says each of these by the tool say, as calls said0, said1, …
  void tell(const std::vector<std::string>& said) {
    for (size_t i = 0; i < said.size(); ++i) {
      model.then(
          calls_answer({call("said" + std::to_string(i), "say", dump_json({{"text", said[i]}}))}));
    }
  }
  // What recall answers to the query after that.
  std::string recall(const Json& arguments) {
    model.then(calls_answer({call("asked", "recall", dump_json(arguments))}));
    model.then(text_answer("Found."));
    run("Look it up");
    return result("asked");
  }
  std::string result(const std::string& call_id) const {
    for (const Event& event : events()) {
      if (event.kind == "action_result" && event.data["call_id"] == call_id) {
        return event.data["text"];
      }
    }
    return "";
  }
};

TEST_CASE("recall tells the best match first, with the id by which it is read whole") {
  RecallWorld world;
  const std::string around(400, '.');
  world.tell({"the code stands in the log " + around + " " + around + " and the box is grey",
              "box 7: the code is K7919 and nothing else", "the boxes have codes"});
  const std::string found = world.recall({{"query", "code BOX"}});
  const size_t best = found.find("say (call_id said1), byte 11: box 7: the code is K7919");
  const size_t second = found.find("say (call_id said0), byte ");
  const size_t third = found.find("say (call_id said2)");
  INFO(found);
  CHECK(found.starts_with("the best first:\n- "));
  CHECK(best != std::string::npos);
  CHECK(best < second);
  CHECK(second < third);
  CHECK(third != std::string::npos);
  CHECK(found.find("asked") == std::string::npos);
}

TEST_CASE("the excerpt is of the word that tells most") {
  RecallWorld world;
  std::string text;
  for (int i = 0; i < 100; ++i) text += "code ";
  world.tell({text + "K7919 " + text});
  CHECK_THAT(world.recall({{"query", "code k7919"}}), Contains("byte 500: …"));
  CHECK_THAT(world.result("asked"), Contains("K7919"));
}

TEST_CASE("recall finds words of two characters in Chinese") {
  RecallWorld world;
  world.tell({"请打开设置窗口，然后截图", "设定"});
  const std::string found = world.recall({{"query", "设置"}});
  CHECK_THAT(found, Contains("call_id said0"));
  CHECK(found.find("said1") == std::string::npos);
}

TEST_CASE("recall finds what the index does not have") {
  RecallWorld world;
  SECTION("the middle of a word, where nothing begins with it") {
    world.tell({"the code is K7919"});
    CHECK_THAT(world.recall({{"query", "7919"}}), Contains("call_id said0"));
  }
  SECTION("signs alone") {
    world.tell({"a -> b"});
    CHECK_THAT(world.recall({{"query", "->"}}), Contains("call_id said0"));
  }
  SECTION("the end of a very long text") {
    std::string text;
    while (text.size() < 70'000) text += "word ";
    world.tell({text + "pineapple", "a pineapple"});
    const std::string found = world.recall({{"query", "pineapple"}});
    CHECK_THAT(found, Contains("call_id said0), byte 70000"));
    CHECK_THAT(found, Contains("call_id said1"));
  }
}

TEST_CASE("a query is words, whatever signs are in it") {
  RecallWorld world;
  world.tell({"say \"hello (world)\" NEAR the text:column"});
  const std::string query =
      GENERATE(as<std::string>{}, "\"hello", "hello AND", "hello OR", "(hello", "NEAR(hello",
               "text:column", "hello*", "^say", "\"\"\" hello");
  INFO(query);
  CHECK_THAT(world.recall({{"query", query}}),
             Contains("the best first") || Contains("nothing in this conversation"));
}

TEST_CASE("what recall has found is shown whole in a small window") {
  RecallWorld world;
  world.settings.dialect.context_tokens = 8'192;
  std::vector<std::string> texts;
  for (int i = 0; i < 12; ++i) texts.push_back("plum " + std::to_string(i) + std::string(200, '.'));
  world.tell(texts);
  const std::string found = world.recall({{"query", "plum"}});
  CHECK(found.size() <= 1'500);
  CHECK_THAT(found, Contains("others: add a word to narrow it"));
}

}  // namespace
}  // namespace selfagent
