#include "schema/param.h"

#include "catch.h"

namespace selfagent {

enum class Colour { red, green };
template <>
struct EnumWords<Colour> {
  static constexpr std::array words{"red", "green"};
};

namespace {

struct Extra {
  int wait_ms = 7;
};
struct Args {
  int x;
  Colour colour = Colour::green;
  std::vector<std::string> names;
  std::optional<double> scale;
  std::string text;
  std::map<std::string, std::string> env;
  Extra extra;
};

const ParamList<Args>& params() {
  static const ParamList<Args> list{
      param("x", &Args::x, "Pixels.").range(0, 100),
      param("colour", &Args::colour, "Which.").optional(),
      param("names", &Args::names, "Names.").optional(),
      param("scale", &Args::scale, "Scale."),
      param("text", &Args::text, "Text.").range(1, 3).optional(),
      param("env", &Args::env, "Variables.").optional(),
      ParamRows<Args>({param("wait_ms", &Args::extra, &Extra::wait_ms, "Wait.").optional().row()}),
  };
  return list;
}

}  // namespace

TEST_CASE("one row gives the JSON schema") {
  const Json schema = params().schema();
  CHECK(schema["type"] == "object");
  CHECK(schema["additionalProperties"] == false);
  CHECK(schema["required"] == Json({"x"}));
  CHECK(dump_json(schema["properties"]["x"]) ==
        R"({"type":"integer","minimum":0,"maximum":100,"description":"Pixels."})");
  CHECK(dump_json(schema["properties"]["colour"]) ==
        R"({"type":"string","enum":["red","green"],"description":"Which.","default":"green"})");
  CHECK(schema["properties"]["wait_ms"]["default"] == 7);
  CHECK(schema["properties"]["names"]["items"]["type"] == "string");
}

TEST_CASE("arguments are decoded with their defaults") {
  const Args args = params().decode(
      parse_json(R"({"x":0,"names":["a"],"scale":2,"env":{"A":"1"},"wait_ms":5,"colour":"red"})"));
  CHECK(args.x == 0);
  CHECK(args.colour == Colour::red);
  CHECK(args.names == std::vector<std::string>{"a"});
  CHECK(args.scale == 2.0);
  CHECK(args.env.at("A") == "1");
  CHECK(args.extra.wait_ms == 5);
  CHECK(params().decode(parse_json(R"({"x":3.0})")).x == 3);
  CHECK(params().decode(parse_json(R"({"x":3,"colour":null})")).colour == Colour::green);
}

TEST_CASE("the length of a text is counted in characters, as its schema says") {
  CHECK(params().decode(parse_json(R"({"x":1,"text":"\u00e9\u00e9\ud83d\ude00"})")).text.size() ==
        8);
  CHECK_THROWS_WITH(params().decode(parse_json(R"({"x":1,"text":"\u00e9\u00e9\u00e9\u00e9"})")),
                    ContainsSubstring("text has length 4, allowed is 1 to 3"));
}

TEST_CASE("every kind of bad argument is refused by name") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"{}", "\"x\" is missing"},
      {"[1]", "expected an object"},
      {R"({"x":"1"})", "x: expected an integer, got \"1\""},
      {R"({"x":1.5})", "x: expected an integer, got 1.5"},
      {R"({"x":99999999999999999999})", "x: expected"},
      {R"({"x":4294967296})", "x: expected a smaller integer"},
      {R"({"x":101})", "x=101 is outside 0 to 100"},
      {R"({"x":-1})", "x=-1 is outside 0 to 100"},
      {R"({"x":1,"colours":"red"})", "unknown parameter \"colours\", did you mean \"colour\"?"},
      {R"({"x":1,"colour":"blue"})", "colour: expected one of red, green, got \"blue\""},
      {R"({"x":1,"names":["a",2]})", "names[1]: expected a string, got 2"},
      {R"({"x":1,"env":{"A":1}})", "env.A: expected a string, got 1"},
      {R"({"x":1,"text":"abcd"})", "text has length 4, allowed is 1 to 3"},
      {R"({"x":null})", "x: expected an integer, got null"}};
  for (const auto& [json, message] : cases) {
    INFO(json);
    CHECK_THROWS_WITH(params().decode(parse_json(json)), ContainsSubstring(message));
    CHECK_THROWS_AS(params().decode(parse_json(json)), ParameterError);
  }
}

}  // namespace selfagent
