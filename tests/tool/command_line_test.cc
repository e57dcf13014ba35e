// The line syntax of chat commands and gui scripts.
#include "tool/command_line.h"

#include "catch.h"

namespace selfagent {
namespace {

Tool tool(const std::string& name, const std::string& schema) {
  Tool made;
  made.name = name;
  made.title = name;
  made.area = ToolArea::code;
  made.input_schema = parse_json(schema);
  return made;
}

Registry tools() {
  Registry registry;
  registry.add(tool("click", R"({"type":"object","properties":{
    "x":{"type":"integer"},"y":{"type":"integer"},
    "button":{"type":"string","enum":["left","middle","right"]},
    "count":{"type":"integer","default":1},
    "modifiers":{"type":"array","items":{"type":"string","enum":["ctrl","shift"]}},
    "screenshot":{"type":"boolean","default":false}},"required":["x","y"]})"));
  registry.add(tool("type", R"({"type":"object","properties":{"text":{"type":"string"},
    "settle_ms":{"type":"integer","default":1500}},"required":["text"]})"));
  registry.add(tool("shell", R"({"type":"object","properties":{"command":{"type":"string"},
    "timeout_ms":{"type":"integer"},"cwd":{"type":"string"},
    "env":{"type":"object"}},"required":["command"]})"));
  registry.add(tool("drag", R"({"type":"object","properties":{"path":{"type":"array","minItems":2,
    "items":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2}}},"required":["path"]})"));
  registry.add(tool("write_file", R"({"type":"object","properties":{"path":{"type":"string"},
    "content":{"type":"string"},"append":{"type":"boolean"}},"required":["path","content"]})"));
  registry.add(tool("clipboard", R"({"type":"object","properties":{"text":{"type":"string"}}})"));
  registry.add(tool(
      "scale", R"({"type":"object","properties":{"by":{"type":"number"}},"required":["by"]})"));
  registry.add(tool("screenshot", R"({"type":"object","properties":{
    "region":{"type":"array","items":{"type":"integer"}}}})"));
  return registry;
}

std::string parsed(const std::string& line) {
  static const Registry registry = tools();
  const ToolCommand command = parse_tool_command(line, registry);
  return command.tool + " " + dump_json(command.arguments);
}

std::string refused(const std::string& line) {
  try {
    return "not refused: " + parsed(line);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_argument);
    return error.what();
  }
}

TEST_CASE("words fill the parameters in the order of the schema") {
  CHECK(parsed("click 10 0") == R"(click {"x":10,"y":0})");
  CHECK(parsed("  click   10\t20  right 2 ") ==
        R"(click {"x":10,"y":20,"button":"right","count":2})");
  CHECK(parsed("screenshot") == "screenshot {}");
  CHECK(parsed("scale 1.5") == R"(scale {"by":1.5})");
  CHECK(parsed("scale -2") == R"(scale {"by":-2})");
}

TEST_CASE("named values may stand anywhere before a text") {
  CHECK(parsed("click y=2 x=1 count=3") == R"(click {"y":2,"x":1,"count":3})");
  CHECK(parsed("click 1 2 screenshot=true modifiers=ctrl,shift") ==
        R"(click {"x":1,"y":2,"screenshot":true,"modifiers":["ctrl","shift"]})");
  CHECK(parsed("click y=5 4") == R"(click {"y":5,"x":4})");
  CHECK(parsed("shell timeout_ms=5000 sleep 2") ==
        R"(shell {"timeout_ms":5000,"command":"sleep 2"})");
  CHECK(parsed("shell command=ls -la  /tmp timeout_ms=5000") ==
        R"(shell {"command":"ls -la  /tmp","timeout_ms":5000})");
}

