#include "mcp/server.h"

#include <future>

#include "catch.h"
#include "process/sandbox.h"

namespace selfagent {
namespace {

struct NoArgs {};
struct EchoArgs {
  std::string text;
  int times = 1;
};

// Tools that need no desktop: the context's desktop is never touched.
void add_tools(Registry& registry) {
  registry.add(make_tool<EchoArgs>({
      .name = "echo",
      .title = "Echo",
      .description = "Says it again.",
      .area = ToolArea::code,
      .annotations = {true, false, true, false},
      .params = {param("text", &EchoArgs::text, "What."),
                 param("times", &EchoArgs::times, "How often.").range(1, 3).optional()},
      .run =
          [](const EchoArgs& args, ToolContext& context) {
            context.progress(0.5, "half");
            std::string out;
            for (int i = 0; i < args.times; ++i) out += args.text;
            return ToolResult::text(out);
          },
  }));
  registry.add(make_tool<NoArgs>({
      .name = "fail",
      .title = "Fail",
      .description = "Fails.",
      .area = ToolArea::code,
      .annotations = {true, false, true, false},
      .params = {},
      .run = [](const NoArgs&, ToolContext&) -> ToolResult {
        throw Error(ErrorCode::not_found, "no such thing: look elsewhere");
      },
  }));
  registry.add(make_tool<NoArgs>({
      .name = "hang",
      .title = "Hang",
      .description = "Waits until it is cancelled.",
      .area = ToolArea::code,
      .annotations = {true, false, true, false},
      .params = {},
      .run = [](const NoArgs&, ToolContext& context) -> ToolResult {
        std::mutex mutex;
        std::condition_variable_any wake;
        std::unique_lock lock(mutex);
        wake.wait(lock, context.stop, [] { return false; });
        throw Error(ErrorCode::cancelled, "cancelled");
      },
  }));
}

class Fixture {
 public:
  explicit Fixture(bool tool_methods = true) : pool_(8, 100) {
    add_tools(registry_);
    caller_ =
        std::make_unique<ToolCaller>(registry_, pool_, [](std::stop_token stop, Deadline deadline) {
          // Never dereferenced: the tools of this test use neither.
          static char nothing[64];
          return ToolContext{*reinterpret_cast<Desktop*>(nothing),
                             *reinterpret_cast<Sandbox*>(nothing), stop, deadline};
        });
    mcp::Connection::Options options;
    options.tool_methods = tool_methods;
    options.notify = [this](std::string text) {
      const std::lock_guard lock(mutex_);
      notified_.push_back(parse_json(text));
    };
    connection = std::make_shared<mcp::Connection>(
        *caller_, mcp::ServerIdentity{"selfagent", "0.1.0", "Look first."}, options);
  }

  std::future<Json> start(const std::string& text) {
    auto promise = std::make_shared<std::promise<Json>>();
    auto future = promise->get_future();
    rpc::answer(text, connection, [promise](std::string reply) {
      promise->set_value(reply.empty() ? Json("nothing") : parse_json(reply));
    });
    return future;
  }
  Json ask(const std::string& text) { return start(text).get(); }
  std::vector<Json> notified() {
    const std::lock_guard lock(mutex_);
    return notified_;
  }

  std::shared_ptr<mcp::Connection> connection;

 private:
  Registry registry_;
  std::mutex mutex_;  // protects notified_
  std::vector<Json> notified_;
  WorkerPool pool_;
  std::unique_ptr<ToolCaller> caller_;
};

std::string call(const std::string& name, const std::string& arguments) {
  return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + name +
         R"(","arguments":)" + arguments + "}}";
}

}  // namespace

TEST_CASE("initialize echoes a known revision and offers the newest legacy one otherwise") {
  Fixture fixture;
  const auto revision = [&](const std::string& asked) {
    return fixture
        .ask(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":")" +
             asked +
             R"(","capabilities":{},"clientInfo":{"name":"t","version":"1"}}})")["result"]
                                                                                ["protocolVersion"]
        .get<std::string>();
  };
  for (const char* known : {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}) {
    CHECK(revision(known) == known);
  }
  CHECK(revision("1999-01-01") == "2025-11-25");
  const Json result =
      fixture.ask(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{}})")["result"];
  CHECK(result["serverInfo"]["name"] == "selfagent");
  CHECK(result["capabilities"]["tools"] == Json::object());
  CHECK(result["instructions"] == "Look first.");
  CHECK(fixture.ask(R"({"jsonrpc":"2.0","method":"notifications/initialized"})") == "nothing");
}

TEST_CASE("tools are listed with schema and all four annotations") {
  Fixture fixture;
  const Json tools =
      fixture.ask(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})")["result"]["tools"];
  REQUIRE(tools.size() == 3);
  CHECK(tools[0]["name"] == "echo");
  CHECK(tools[0]["inputSchema"]["required"] == Json({"text"}));
  for (const char* hint : {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}) {
    CHECK(tools[0]["annotations"].contains(hint));
  }
}

