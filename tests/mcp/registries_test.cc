// Lists and pages, resources and their subscribers, prompts and completion, profiles.
#include "mcp/desktop_prompts.h"
#include "mcp/desktop_resources.h"
#include "mcp/pages.h"
#include "process/scratch.h"
#include "world.h"

namespace selfagent {

namespace {

std::string request(const std::string& method, const std::string& params = "{}") {
  return R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":)" + params + "}";
}

// A resource whose changes the test makes.
mcp::Resource news(std::function<void()>& changed) {
  mcp::Resource resource;
  resource.uri = "test://news";
  resource.name = "news";
  resource.read = [](const std::string&, const mcp::Variables&, const std::stop_token&) {
    mcp::ResourceContents contents;
    contents.mime = "text/plain";
    contents.text = "nothing new";
    return contents;
  };
  resource.watch = [&changed](const mcp::Variables&, std::function<void()> tell) {
    changed = std::move(tell);
    return std::make_unique<mcp::Watch>();
  };
  return resource;
}

}  // namespace

TEST_CASE("a list comes in pages of the size that is set") {
  World world({.page_size = 2});
  const Json first = world.ask(request("tools/list"))["result"];
  REQUIRE(first["tools"].size() == 2);
  const std::string cursor = dump_json(first["nextCursor"]);
  const Json second = world.ask(request("tools/list", R"({"cursor":)" + cursor + "}"))["result"];
  REQUIRE(second["tools"].size() == 1);
  CHECK(second["tools"][0]["name"] == "hang");
  CHECK_FALSE(second.contains("nextCursor"));
  for (const char* bad : {R"("x")", "5", R"("dG9vbHM6OTk=")", R"("cHJvbXB0czoy")"}) {
    INFO(bad);
    CHECK(world.ask(request("tools/list",
                            R"({"cursor":)" + std::string(bad) + "}"))["error"]["code"] == -32602);
  }
  CHECK(world.ask(request("tools/list", R"({"cursor":null})"))["result"]["tools"].size() == 2);
}

TEST_CASE("what is not there is not found, with the code of the era") {
  World legacy;
  const Json old = legacy.ask(request("resources/read", R"({"uri":"test://no"})"))["error"];
  CHECK(old["code"] == -32002);
  CHECK(old["data"]["uri"] == "test://no");
  World world;
  const Json error = world.ask(modern("resources/read", R"("uri":"test://no",)"))["error"];
  CHECK(error["code"] == -32602);
  CHECK(error["data"]["uri"] == "test://no");
}

TEST_CASE("a modern read says that it must not be kept") {
  World world({.conformance = true});
  const Json result =
      world.ask(modern("resources/read", R"("uri":"test://static-text",)"))["result"];
  CHECK(result["resultType"] == "complete");
  CHECK(result["ttlMs"] == 0);
  CHECK(result["cacheScope"] == "private");
  CHECK(result["contents"][0]["mimeType"] == "text/plain");
}

TEST_CASE("legacy subscribers are told until they unsubscribe") {
  World world;
  std::function<void()> changed;
  world.server->resources().add(news(changed));
  CHECK(world.ask(request("resources/subscribe", R"({"uri":"test://news"})"))["result"] ==
        Json::object());
  changed();
  CHECK(world.hear("notifications/resources/updated")["params"]["uri"] == "test://news");
  world.ask(request("resources/unsubscribe", R"({"uri":"test://news"})"));
  changed();
  CHECK(world.notified().size() == 1);
  CHECK(world.ask(request("resources/subscribe", R"({"uri":"test://no"})"))["error"]["code"] ==
        -32002);
}

TEST_CASE("a modern subscription acknowledges what it honours and ends with its result") {
  World world;
  std::function<void()> changed;
  world.server->resources().add(news(changed));
  auto listening = world.start(modern(
      "subscriptions/listen",
      R"("notifications":{"toolsListChanged":true,"resourceSubscriptions":["test://news","test://no"]},)"));
  const Json acknowledged = world.hear("notifications/subscriptions/acknowledged")["params"];
  CHECK(acknowledged["notifications"] ==
        parse_json(R"({"resourceSubscriptions":["test://news"]})"));
  CHECK(acknowledged["_meta"]["io.modelcontextprotocol/subscriptionId"] == 1);
  changed();
  const Json updated = world.hear("notifications/resources/updated")["params"];
  CHECK(updated["uri"] == "test://news");
  CHECK(updated["_meta"]["io.modelcontextprotocol/subscriptionId"] == 1);
  world.ask(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})");
  const Json result = listening.get()["result"];
  CHECK(result["resultType"] == "complete");
  CHECK(result["_meta"]["io.modelcontextprotocol/subscriptionId"] == 1);
  changed();
  CHECK(world.notified().size() == 2);
}

TEST_CASE("files are told of, in both eras, also before they are there") {
  const Scratch scratch;
  const Sandbox sandbox({"", scratch.path(), ""});
  World world;
  world.server->resources().add(mcp::workspace_resource(sandbox));
  const std::string root = "file://" + scratch.path().string() + "/";
  const auto params = [](const std::string& uri) { return R"({"uri":")" + uri + "\"}"; };
  CHECK(world.ask(request("resources/subscribe", params(root + "out/a%20b.txt")))["result"] ==
        Json::object());
  scratch.write("out/a b.txt", "1");
  CHECK(world.hear("notifications/resources/updated")["params"]["uri"] == root + "out/a%20b.txt");
  const Json refused = world.ask(request("resources/subscribe", params(root + "../x")))["error"];
  CHECK(refused["code"] == -32002);
  CHECK_THAT(refused["message"].get<std::string>(),
             ContainsSubstring("is not inside the workspace"));

  World newer;
  newer.server->resources().add(mcp::workspace_resource(sandbox));
  auto listening =
      newer.start(modern("subscriptions/listen", R"("notifications":{"resourceSubscriptions":[")" +
                                                     root + R"(out/",")" + root + R"(../x"]},)"));
  CHECK(newer.hear("notifications/subscriptions/acknowledged")["params"]["notifications"] ==
        Json({{"resourceSubscriptions", {root + "out/"}}}));
  scratch.write("out/c.txt", "1");
  CHECK(newer.hear("notifications/resources/updated")["params"]["uri"] == root + "out/");
  newer.ask(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})");
  CHECK(listening.get()["result"]["resultType"] == "complete");
}

TEST_CASE("a connection has at most a hundred subscriptions") {
  const Scratch scratch;
  const Sandbox sandbox({"", scratch.path(), ""});
  World world;
  world.server->resources().add(mcp::workspace_resource(sandbox));
  const auto subscribe = [&](const char* method, int number) {
    return world.ask(request(method, R"({"uri":"file://)" + scratch.path().string() + "/" +
                                         std::to_string(number) + "\"}"));
  };
  for (int i = 0; i < 100; ++i) {
    REQUIRE(subscribe("resources/subscribe", i)["result"] == Json::object());
  }
  CHECK(subscribe("resources/subscribe", 0)["result"] == Json::object());
  const Json error = subscribe("resources/subscribe", 100)["error"];
  CHECK(error["code"] == -32602);
  CHECK_THAT(error["message"].get<std::string>(), ContainsSubstring("at most 100 resources"));
  CHECK(subscribe("resources/unsubscribe", 50)["result"] == Json::object());
  CHECK(subscribe("resources/subscribe", 100)["result"] == Json::object());
}

TEST_CASE("a peer that vanishes hears nothing more") {
  World world;
  std::function<void()> changed;
  world.server->resources().add(news(changed));
  world.ask(request("resources/subscribe", R"({"uri":"test://news"})"));
  world.connection->close();
  changed();
  CHECK(world.notified().empty());
}

TEST_CASE("a prompt needs its arguments and no others") {
  World world;
  world.server->prompts().add(mcp::operate_desktop_prompt());
  const auto get = [&](const std::string& arguments) {
    return world.ask(
        request("prompts/get", R"({"name":"operate_desktop","arguments":)" + arguments + "}"));
  };
  const Json result = get(R"({"task":"open the door","application":"mousepad"})")["result"];
  const std::string text = result["messages"][0]["content"]["text"].get<std::string>();
  CHECK_THAT(text, ContainsSubstring("open the door"));
  CHECK_THAT(text, ContainsSubstring("mousepad"));
  CHECK_THAT(get("{}")["error"]["message"].get<std::string>(), ContainsSubstring("task"));
  CHECK(get(R"({"task":5})")["error"]["code"] == -32602);
  CHECK(get(R"({"task":"x","speed":"fast"})")["error"]["code"] == -32602);
  CHECK(world.ask(request("prompts/get", R"({"name":"no"})"))["error"]["code"] == -32602);
}

TEST_CASE("arguments of prompts and templates are completed") {
  const Scratch scratch;
  scratch.write("source/main.py", "print(1)\n");
  scratch.write("sound.txt", "la\n");
  scratch.write(".hidden", "");
  const Sandbox sandbox({"", scratch.path(), ":77"});
  World world;
  world.server->prompts().add(mcp::run_coding_task_prompt(sandbox));
  world.server->resources().add(mcp::workspace_resource(sandbox));
  const auto complete = [&](const std::string& ref, const std::string& name,
                            const std::string& value) {
    return world.ask(request("completion/complete", R"({"ref":)" + ref +
                                                        R"(,"argument":{"name":")" + name +
                                                        R"(","value":")" + value + R"("}})"));
  };
  const std::string prompt = R"({"type":"ref/prompt","name":"run_coding_task"})";
  CHECK(complete(prompt, "language", "py")["result"]["completion"]["values"] ==
        Json::array({"python"}));
  CHECK(complete(prompt, "folder", "so")["result"]["completion"]["values"] ==
        Json::array({"source/"}));
  const std::string files =
      R"({"type":"ref/resource","uri":"file://)" + scratch.path().string() + R"(/{+path}"})";
  CHECK(complete(files, "path", "")["result"]["completion"]["values"] ==
        Json({"sound.txt", "source/"}));
  CHECK(complete(files, "path", "source/m")["result"]["completion"]["values"] ==
        Json::array({"source/main.py"}));
  CHECK(complete(files, "path", "../")["result"]["completion"]["values"].empty());
  CHECK(complete(files, "no", "")["error"]["code"] == -32602);
  CHECK(complete(R"({"type":"ref/prompt","name":"no"})", "x", "")["error"]["code"] == -32602);
  CHECK(complete(R"({"type":"ref/else"})", "x", "")["error"]["code"] == -32602);
}

TEST_CASE("files of the workspace are read by URI, and no others") {
  const Scratch scratch;
  scratch.write("a b/c.txt", "text\n");
  scratch.write("bytes", std::string("\xff\x00", 2));
  const Sandbox sandbox({"", scratch.path(), ":77"});
  World world;
  world.server->resources().add(mcp::workspace_resource(sandbox));
  const std::string base = "file://" + scratch.path().string() + "/";
  const auto read = [&](const std::string& path) {
    return world.ask(request("resources/read", R"({"uri":")" + base + path + R"("})"));
  };
  CHECK(read("a%20b/c.txt")["result"]["contents"][0]["text"] == "text\n");
  CHECK(read("bytes")["result"]["contents"][0]["blob"] == "/wA=");
  CHECK(read("a%20b")["result"]["contents"][0]["text"] == "c.txt\n");
  CHECK(read("no")["error"]["code"] == -32002);
  CHECK(read("../etc/passwd")["error"]["code"] == -32002);
  CHECK(read("%2e%2e/x")["error"]["code"] == -32002);
  CHECK(read("/etc/passwd")["error"]["code"] == -32002);
}

TEST_CASE("a profile sees and calls what it may, and nothing else") {
  World world({.principal = {"eyes", Profile::look, {}}});
  CHECK(world.ask(request("tools/list"))["result"]["tools"].empty());
  const Json error = world.ask(call("echo", R"({"text":"hi"})"))["error"];
  CHECK(error["code"] == -32602);
  CHECK_THAT(error["message"].get<std::string>(), ContainsSubstring("eyes"));
  CHECK(world.ask(request("echo", R"({"text":"hi"})"))["error"]["code"] == -32602);
  std::function<void()> changed;
  world.server->resources().add(news(changed));
  CHECK(world.ask(request("resources/list"))["result"]["resources"].empty());
  CHECK(world.ask(request("resources/read", R"({"uri":"test://news"})"))["error"]["code"] ==
        -32002);
}

}  // namespace selfagent
