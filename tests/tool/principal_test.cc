#include "tool/principal.h"

#include "catch.h"

namespace selfagent {
namespace {

Tool tool_of(ToolArea area, bool read_only) {
  struct NoArgs {};
  return make_tool<NoArgs>({.name = "x",
                            .title = "",
                            .description = "",
                            .area = area,
                            .annotations = {read_only, false, false, false},
                            .params = {},
                            .run = [](const NoArgs&, ToolContext&) { return ToolResult{}; }});
}

}  // namespace

TEST_CASE("a profile is a set of areas, and look-only of what changes nothing there") {
  struct Case {
    Profile profile;
    ToolArea area;
    bool reads;   // may call a tool that changes nothing
    bool writes;  // may call one that changes something
  };
  const std::vector<Case> cases{{Profile::full, ToolArea::desktop, true, true},
                                {Profile::full, ToolArea::code, true, true},
                                {Profile::full, ToolArea::both, true, true},
                                {Profile::look, ToolArea::desktop, true, false},
                                {Profile::look, ToolArea::code, false, false},
                                {Profile::look, ToolArea::both, false, false},
                                {Profile::desktop, ToolArea::desktop, true, true},
                                {Profile::desktop, ToolArea::code, false, false},
                                {Profile::desktop, ToolArea::both, false, false},
                                {Profile::code, ToolArea::desktop, false, false},
                                {Profile::code, ToolArea::code, true, true},
                                {Profile::code, ToolArea::both, false, false}};
  for (const auto& [profile, area, reads, writes] : cases) {
    const Principal principal{"x", profile, {}};
    INFO(to_string(profile) << " in area " << static_cast<int>(area));
    CHECK(principal.allows(tool_of(area, true)) == reads);
    CHECK(principal.allows(tool_of(area, false)) == writes);
  }
}

TEST_CASE("a profile has a word in settings, and no other word is one") {
  CHECK(profile_named("full") == Profile::full);
  CHECK(profile_named("look-only") == Profile::look);
  CHECK(profile_named("desktop-only") == Profile::desktop);
  CHECK(profile_named("code-only") == Profile::code);
  for (const char* word : {"", "look", "Full", "full ", "admin"}) CHECK_FALSE(profile_named(word));
}

TEST_CASE("a principal is the owner unless something else is said") {
  const Principal principal;
  CHECK(principal.name == "owner");
  CHECK(principal.profile == Profile::full);
  CHECK(principal.approve.empty());
}

}  // namespace selfagent
