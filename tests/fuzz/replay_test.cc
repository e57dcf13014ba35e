// Every file of the corpora goes through its target: what a fuzzer once found stays fixed.
#include <filesystem>
#include <fstream>

#include "catch.h"
#include "fuzz/target.h"

namespace selfagent::fuzz {
namespace {

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("the corpora of the fuzzers find nothing") {
  for (const Target& target : all_targets()) {
    const std::filesystem::path folder = std::filesystem::path(FUZZ_CORPUS) / target.name;
    INFO(folder);
    REQUIRE(std::filesystem::is_directory(folder));
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      INFO("finding with " << entry.path());  // shown when the target ends the process
      target.run(content_of(entry.path()));
      ++count;
    }
    // Fewer mean that the corpus was not found or lost.
    CHECK(count >= 5);
  }
}

}  // namespace selfagent::fuzz
