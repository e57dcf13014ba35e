#include "planner/call_arguments.h"

#include "base/json.h"
#include "catch.h"

using namespace selfagent;

namespace {

const Json schema = parse_json(R"({"type":"object","properties":{
  "x":{"type":"integer"},"y":{"type":"integer"},"ratio":{"type":"number"},"on":{"type":"boolean"},
  "text":{"type":"string"},"button":{"type":"string","enum":["left"]},"path":{"type":"array"},
  "modifiers":{"type":"array","items":{"type":"string"}},"env":{"type":"object"}}})");

std::string fit(const char* arguments) {
  return fit_to_schema(parse_json(arguments), schema).dump();
}

}  // namespace

TEST_CASE("values in the wrong dress fit the schema") {
  CHECK(fit(R"({"x":"10","y":20.4})") == R"({"x":10,"y":20})");
  CHECK(fit(R"({"ratio":"0.5","on":"true"})") == R"({"ratio":0.5,"on":true})");
  CHECK(fit(R"({"on":"False"})") == R"({"on":false})");
  CHECK(fit(R"({"text":12})") == R"({"text":"12"})");
  CHECK(fit(R"({"path":"[[1,2],[3,4]]"})") == R"({"path":[[1,2],[3,4]]})");
  CHECK(fit(R"({"env":"{\"A\":\"1\"}"})") == R"({"env":{"A":"1"}})");
  CHECK(fit(R"({"modifiers":"ctrl"})") == R"({"modifiers":["ctrl"]})");
}

TEST_CASE("a point may come under one name") {
  CHECK(fit(R"({"coordinate":[10,20]})") == R"({"x":10,"y":20})");
  CHECK(fit(R"~({"point":"(10, 20)"})~") == R"({"x":10,"y":20})");
  CHECK(fit(R"({"x":"10,20"})") == R"({"x":10,"y":20})");
  CHECK(fit(R"({"x":[10,20]})") == R"({"x":10,"y":20})");
}

TEST_CASE("what is not understood is left for the tool to refuse") {
  for (const char* same : {R"({"x":"ten"})", R"({"x":null})", R"({"button":5})", R"({"other":1})",
                           R"({"on":"maybe"})", R"({"text":"10"})", R"({"coordinate":[1,2,3]})",
                           R"({"x":[1],"y":2})", R"({"path":"1,2"})"}) {
    CHECK(fit(same) == same);
  }
}
