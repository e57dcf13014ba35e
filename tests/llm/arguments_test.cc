#include "llm/arguments.h"

#include <string>

#include "base/error.h"
#include "catch.h"

using namespace selfagent;

namespace {

std::string read(const std::string& text) {
  try {
    return read_arguments(text).object.dump();
  } catch (const Error& error) {
    return std::string("error: ") + error.what();
  }
}

}  // namespace

TEST_CASE("arguments are read as the model meant them") {
  struct Case {
    const char* name;
    std::string text;
    std::string object;
  };
  const Case cases[] = {
      {"plain", R"({"x":1})", R"({"x":1})"},
      {"empty", "", "{}"},
      {"white space", " \n", "{}"},
      {"null", "null", "{}"},
      {"a JSON string", R"("{\"x\":1}")", R"({"x":1})"},
      {"a JSON string of a JSON string", R"("\"{\\\"x\\\":1}\"")", R"({"x":1})"},
      {"one object in an array", R"([{"x":1}])", R"({"x":1})"},
      {"a code fence", "```json\n{\"x\":1}\n```", R"({"x":1})"},
      {"trailing commas", R"({"x":1,"path":[1,2,],})", R"({"x":1,"path":[1,2]})"},
      {"missing closers", R"({"path":[[1,2],[3,4]])", R"({"path":[[1,2],[3,4]]})"},
      {"a missing closer after a string", R"({"command":"ls")", R"({"command":"ls"})"},
      {"one closer too many", R"({"x":1}})", R"({"x":1})"},
      {"the wrong closer", R"({"path":["a"})", R"({"path":["a"]})"},
      {"Python", R"({'x': 1, 'on': True, 'off': False, 'none': None})",
       R"({"x":1,"on":true,"off":false,"none":null})"},
      {"names without quotes", R"({x: 1, y: 2.5})", R"({"x":1,"y":2.5})"},
      {"raw line ends in a string", "{\"text\":\"a\nb\"}", R"({"text":"a\nb"})"},
      {"an escape that JSON does not know", R"({"re":"\d+"})", R"({"re":"\\d+"})"},
      {"an escaped single quote", R"({"s":"it\'s"})", R"({"s":"it's"})"},
      {"characters beyond the first plane", R"({'s':"\ud83d\ude00 \u00e9"})", "{\"s\":\"😀 é\"}"},
      {"a lone surrogate", R"({'s':"\ud83d!"})", "{\"s\":\"\xEF\xBF\xBD!\"}"},
  };
  for (const auto& each : cases) {
    INFO(each.name);
    CHECK(read(each.text) == each.object);
  }
}

TEST_CASE("what was cut off is never completed by a guess") {
  const std::string cases[] = {R"({"command":"rm -rf /home)",
                               R"({"x":1)",
                               R"({"x":1,)",
                               R"({"path":"/a","re)",
                               R"({"path":"/a",)",
                               R"({"path":[1,2)",
                               R"({"on":tr)",
                               "{",
                               R"({"x":)",
                               R"({"x")"};
  for (const auto& text : cases) {
    INFO(text);
    CHECK(read(text).starts_with("error: not valid JSON at character "));
  }
}

TEST_CASE("errors of arguments say what was expected") {
  CHECK(read("click the button") ==
        "error: not valid JSON at character 0: \"click\" is neither a number nor a quoted string");
  CHECK(read("[1,2]") ==
        "error: the arguments must be a JSON object such as {\"x\": 10}, got [1,2]");
  CHECK(read(R"({"a" "b"})") ==
        "error: not valid JSON at character 5: \":\" is missing after \"a\"");
  CHECK(read(std::string(5000, '[')).starts_with("error: "));
}

TEST_CASE("glued objects are split, everything else is left alone") {
  using Pieces = std::vector<std::string>;
  CHECK(split_objects(R"({"a":1}{"b":2})") == Pieces{R"({"a":1})", R"({"b":2})"});
  CHECK(split_objects("{\"a\":\"}{\"}\n{\"b\":2} {}") ==
        Pieces{R"({"a":"}{"})", R"({"b":2})", "{}"});
  CHECK(split_objects(R"({"a":1})") == Pieces{R"({"a":1})"});
  CHECK(split_objects(R"({"a":1}{"b":)") == Pieces{R"({"a":1}{"b":)"});
  CHECK(split_objects("") == Pieces{""});
}

TEST_CASE("a repaired text says so") {
  CHECK_FALSE(read_arguments(R"({"x":1})").repaired);
  CHECK_FALSE(read_arguments("").repaired);
  CHECK(read_arguments(R"({"x":1,})").repaired);
  CHECK(read_arguments(R"("{}")").repaired);
}
