// What is known of a model after a restart.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "base/random.h"
#include "catch.h"
#include "llm/capabilities.h"

using namespace selfagent;

namespace {

struct Kept {
  ~Kept() { std::filesystem::remove_all(folder); }

  std::shared_ptr<LearnedCapabilities> of(const std::string& model) const {
    return make_learned_capabilities({"http://user:secret@127.0.0.1:1/v1", model, "key", {}}, file);
  }
  std::string text() const {
    std::stringstream all;
    all << std::ifstream(file).rdbuf();
    return all.str();
  }

  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("selfagent-llm-" + random_hex(8));
  std::filesystem::path file = folder / "models.json";
  bool made = std::filesystem::create_directory(folder);
};

}  // namespace

TEST_CASE("what was learned about a model is known to the next daemon, of that model alone") {
  const Kept kept;
  CHECK(kept.of("a")->read() == Capabilities());
  Capabilities learned;
  learned.stream_options = false;
  learned.max_images = 1;
  kept.of("a")->write(learned);
  Capabilities other;
  other.tools = false;
  kept.of("b")->write(other);
  CHECK(kept.of("a")->read() == learned);
  CHECK(kept.of("b")->read() == other);
  CHECK(kept.of("c")->read() == Capabilities());
  CHECK(Json::parse(kept.text()) ==
        Json::parse(R"({"http://127.0.0.1:1/v1 a":{"stream_options":false,"max_images":1},
                        "http://127.0.0.1:1/v1 b":{"tools":false}})"));
}

TEST_CASE("the context window is known to the next daemon, and the operator's word counts more") {
  const Kept kept;
  CHECK(kept.of("a")->window_tokens() == 0);
  kept.of("a")->keep_window(8192);
  CHECK(kept.of("a")->window_tokens() == 8192);
  CHECK(kept.of("b")->window_tokens() == 0);
  CHECK(Json::parse(kept.text()) ==
        Json::parse(R"({"http://127.0.0.1:1/v1 a":{"context_tokens":8192}})"));
  LlmSettings settings{"http://user:secret@127.0.0.1:1/v1", "a", "", {}};
  settings.dialect.context_tokens = 32'000;
  CHECK(make_learned_capabilities(settings, kept.file)->window_tokens() == 32'000);
}

TEST_CASE("what the server says of its window counts more than an overflow, unless that is newer") {
  const Kept kept;
  const auto told = [](int64_t tokens) { return [tokens] { return std::optional(tokens); }; };
  const auto learned = kept.of("a");
  learned->keep_window(8192);
  learned->learn_window([] { return std::optional<int64_t>(); }, {});
  CHECK(learned->window_tokens() == 8192);
  learned->learn_window(told(32'768), {});
  CHECK(learned->window_tokens() == 32'768);
  CHECK(kept.of("a")->window_tokens() == 32'768);
  bool asked_again = false;
  learned->learn_window([&asked_again] { return asked_again = true, std::optional<int64_t>(1); },
                        {});
  CHECK(!asked_again);
  // Started anew with a smaller one.
  learned->keep_window(16'384);
  CHECK(learned->window_tokens() == 16'384);
  // A daemon that is told nothing any more forgets what an earlier one was told.
  const auto next = kept.of("a");
  next->learn_window(told(4'096), {});
  CHECK(next->window_tokens() == 4'096);
  const auto last = kept.of("a");
  last->learn_window(told(0), {});
  CHECK(last->window_tokens() == 16'384);
}

TEST_CASE("the operator's word about the window saves the question") {
  LlmSettings settings{"http://127.0.0.1:1/v1", "a", "", {}};
  settings.dialect.context_tokens = 32'000;
  bool asked = false;
  const auto learned = make_learned_capabilities(settings, "");
  learned->learn_window([&asked] { return asked = true, std::optional<int64_t>(1); }, {});
  CHECK(!asked);
  CHECK(learned->window_tokens() == 32'000);
}

TEST_CASE("what the operator says counts more than what was learned, and is not kept") {
  const Kept kept;
  Capabilities blind;
  blind.max_images = 0;
  kept.of("a")->write(blind);
  LlmSettings settings{"http://127.0.0.1:1/v1", "a", "", {}};
  settings.dialect = {ToolProtocol::json, Vision::on};
  const auto seeing = make_learned_capabilities(settings, kept.file);
  CHECK(seeing->read() == Capabilities());
  CHECK(seeing->protocol({}) == ToolProtocol::json);
  settings.model = "b";
  settings.dialect.vision = Vision::off;
  const auto told = make_learned_capabilities(settings, kept.file);
  Capabilities learned = told->read();
  CHECK(learned.max_images == 0);
  learned.null_content = false;
  told->write(learned);
  CHECK(Json::parse(kept.text())["http://127.0.0.1:1/v1 b"] == Json({{"null_content", false}}));
}

TEST_CASE("a file with nonsense in it is no obstacle") {
  const Kept kept;
  const std::string text = GENERATE(
      "", "half {", "[1]",
      R"({"http://127.0.0.1:1/v1 a":{"tools":"no","max_images":-4,"stream_options":null}})",
      R"({"http://127.0.0.1:1/v1 a":7})");
  std::ofstream(kept.file) << text;
  CHECK(kept.of("a")->read() == Capabilities());
  Capabilities learned;
  learned.null_content = false;
  kept.of("a")->write(learned);
  CHECK(kept.of("a")->read() == learned);
}

TEST_CASE("a folder that cannot be written costs no more than the memory") {
  const Kept kept;
  const auto learned =
      make_learned_capabilities({"http://127.0.0.1:1", "a", "", {}}, "/proc/none/models.json");
  Capabilities capabilities;
  capabilities.tools = false;
  learned->write(capabilities);
  CHECK(learned->read() == capabilities);
}
