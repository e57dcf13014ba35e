// The examples of the JSON-RPC 2.0 specification, section 7, answered word for word.
#include "rpc/service.h"

#include "catch.h"

namespace selfagent::rpc {
namespace {

class Example : public Service {
 public:
  void handle(Request request, Done done) override {
    const Json& p = request.params;
    if (request.method == "subtract") {
      const auto a = p.is_array() ? p[0].get<int>() : p["minuend"].get<int>();
      const auto b = p.is_array() ? p[1].get<int>() : p["subtrahend"].get<int>();
      return done(std::to_string(a - b));
    }
    if (request.method == "sum") {
      int sum = 0;
      for (const auto& number : p) sum += number.get<int>();
      return done(std::to_string(sum));
    }
    if (request.method == "get_data") return done(R"(["hello",5])");
    if (request.method == "throw") throw std::runtime_error("no such luck");
    if (request.method == "update" || request.method.starts_with("notify_")) return done("null");
    done(unknown_method("no such method"));
  }
};

// What goes back, with error.data removed: the specification leaves it to the server.
Json ask(const std::string& text) {
  std::string reply = "not called";
  answer(text, std::make_shared<Example>(), [&](std::string out) { reply = std::move(out); });
  if (reply.empty()) return "nothing";
  Json json = parse_json(reply);
  const auto strip = [](Json& message) {
    if (message.contains("error")) message["error"].erase("data");
  };
  if (json.is_array()) {
    for (auto& message : json) strip(message);
  } else {
    strip(json);
  }
  return json;
}

}  // namespace

TEST_CASE("the examples of the JSON-RPC 2.0 specification") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"({"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1})",
       R"({"jsonrpc": "2.0", "result": 19, "id": 1})"},
      {R"({"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2})",
       R"({"jsonrpc": "2.0", "result": -19, "id": 2})"},
      {R"({"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3})",
       R"({"jsonrpc": "2.0", "result": 19, "id": 3})"},
      {R"({"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4})",
       R"({"jsonrpc": "2.0", "result": 19, "id": 4})"},
      {R"({"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]})", R"("nothing")"},
      {R"({"jsonrpc": "2.0", "method": "foobar"})", R"("nothing")"},
      {R"({"jsonrpc": "2.0", "method": "foobar", "id": "1"})",
       R"({"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"})"},
      {R"({"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz])",
       R"({"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null})"},
      {R"({"jsonrpc": "2.0", "method": 1, "params": "bar"})",
       R"({"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null})"},
      {R"([{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
           {"jsonrpc": "2.0", "method"])",
       R"({"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null})"},
      {"[]",
       R"({"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null})"},
      {"[1]",
       R"([{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}])"},
      {"[1,2,3]",
       R"([{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
           {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
           {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}])"},
      {R"([{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
           {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
           {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
           {"foo": "boo"},
           {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
           {"jsonrpc": "2.0", "method": "get_data", "id": "9"}])",
       R"([{"jsonrpc": "2.0", "result": 7, "id": "1"},
           {"jsonrpc": "2.0", "result": 19, "id": "2"},
           {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
           {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},
           {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}])"},
      {R"([{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
           {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}])",
       R"("nothing")"}};
  for (const auto& [request, expected] : cases) {
    INFO(request);
    // nlohmann::json without order: members of an object may come in any.
    CHECK(nlohmann::json(ask(request)) == nlohmann::json::parse(expected));
  }
}

TEST_CASE("a batch of more than a hundred messages is refused whole") {
  std::string batch = "[";
  for (int i = 0; i < 101; ++i) batch += R"({"jsonrpc":"2.0","method":"get_data","id":1},)";
  batch.back() = ']';
  CHECK(ask(batch)["error"]["code"] == -32600);
}

TEST_CASE("ids come back with their type") {
  CHECK(ask(R"({"jsonrpc":"2.0","method":"get_data","id":"7"})")["id"] == "7");
  CHECK(ask(R"({"jsonrpc":"2.0","method":"get_data","id":7})")["id"] == 7);
  CHECK(ask(R"({"jsonrpc":"2.0","method":"get_data","id":null})")["id"].is_null());
  CHECK(ask(R"({"jsonrpc":"2.0","method":"get_data","id":{}})")["error"]["code"] == -32600);
}

TEST_CASE("a service that throws is an internal error, and the rest of the batch is answered") {
  const Json answers = ask(R"([{"jsonrpc":"2.0","method":"throw","id":1},
                               {"jsonrpc":"2.0","method":"get_data","id":2}])");
  REQUIRE(answers.size() == 2);
  CHECK(answers[0]["error"]["code"] == -32603);
  CHECK(answers[1]["id"] == 2);
}

TEST_CASE("a number beyond double is a parse error, not an exception on the network thread") {
  CHECK(ask(R"({"jsonrpc":"2.0","method":"get_data","id":1e999})")["error"]["code"] == -32700);
}

TEST_CASE("a peer's response is not answered") {
  CHECK(ask(R"({"jsonrpc":"2.0","id":1,"result":{}})") == "nothing");
}

}  // namespace selfagent::rpc
