#include "process/glob.h"

#include "base/clock.h"
#include "base/error.h"
#include "catch.h"

namespace selfagent {

TEST_CASE("globs match as people expect") {
  struct Case {
    const char* pattern;
    const char* path;
    bool matches;
  };
  const Case cases[] = {
      {"*.cc", "a.cc", true},
      {"*.cc", "deep/in/a.cc", true},
      {"*.cc", "a.cch", false},
      {"?.txt", "ab.txt", false},
      {"src/*.ts", "src/a.ts", true},
      {"src/*.ts", "src/b/a.ts", false},
      {"src/**/*.ts", "src/a.ts", true},
      {"src/**/*.ts", "src/b/c/a.ts", true},
      {"**/*.py", "a.py", true},
      {"**/*.py", "x/y/a.py", true},
      {"./src/*", "src/a", true},
      {"*.{ts,tsx}", "a.tsx", true},
      {"*.{ts,tsx}", "a.js", false},
      {"{a,b{c,d}}e", "bde", true},
      {"{a,b{c,d}}e", "be", false},
      {"[a-c]x", "bx", true},
      {"[!a-c]x", "bx", false},
      {"[!a-c]x", "dx", true},
      {"[]]", "]", true},
      {"[", "[", true},
      {"{", "{", true},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"*", ".hidden", true},
      {"", "a", false},
      {"a/**", "a/b/c", true},
      {"\xC3\xB1*",
       "\xC3\xB1"
       "a",
       true},
  };
  for (const auto& test : cases) {
    INFO(test.pattern << " against " << test.path);
    CHECK(glob_matches(test.pattern, test.path) == test.matches);
  }
}

TEST_CASE("a hostile glob ends soon") {
  const auto start = Clock::now();
  CHECK_FALSE(glob_matches("/**a**a**a**a**a**a**b", std::string(5000, 'a')));
  std::string braces;
  for (int i = 0; i < 20; ++i) braces += "{a,b}";
  CHECK_THROWS_AS(glob_matches(braces, "x"), Error);
  CHECK(Clock::now() - start < std::chrono::seconds(2));
}

}  // namespace selfagent
