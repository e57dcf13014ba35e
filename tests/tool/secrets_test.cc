// Secrets: kept across restarts, cut out of every result, refused when they could not be.
#include "tool/secrets.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/random.h"
#include "catch.h"

namespace selfagent {
namespace {

struct SecretsFolder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("selfagent-secrets-" + random_hex(8));
  SecretsFolder() { std::filesystem::create_directory(path); }
  ~SecretsFolder() { std::filesystem::remove_all(path); }
  std::filesystem::path file() const { return path / "secrets.json"; }
};

ErrorCode code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("no Error was thrown");
  return ErrorCode::internal;
}

TEST_CASE("secrets are kept in a file that only the daemon reads") {
  const SecretsFolder folder;
  {
    Secrets secrets(folder.file());
    CHECK(secrets.names().empty());
    secrets.set("MAIL_PASSWORD", "hunter22");
    secrets.set("TOKEN", "old value");
    secrets.set("TOKEN", "new value");
    secrets.set("GONE", "forgotten");
    secrets.remove("GONE");
  }
  struct stat status{};
  REQUIRE(::stat(folder.file().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const Secrets secrets(folder.file());
  CHECK(secrets.names() == std::vector<std::string>{"MAIL_PASSWORD", "TOKEN"});
  CHECK(secrets.value("TOKEN") == "new value");
  ToolResult result = ToolResult::text("old value, new value");
  secrets.redact(result);
  CHECK(result.content[0].text == "old value, [secret TOKEN]");
}

TEST_CASE("values are cut out of every part of a result, in each of their forms") {
  const SecretsFolder folder;
  Secrets secrets(folder.file());
  secrets.set("P", "p@ss word");
  secrets.set("LONG", "p@ss word and more");
  ToolResult result = ToolResult::text("a p@ss word b p@ss word and more c");
  result.add_block({{"type", "resource_link"}, {"uri", "https://x/?p=p%40ss%20word"}});
  result.structured = {{"lines", {"cEBzcyB3b3JkCg==", 7, {{"deep", "p@ss word"}}}}};
  secrets.redact(result);
  CHECK(result.content[0].text == "a [secret P] b [secret LONG] c");
  CHECK(result.content[1].block["uri"] == "https://x/?p=[secret P]");
  CHECK(result.structured["lines"][0] == "[secret P]Cg==");
  CHECK(result.structured["lines"][2]["deep"] == "[secret P]");
  ToolResult other = ToolResult::text("nothing of it");
  secrets.redact(other);
  CHECK(other.content[0].text == "nothing of it");
}

TEST_CASE("what could not be a secret is refused, and nothing changes") {
  const SecretsFolder folder;
  Secrets secrets(folder.file());
  secrets.set("GOOD", "good value");
  for (const char* name : {"", "1A", "a-b", "a b", "\xc3\xa4", "PATH/X"}) {
    CHECK(code_of([&] { secrets.set(name, "some value"); }) == ErrorCode::invalid_argument);
  }
  for (const std::string& value : {std::string("abc"), std::string(4097, 'x'),
                                   std::string("a\0bcd", 5), std::string("\xff\xfe\xfd\xfc")}) {
    CHECK(code_of([&] { secrets.set("GOOD", value); }) == ErrorCode::invalid_argument);
  }
  CHECK(code_of([&] { secrets.remove("NONE"); }) == ErrorCode::not_found);
  CHECK(secrets.value("GOOD") == "good value");
  CHECK(secrets.names() == std::vector<std::string>{"GOOD"});
}

TEST_CASE("an unknown secret is answered with the names that there are") {
  const SecretsFolder folder;
  Secrets secrets(folder.file());
  CHECK_THROWS_WITH(secrets.value("X"), "there is no secret \"X\"; the user has given none");
  secrets.set("A", "value a");
  secrets.set("B", "value b");
  CHECK_THROWS_WITH(secrets.value("X"), "there is no secret \"X\"; there are: A, B");
}

TEST_CASE("a damaged file stops the start, with what to do") {
  const SecretsFolder folder;
  std::ofstream(folder.file()) << "{ half";
  CHECK(code_of([&] { const Secrets secrets(folder.file()); }) == ErrorCode::internal);
}

}  // namespace
}  // namespace selfagent
