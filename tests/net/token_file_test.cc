#include "net/token_file.h"

#include <sys/stat.h>

#include "base/random.h"
#include "catch.h"
#include "process/scratch.h"

namespace selfagent {
namespace {

constexpr const char* own_token = "owner-owner-owner-owner";

struct NoArgs {};

Registry some_tools() {
  Registry tools;
  for (const char* name : {"shell", "delete_file", "screenshot"}) {
    tools.add(make_tool<NoArgs>({.name = name,
                                 .title = "",
                                 .description = "",
                                 .area = ToolArea::code,
                                 .annotations = {},
                                 .params = {},
                                 .run = [](const NoArgs&, ToolContext&) { return ToolResult{}; }}));
  }
  return tools;
}

class TokenFolder {
 public:
  std::vector<Token> read(const std::string& text, mode_t mode = 0600) {
    scratch.write("tokens.json", text);
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    return read_token_file(path, tools, own_token);
  }
  /// The message of the refusal, without the file's name at its beginning.
  std::string refusal(const std::string& text, mode_t mode = 0600) {
    try {
      read(text, mode);
    } catch (const Error& error) {
      const std::string message = error.what();
      const std::string begin = "the token file " + path;
      CHECK_THAT(message, Catch::Matchers::StartsWith(begin));
      return message.substr(std::min(begin.size(), message.size()));
    }
    return "(accepted)";
  }

  const Scratch scratch;
  const std::string path = scratch / "tokens.json";
  const Registry tools = some_tools();
};

/// A file with one entry made of `members`.
std::string one(const std::string& members) { return R"({"tokens":[{)" + members + "}]}"; }

}  // namespace

TEST_CASE("a token file gives hashes, names, profiles and what a person must approve") {
  TokenFolder folder;
  const auto tokens = folder.read(R"({"tokens":[
    {"name":"ci","token":"0123456789abcdef","profile":"look-only","approve":["shell","delete_file"]},
    {"name":"eye.2","sha256":"3465F6E6975BAA864CA957F0914ECDA9BF7EB601AC31AC20A5DC3D329279A843",
     "profile":"desktop-only"},
    {"name":"c","token":"c-c-c-c-c-c-c-c-c","profile":"code-only"},
    {"name":"d","token":"d-d-d-d-d-d-d-d-d","profile":"full","approve":[]}]})");
  REQUIRE(tokens.size() == 4);
  // sha256sum of the 16 characters
  CHECK(tokens[0].sha256 == "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f");
  CHECK(tokens[0].principal->name == "ci");
  CHECK(tokens[0].principal->profile == Profile::look);
  CHECK(tokens[0].principal->approve == std::set<std::string>{"delete_file", "shell"});
  CHECK(tokens[1].sha256 == "3465f6e6975baa864ca957f0914ecda9bf7eb601ac31ac20a5dc3d329279a843");
  CHECK(tokens[1].principal->profile == Profile::desktop);
  CHECK(tokens[2].principal->profile == Profile::code);
  CHECK(tokens[3].principal->profile == Profile::full);
  CHECK(tokens[3].principal->approve.empty());
  CHECK(folder.read(R"({"tokens":[]})").empty());
}