TEST_CASE("the text of a tool runs to the end of the line") {
  CHECK(parsed("shell ls -la | grep 'a b'") == R"(shell {"command":"ls -la | grep 'a b'"})");
  CHECK(parsed("type hello  world ") == R"(type {"text":"hello  world"})");
  CHECK(parsed("type it's 5\" long") == R"(type {"text":"it's 5\" long"})");
  CHECK(parsed("clipboard some words") == R"(clipboard {"text":"some words"})");
  CHECK(parsed("write_file /tmp/a.txt two words") ==
        R"(write_file {"path":"/tmp/a.txt","content":"two words"})");
  CHECK(parsed("shell FOO=1 make") == R"(shell {"command":"FOO=1 make"})");
  CHECK(parsed("shell echo cwd=/tmp") == R"(shell {"command":"echo cwd=/tmp"})");
}

TEST_CASE("quotes") {
  CHECK(parsed(R"(type "hello\n")") == R"(type {"text":"hello\n"})");
  CHECK(parsed(R"(type "ñ 美 \u20ac \"q\" \\")") == R"(type {"text":"ñ 美 € \"q\" \\"})");
  CHECK(parsed(R"(type 'raw \n')") == R"(type {"text":"raw \\n"})");
  CHECK(parsed(R"(type "")") == R"(type {"text":""})");
  CHECK(parsed("type \"a\tb\" settle_ms=0") == R"(type {"text":"a\tb","settle_ms":0})");
  CHECK(parsed(R"(write_file "/tmp/a b" "x\ny" append=true)") ==
        R"(write_file {"path":"/tmp/a b","content":"x\ny","append":true})");
  CHECK(parsed(R"(shell "my program" --flag)") == R"(shell {"command":"\"my program\" --flag"})");
  CHECK(parsed(R"(type "open)") == R"(type {"text":"\"open"})");
  CHECK_THAT(refused(R"(type "a\d")"), ContainsSubstring("single quotes"));
  CHECK_THAT(refused(R"(write_file "/tmp/a text)"), ContainsSubstring("is not closed"));
}

TEST_CASE("arrays and objects are JSON, with blanks if need be") {
  CHECK(parsed("drag [[1,2],[3,4]]") == R"(drag {"path":[[1,2],[3,4]]})");
  CHECK(parsed("drag [[1, 2], [3, 4]]") == R"(drag {"path":[[1,2],[3,4]]})");
  CHECK(parsed(R"(shell env={"A": "} ]"} printenv A)") ==
        R"(shell {"env":{"A":"} ]"},"command":"printenv A"})");
  CHECK(parsed("screenshot 0,0,100,50") == R"(screenshot {"region":[0,0,100,50]})");
  CHECK_THAT(refused("drag [[1,2"), ContainsSubstring("path is not JSON"));
  CHECK_THAT(refused("drag 1 2"), ContainsSubstring("Usage: drag [[100,200],[300,400]]"));
}

TEST_CASE("mistakes name the value and the usage") {
  CHECK(refused("click") ==
        "click needs x and y: click 100 200 [button=left|middle|right] [count=1] [modifiers=…] "
        "[screenshot=false]");
  CHECK_THAT(refused("click 5"),
             ContainsSubstring("click needs x and y (y missing): click 100 200"));
  CHECK_THAT(refused("click ten 5"), ContainsSubstring("x is a whole number, got \"ten\""));
  CHECK_THAT(refused("click 1.5 5"), ContainsSubstring("got \"1.5\""));
  CHECK_THAT(refused("click 99999999999999999999 5"), ContainsSubstring("x is a whole number"));
  CHECK_THAT(refused("click 1 2 up"), ContainsSubstring("one of left, middle or right"));
  CHECK_THAT(refused("click 1 2 x=3"), ContainsSubstring("x is given twice"));
  CHECK_THAT(refused("click 1 2 cuont=3"), ContainsSubstring("did you mean \"count\"?"));
  CHECK_THAT(refused("click 1 2 left 1 ctrl true 7"), ContainsSubstring("one value too many"));
  CHECK_THAT(refused("clik 1 2"), ContainsSubstring("did you mean \"click\"?"));
  CHECK_THAT(refused(" "), ContainsSubstring("the line is empty"));
  CHECK_THAT(refused("shell"), ContainsSubstring("shell needs command: shell <command>"));
}

TEST_CASE("words that a shell has split are taken as they are") {
  const Registry registry = tools();
  const auto arguments = [&](const std::string& name, const std::vector<std::string>& words) {
    return dump_json(tool_arguments(name, registry.find(name)->input_schema, words));
  };
  CHECK(arguments("click", {"x=10", "20"}) == R"({"x":10,"y":20})");
  CHECK(arguments("shell", {"command=ls -la \"a\""}) == R"({"command":"ls -la \"a\""})");
  CHECK(arguments("shell", {"ls -la", "timeout_ms=5"}) == R"({"command":"ls -la","timeout_ms":5})");
  CHECK_THROWS_AS(arguments("shell", {"ls", "-la"}), Error);
}

}  // namespace
}  // namespace selfagent
