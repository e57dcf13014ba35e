// Questions to the client, in both eras, and the approval that uses them.
#include "world.h"

namespace selfagent {

namespace {

constexpr const char* elicitation = R"({"elicitation":{}})";

WorldOptions with_approval() {
  WorldOptions options;
  options.principal.approve = {"echo"};
  return options;
}

const std::string echo = R"("name":"echo","arguments":{"text":"hi"},)";

std::string answered(const std::string& approve, const std::string& state) {
  return echo + R"("inputResponses":{"approve":{"action":"accept","content":{"approve":)" +
         approve + R"(}}},"requestState":)" + state + ",";
}

Json begin_legacy(World& world, const char* capabilities) {
  return world.ask(
      R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":)" +
      std::string(capabilities) + R"(,"clientInfo":{"name":"t","version":"1"}}})");
}

}  // namespace

TEST_CASE("a call that needs approval asks for it and runs when it is given") {
  World world(with_approval());
  const Json first = world.ask(modern("tools/call", echo, elicitation))["result"];
  CHECK(first["resultType"] == "input_required");
  const Json& question = first["inputRequests"]["approve"];
  CHECK(question["method"] == "elicitation/create");
  CHECK(question["params"]["requestedSchema"]["required"] == Json::array({"approve"}));
  CHECK_THAT(question["params"]["message"].get<std::string>(), ContainsSubstring("text: hi"));

  const std::string state = dump_json(first["requestState"]);
  const Json second =
      world.ask(modern("tools/call", answered("true", state), elicitation))["result"];
  CHECK(second["resultType"] == "complete");
  CHECK(second["content"][0]["text"] == "hi");
}

TEST_CASE("an approval is good for one call with these arguments, and only if it was asked for") {
  World world(with_approval());
  const auto state = [&] {
    return dump_json(world.ask(modern("tools/call", echo, elicitation))["result"]["requestState"]);
  };
  const std::string first = state();
  CHECK(world.ask(modern("tools/call", answered("true", first),
                         elicitation))["result"]["content"][0]["text"] == "hi");
  // Replayed.
  CHECK(world.ask(modern("tools/call", answered("true", first), elicitation))["error"]["code"] ==
        -32602);
  // For other arguments.
  std::string other = answered("true", state());
  other.replace(other.find("hi"), 2, "ho");
  CHECK(world.ask(modern("tools/call", other, elicitation))["error"]["code"] == -32602);
  // Tampered with.
  std::string forged = state();
  forged[forged.size() / 2] = forged[forged.size() / 2] == 'A' ? 'B' : 'A';
  CHECK(world.ask(modern("tools/call", answered("true", forged), elicitation))["error"]["code"] ==
        -32602);
  // Unasked: the question comes all the same.
  const std::string unasked =
      echo + R"("inputResponses":{"approve":{"action":"accept","content":{"approve":true}}},)";
  CHECK(world.ask(modern("tools/call", unasked, elicitation))["result"]["resultType"] ==
        "input_required");
}

TEST_CASE("a call that is not approved is refused, and one that cannot be asked for, too") {
  World world(with_approval());
  const Json first = world.ask(modern("tools/call", echo, elicitation))["result"];
  const std::string state = dump_json(first["requestState"]);
  const Json refused =
      world.ask(modern("tools/call", answered("false", state), elicitation))["result"];
  CHECK(refused["isError"] == true);
  CHECK_THAT(refused["content"][0]["text"].get<std::string>(), ContainsSubstring("not approve"));

  const Json missing = world.ask(modern("tools/call", echo))["error"];
  CHECK(missing["code"] == -32021);
  CHECK(missing["data"]["requiredCapabilities"] == parse_json(elicitation));
}

TEST_CASE("nobody is asked about a call that cannot run") {
  World world(with_approval());
  const Json result = world.ask(
      modern("tools/call", R"("name":"echo","arguments":{"txt":"hi"},)", elicitation))["result"];
  CHECK(result["isError"] == true);
  CHECK_THAT(result["content"][0]["text"].get<std::string>(), ContainsSubstring("\"txt\""));
}

TEST_CASE("a legacy client is asked over its connection") {
  World world(with_approval());
  begin_legacy(world, elicitation);
  auto pending = world.start(call("echo", R"({"text":"hi"})"));
  const Json question = world.hear("elicitation/create");
  CHECK_FALSE(question["params"].contains("mode"));
  const std::string id = dump_json(question["id"]);
  world.ask(R"({"jsonrpc":"2.0","id":)" + id +
            R"(,"result":{"action":"accept","content":{"approve":true}}})");
  CHECK(pending.get()["result"]["content"][0]["text"] == "hi");

  auto declined = world.start(call("echo", R"({"text":"hi"})"));
  const std::string next = dump_json(world.hear("elicitation/create", 1)["id"]);
  world.ask(R"({"jsonrpc":"2.0","id":)" + next + R"(,"result":{"action":"decline"}})");
  CHECK(declined.get()["result"]["isError"] == true);
}

TEST_CASE("a legacy client that cannot be asked is told so") {
  World world(with_approval());
  begin_legacy(world, "{}");
  const Json result = world.ask(call("echo", R"({"text":"hi"})"))["result"];
  CHECK(result["isError"] == true);
  CHECK_THAT(result["content"][0]["text"].get<std::string>(), ContainsSubstring("elicitation"));
}

TEST_CASE("a question ends with its call") {
  World world(with_approval());
  begin_legacy(world, elicitation);
  auto pending = world.start(call("echo", R"({"text":"hi"})"));
  world.hear("elicitation/create");
  world.ask(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})");
  CHECK(pending.get()["result"]["isError"] == true);
  CHECK(world.hear("notifications/cancelled")["params"].contains("requestId"));
}

TEST_CASE("answers of earlier rounds come back with the state") {
  World world({.conformance = true});
  const std::string tool = R"("name":"test_input_required_result_multi_round",)";
  const auto round = [&](const std::string& key, const std::string& content,
                         const std::string& state) {
    return world.ask(modern("tools/call",
                            tool + R"("inputResponses":{")" + key +
                                R"(":{"action":"accept","content":)" + content +
                                R"(}},"requestState":)" + state + ",",
                            elicitation))["result"];
  };
  const Json first = world.ask(modern("tools/call", tool, elicitation))["result"];
  CHECK(first["inputRequests"].contains("step1"));
  const Json second = round("step1", R"({"name":"Alice"})", dump_json(first["requestState"]));
  CHECK(second["inputRequests"].contains("step2"));
  CHECK_FALSE(second["inputRequests"].contains("step1"));
  const Json third = round("step2", R"({"color":"blue"})", dump_json(second["requestState"]));
  CHECK(third["content"][0]["text"] == "Alice likes blue");
}

TEST_CASE("a request state is good for a quarter of an hour") {
  Clock::time_point now{};
  mcp::RequestStates states([&now] { return now; });
  const std::string early = states.seal("x", "binding");
  now += std::chrono::minutes(14);
  CHECK(states.open(early, "binding") == "x");
  const std::string late = states.seal("x", "binding");
  now += std::chrono::minutes(16);
  CHECK_THROWS_AS(states.open(late, "binding"), rpc::RpcError);
  CHECK_THROWS_AS(states.open("v1.e30=.00", "binding"), rpc::RpcError);
  CHECK_THROWS_AS(states.open("", "binding"), rpc::RpcError);
}

}  // namespace selfagent