TEST_CASE("every mistake in a token file is named, and no token is") {
  TokenFolder folder;
  struct Case {
    std::string text;
    std::string message;
  };
  const std::string rest = R"("token":"0123456789abcdef","profile":"full")";
  const std::string named = R"("name":"ci","token":"0123456789abcdef")";
  const std::vector<Case> cases{
      {R"({"tokens":[{"token":"0123456789abcdef)", ": it is not valid JSON at line 1, column "},
      {"", ": it is not valid JSON at line 1, column 1"},
      {"[]", ": expected an object, got array"},
      {"{}", R"(: "tokens" must be a list)"},
      {R"({"tokens":{}})", R"(: "tokens" must be a list)"},
      {R"({"tokens":[],"token":[]})", R"(: unknown member "token" (known: tokens))"},
      {R"({"tokens":["0123456789abcdef"]})", ": tokens[0]: expected an object, got string"},
      {one(rest + R"(,"name":"ci","admin":true)"), R"(: tokens[0]: unknown member "admin")"},
      {one(rest), R"(: tokens[0]: "name" is missing)"},
      {one(rest + R"(,"name":7)"), R"(: tokens[0]: "name" must be a string, not number)"},
      {one(rest + R"(,"name":"")"), R"(: tokens[0]: "name" must have 1 to 64 letters)"},
      {one(rest + R"(,"name":"a b")"), R"(: tokens[0]: "name" must have 1 to 64 letters)"},
      {one(rest + R"(,"name":"owner")"), R"(: tokens[0]: the name "owner" is taken)"},
      {one(named), R"(: tokens[0] ("ci"): "profile" is missing)"},
      {one(named + R"(,"profile":"look")"),
       R"x(: tokens[0] ("ci"): unknown profile "look" (known: full, look-only, desktop-only, )x"
       "code-only)"},
      {one(named + R"(,"profile":1)"), R"(: tokens[0] ("ci"): "profile" must be a string)"},
      {one(named + R"(,"profile":"full","approve":"shell")"),
       R"(: tokens[0] ("ci"): "approve" must be a list of tools' names)"},
      {one(named + R"(,"profile":"full","approve":[1])"),
       R"(: tokens[0] ("ci"): "approve" must be a list of tools' names)"},
      {one(named + R"(,"profile":"full","approve":["shel"])"),
       R"(: tokens[0] ("ci"): "approve": there is no tool "shel", did you mean "shell"?)"},
      {one(R"("name":"ci","profile":"full")"),
       R"(: tokens[0] ("ci"): give either "token" or its "sha256")"},
      {one(named + R"(,"profile":"full","sha256":"00")"),
       R"(: tokens[0] ("ci"): give either "token" or its "sha256")"},
      {one(R"("name":"ci","profile":"full","token":"0123456789abcde")"),
       R"(: tokens[0] ("ci"): a token must have at least 16 characters)"},
      {one(R"("name":"ci","profile":"full","token":"0123456789 abcdef")"),
       R"(: tokens[0] ("ci"): a token must have at least 16 characters and no spaces)"},
      {one(R"("name":"ci","profile":"full","token":["0123456789abcdef"])"),
       R"(: tokens[0] ("ci"): "token" must be a string, not array)"},
      {one(R"("name":"ci","profile":"full","sha256":"0123456789abcdef")"),
       R"(: tokens[0] ("ci"): "sha256" must be 64 hexadecimal digits)"},
      {one(R"("name":"ci","profile":"full","token":"owner-owner-owner-owner")"),
       R"(: tokens[0]: "ci" has the same token as "owner")"},
      {R"({"tokens":[{"name":"a","token":"0123456789abcdef","profile":"full"},)"
       R"({"name":"a","token":"1123456789abcdef","profile":"full"}]})",
       R"(: tokens[1]: the name "a" is taken)"},
      {R"({"tokens":[{"name":"a","token":"0123456789abcdef","profile":"full"},)"
       R"({"name":"b","token":"0123456789abcdef","profile":"full"}]})",
       R"(: tokens[1]: "b" has the same token as "a")"},
  };
  for (const auto& [text, message] : cases) {
    INFO(text);
    const std::string refusal = folder.refusal(text);
    CHECK_THAT(refusal, Catch::Matchers::StartsWith(message));
    CHECK_THAT(refusal, !ContainsSubstring("123456789"));
    CHECK_THAT(refusal, !ContainsSubstring("owner-owner"));
  }
}

TEST_CASE("a token file that others may use is refused with what to do") {
  TokenFolder folder;
  const std::string good = one(R"("name":"ci","token":"0123456789abcdef","profile":"full")");
  for (const mode_t mode : {0644, 0640, 0604, 0620, 0601}) {
    INFO(std::oct << mode);
    CHECK(folder.refusal(good, mode) ==
          ": others than its owner may use it: `chmod 600 " + folder.path + "`");
  }
  CHECK(folder.refusal(good, 0600) == "(accepted)");
  CHECK(folder.refusal(good, 0400) == "(accepted)");
}

TEST_CASE("a token file that is not there, not a file or too large is refused") {
  TokenFolder folder;
  const auto message = [&](const std::string& path) -> std::string {
    try {
      read_token_file(path, folder.tools, own_token);
    } catch (const Error& error) {
      return error.what();
    }
    return "(accepted)";
  };
  const std::string absent = folder.scratch / "absent.json";
  CHECK(message(absent) ==
        "the token file " + absent + " cannot be opened: No such file or directory");
  CHECK(message(folder.scratch.path()) ==
        "the token file " + folder.scratch.path().string() + ": it is not a regular file");
  CHECK(folder.refusal(std::string((1 << 20) + 1, ' ')) ==
        ": it has 1048577 bytes, at most 1048576 are read");
  std::string many = R"({"tokens":[)";
  for (int i = 0; i <= 100; ++i) {
    many += (i == 0 ? "" : ",") + std::string(R"({"name":"n)") + std::to_string(i) +
            R"(","token":")" + sha256_hex(std::to_string(i)) + R"(","profile":"full"})";
  }
  CHECK(folder.refusal(many + "]}") == ": it has 101 tokens, at most 100 are allowed");
}

TEST_CASE("tools that a person must approve exist") {
  const Registry tools = some_tools();
  CHECK(existing_tools({"shell", "shell"}, tools, "--approve") == std::set<std::string>{"shell"});
  CHECK(existing_tools({}, tools, "--approve").empty());
  CHECK_THROWS_WITH(existing_tools({"screenshoot"}, tools, "--approve"),
                    "--approve: there is no tool \"screenshoot\", did you mean \"screenshot\"? "
                    "(known: delete_file, screenshot, shell)");
}

}  // namespace selfagent
