// What the model is told of that happened while it thought.
#include "catch.h"
#include "desktop/notifications.h"
#include "tool/input_lease.h"
#include "world.h"

using Catch::Matchers::Contains;

namespace selfagent {
namespace {

struct FolderArgs {
  std::string path;
};

// A desktop and a download folder that the test changes.
struct NewsWorld : World {
  std::vector<std::string> windows{"Terminal"};
  std::vector<std::string> files{"old.pdf"};

  NewsWorld() {
    registry.add(make_tool<NoArgs>({.name = "windows",
                                    .title = "",
                                    .description = "",
                                    .area = ToolArea::desktop,
                                    .annotations = {},
                                    .params = {},
                                    .run = [this](const NoArgs&, ToolContext&) {
                                      ToolResult result = ToolResult::text("");
                                      result.structured["windows"] = Json::array();
                                      for (const auto& title : windows) {
                                        result.structured["windows"].push_back(
                                            {{"id", "0x" + title}, {"title", title}});
                                      }
                                      return result;
                                    }}));
    registry.add(make_tool<FolderArgs>({.name = "list_files",
                                        .title = "",
                                        .description = "",
                                        .area = ToolArea::code,
                                        .annotations = {},
                                        .params = {param("path", &FolderArgs::path, "")},
                                        .run = [this](const FolderArgs& args, ToolContext&) {
                                          if (args.path != "~/Downloads")
                                            throw Error(ErrorCode::not_found, args.path);
                                          ToolResult result = ToolResult::text("");
                                          result.structured["entries"] = Json::array();
                                          for (const auto& name : files) {
                                            result.structured["entries"].push_back(
                                                {{"path", name}, {"kind", "file"}});
                                          }
                                          return result;
                                        }}));
  }

  // The model thinks, `meanwhile` happens, and it says something.
  void thinks(std::function<void()> meanwhile) {
    model.then([meanwhile](const CompletionRequest&, const std::stop_token&) {
      meanwhile();
      return calls_answer({call("", "say", R"({"text":"hm"})")});
    });
  }
};

std::string last_message(const Json& messages) { return messages.back().dump(); }

TEST_CASE("windows that open and close while the model thinks are news, once") {
  NewsWorld world;
  world.thinks([&] { world.windows = {"Update available", "Editor"}; });
  world.thinks([] {});
  world.model.then(text_answer("Done."));
  world.run("Go");
  const auto& requests = world.model.requests;
  REQUIRE(requests.size() == 3);
  const std::string told = last_message(requests[1]);
  CHECK_THAT(told, Contains("While you thought, a window opened: "));
  CHECK_THAT(told, Contains("Update available"));
  CHECK_THAT(told, Contains("Editor"));
  CHECK_THAT(told, Contains("While you thought, a window closed: "));
  CHECK_THAT(told, Contains("Terminal"));
  CHECK(last_message(requests[2]).find("While you thought") == std::string::npos);
  std::string before = requests[0].dump();
  before.pop_back();
  CHECK(requests[1].dump().starts_with(before));
}

TEST_CASE("what the run's own actions open is told by their results, not as news") {
  NewsWorld world;
  world.registry.add(make_tool<NoArgs>({.name = "open",
                                        .title = "",
                                        .description = "",
                                        .area = ToolArea::desktop,
                                        .annotations = {},
                                        .params = {},
                                        .run = [&world](const NoArgs&, ToolContext&) {
                                          world.windows.push_back("Mine");
                                          return ToolResult::text("opened Mine");
                                        }}));
  world.model.then(calls_answer({call("a", "open", "{}")}));
  world.model.then(text_answer("Done."));
  world.run("Go");
  CHECK(all_text(world.model.requests.back()).find("While you thought") == std::string::npos);
}

TEST_CASE("a download is news when it has ended, whenever that is, and once") {
  NewsWorld world;
  world.thinks([&] { world.files.push_back("big.zip.crdownload"); });
  world.thinks([&] { world.files.back() = "big.zip"; });
  world.thinks([] {});
  world.model.then(text_answer("Done."));
  world.run("Go");
  const auto& requests = world.model.requests;
  REQUIRE(requests.size() == 4);
  CHECK(last_message(requests[1]).find("Downloads") == std::string::npos);
  CHECK_THAT(last_message(requests[2]), Contains("In ~/Downloads there is now: "));
  CHECK_THAT(last_message(requests[2]), Contains("big.zip"));
  CHECK(last_message(requests[3]).find("Downloads") == std::string::npos);
  CHECK(all_text(requests[3]).find("old.pdf") == std::string::npos);
}

struct SomeNotifications : Notifications {
  std::vector<Notification> all{{1, "old", "before the run", ""}};
  uint64_t newest() const override { return all.size(); }
  std::vector<Notification> after(uint64_t number) const override {
    return {all.begin() + static_cast<ptrdiff_t>(number), all.end()};
  }
};

TEST_CASE("notifications are news, once") {
  NewsWorld world;
  SomeNotifications shown;
  world.notifications = &shown;
  world.thinks([&] { shown.all.push_back({2, "mail", "New message", "the code is 4711"}); });
  world.thinks([&] {
    for (uint64_t i = 3; i < 10; ++i) shown.all.push_back({i, "", "n" + std::to_string(i), ""});
  });
  world.thinks([] {});
  world.model.then(text_answer("Done."));
  world.run("Go");
  const auto& requests = world.model.requests;
  REQUIRE(requests.size() == 4);
  CHECK_THAT(last_message(requests[1]), Contains("A notification was shown:"));
  CHECK_THAT(last_message(requests[1]), Contains(R"(mail: \"New message\" \"the code is 4711\")"));
  CHECK_THAT(last_message(requests[2]), Contains("n9"));
  CHECK_THAT(last_message(requests[2]), Contains("(and 2 before these)"));
  CHECK(last_message(requests[2]).find("n4") == std::string::npos);
  CHECK(last_message(requests[3]).find("notification") == std::string::npos);
  CHECK(all_text(requests[3]).find("before the run") == std::string::npos);
}

TEST_CASE("a person who takes the mouse is news, also when they have given it back") {
  NewsWorld world;
  InputLease lease;
  world.lease = &lease;
  world.thinks([&] { lease.person_acts("the live view"); });
  world.thinks([] {});
  world.thinks([&] {
    lease.release();
    lease.person_acts("the live view");
    lease.release();
  });
  world.model.then(text_answer("Done."));
  world.run("Go");
  const auto& requests = world.model.requests;
  REQUIRE(requests.size() == 4);
  CHECK_THAT(last_message(requests[1]), Contains("mouse or the keyboard and still has them"));
  CHECK(last_message(requests[2]).find("A person") == std::string::npos);
  CHECK_THAT(last_message(requests[3]), Contains("mouse or the keyboard and has given them back"));
}

TEST_CASE("a sandbox that cannot be looked at has no news") {
  World world;  // has neither tool
  world.model.then(calls_answer({call("a", "say", R"({"text":"hm"})")}));
  world.model.then(text_answer("Done."));
  CHECK(world.run("Go").state == JobState::succeeded);
}

}  // namespace
}  // namespace selfagent