TEST_CASE("a call answers with content, an error of the tool with isError") {
  Fixture fixture;
  CHECK(fixture.ask(call("echo", R"({"text":"a","times":2})"))["result"] ==
        parse_json(R"({"content":[{"type":"text","text":"aa"}],"isError":false})"));
  const Json failed = fixture.ask(call("fail", "{}"))["result"];
  CHECK(failed["isError"] == true);
  CHECK(failed["content"][0]["text"] == "fail failed: no such thing: look elsewhere");
}

TEST_CASE("a bad argument is a result for MCP and -32602 for plain JSON-RPC") {
  Fixture fixture;
  const Json mcp = fixture.ask(call("echo", R"({"text":5})"));
  CHECK(mcp["result"]["isError"] == true);
  CHECK_THAT(mcp["result"]["content"][0]["text"].get<std::string>(), ContainsSubstring("text:"));
  const Json plain = fixture.ask(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":{"txt":5}})");
  CHECK(plain["error"]["code"] == -32602);
  CHECK_THAT(plain["error"]["message"].get<std::string>(), ContainsSubstring("\"txt\""));
}

TEST_CASE("plain JSON-RPC takes parameters by name and by position") {
  Fixture fixture;
  const auto text = [](const Json& answer) { return answer["result"]["content"][0]["text"]; };
  CHECK(text(fixture.ask(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":"x"}})")) ==
        "x");
  CHECK(text(fixture.ask(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":["x",3]})")) == "xxx");
  CHECK(fixture.ask(
            R"({"jsonrpc":"2.0","id":1,"method":"echo","params":["x",3,4]})")["error"]["code"] ==
        -32602);
  const Json unknown = fixture.ask(R"({"jsonrpc":"2.0","id":1,"method":"ecko"})");
  CHECK(unknown["error"]["code"] == -32601);
  CHECK_THAT(unknown["error"]["data"]["detail"].get<std::string>(),
             ContainsSubstring("did you mean \"echo\""));
}

TEST_CASE("on /mcp a tool's name is no method") {
  Fixture fixture(false);
  CHECK(fixture.ask(R"({"jsonrpc":"2.0","id":1,"method":"echo"})")["error"]["code"] == -32601);
  CHECK(fixture.ask(call("nope", "{}"))["error"]["code"] == -32602);
}

TEST_CASE("progress goes to the token that asked for it") {
  Fixture fixture;
  fixture.ask(
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a"},"_meta":{"progressToken":"t"}}})");
  const auto notified = fixture.notified();
  REQUIRE(notified.size() == 1);
  CHECK(notified[0]["method"] == "notifications/progress");
  CHECK(notified[0]["params"]["progressToken"] == "t");
  CHECK(notified[0]["params"]["progress"] == 0.5);
}

std::string modern(const std::string& method, const std::string& params = "") {
  return R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" + params +
         R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}})";
}

TEST_CASE("the first message of a stream decides its era, server/discover does not") {
  const std::string initialize =
      R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}})";
  Fixture undecided;
  CHECK(undecided.ask(modern("server/discover"))["result"]["supportedVersions"] ==
        Json({"2026-07-28"}));
  CHECK(undecided.ask(initialize)["result"]["protocolVersion"] == "2025-11-25");
  CHECK_FALSE(undecided.ask(modern("tools/list"))["result"].contains("resultType"));

  Fixture decided;
  CHECK(decided.ask(modern("tools/list"))["result"]["resultType"] == "complete");
  const Json late = decided.ask(initialize)["error"];
  CHECK(late["code"] == -32022);
  CHECK(late["data"] == parse_json(R"({"supported":["2026-07-28"],"requested":"2025-11-25"})"));
  CHECK(decided.ask(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})")["error"]["code"] ==
        -32602);
}

TEST_CASE("a modern result says that it is complete and who gave it") {
  Fixture fixture;
  const Json result =
      fixture.ask(modern("tools/call", R"("name":"echo","arguments":{"text":"a"},)"))["result"];
  CHECK(result["resultType"] == "complete");
  CHECK(result["content"][0]["text"] == "a");
  CHECK(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "selfagent");
  CHECK(fixture.ask(modern("tools/call", R"("name":"nope",)"))["error"]["code"] == -32602);
  CHECK(fixture.ask(modern("ping"))["error"]["code"] == -32601);
}

TEST_CASE("initialize names a version of the wrong type") {
  Fixture fixture;
  const Json error = fixture.ask(
      R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":5}})")["error"];
  CHECK(error["code"] == -32602);
  CHECK_THAT(error["message"].get<std::string>(), ContainsSubstring("got 5"));
}

TEST_CASE("notifications/cancelled stops the call that it names") {
  Fixture fixture;
  auto hanging = fixture.start(
      R"({"jsonrpc":"2.0","id":"h","method":"tools/call","params":{"name":"hang","arguments":{}}})");
  fixture.ask(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"h"}})");
  CHECK(hanging.get()["result"]["isError"] == true);
}

TEST_CASE("a peer that vanishes cancels its calls") {
  Fixture fixture;
  auto hanging = fixture.start(call("hang", "{}"));
  fixture.connection->close();
  CHECK(hanging.get()["result"]["isError"] == true);
}

}  // namespace selfagent
