// How large the context window is, as each kind of server tells it.
#include "llm/server_window.h"

#include <chrono>
#include <map>
#include <string>

#include "catch.h"
#include "loopback_server.h"

using namespace selfagent;
using namespace std::chrono_literals;

namespace {

/// A server that looks at the paths it is asked for.
struct WindowServer {
  std::map<std::string, std::string> bodies;  ///< by "GET /path"
  int otherwise = 404;
  std::string other_body = R"({"error":"Unexpected endpoint or method"})";
  bool silent = false;
  std::string loaded = {};  ///< what /api/ps says once the model is loaded
  LoopbackServer server{[this](LoopbackConnection& connection, int n) {
    if (silent) return connection.wait_for_close(), false;
    const std::string request = server.requests()[static_cast<size_t>(n)];
    const std::string line = request.substr(0, request.find(" HTTP/"));
    const auto found = bodies.find(line);
    if (line == "POST /api/generate") bodies["GET /api/ps"] = loaded;
    if (found == bodies.end()) {
      connection.send_answer(otherwise, other_body);
    } else {
      connection.send_answer(200, found->second);
    }
    return true;
  }};
  std::optional<int64_t> ask(const std::string& suffix = "") {
    LlmSettings settings{server.url() + suffix, "big", "sk-1", {}};
    settings.timeouts.question = 200ms;
    return ask_window(settings, {});
  }
  std::string lines() const {
    std::string all;
    for (const auto& request : server.requests()) {
      all += request.substr(0, request.find(" HTTP/")) + "\n";
    }
    return all;
  }
};

const std::string plain_list = R"({"object":"list","data":[{"id":"big","object":"model"}]})";

}  // namespace

TEST_CASE("vLLM, OpenRouter and others tell the window in their list of models") {
  const std::string body = GENERATE(
      R"({"data":[{"id":"small","max_model_len":1024},{"id":"big","max_model_len":32768}]})",
      R"({"data":[{"id":"big","context_length":131072,"top_provider":{"context_length":32768}}]})",
      R"({"data":[{"id":"big","context_length":32768,"top_provider":{"context_length":null}}]})",
      R"({"data":[{"id":"big","context_window":32768}]})",
      R"({"data":[{"id":"big","max_context_length":32768}]})");
  WindowServer world{{{"GET /v1/models", body}}};
  CHECK(world.ask() == 32'768);
  CHECK(world.lines() == "GET /v1/models\n");
  CHECK_THAT(world.server.requests()[0], ContainsSubstring("Authorization: Bearer sk-1\r\n"));
  CHECK(world.ask("/chat/completions") == 32'768);
}

TEST_CASE("llama.cpp tells the window of a slot, not what the model was trained on") {
  WindowServer world{
      {{"GET /v1/models", R"({"data":[{"id":"big","meta":{"n_ctx_train":262144}}]})"},
       {"GET /props", R"({"default_generation_settings":{"n_ctx":8192},"total_slots":4})"}}};
  CHECK(world.ask() == 8'192);
}

TEST_CASE("LM Studio tells the window of a loaded model, not the largest that is possible") {
  WindowServer world{
      {{"GET /v1/models", plain_list},
       {"GET /api/v0/models",
        R"({"data":[{"id":"big","state":"loaded","max_context_length":131072,"loaded_context_length":4096}]})"}},
      200};
  CHECK(world.ask() == 4'096);
  world.bodies["GET /api/v0/models"] =
      R"({"data":[{"id":"big","state":"not-loaded","max_context_length":131072}]})";
  CHECK(world.ask() == 0);
}

TEST_CASE("Ollama tells the window of a model that runs, and is made to load it") {
  const std::string running = R"({"models":[{"name":"big:latest","context_length":4096}]})";
  WindowServer loaded{{{"GET /v1/models", plain_list}, {"GET /api/ps", running}}};
  CHECK(loaded.ask() == 4'096);
  CHECK_THAT(loaded.lines(), !ContainsSubstring("POST"));

  WindowServer cold{{{"GET /v1/models", plain_list}, {"GET /api/ps", R"({"models":[]})"}}};
  cold.loaded = running;
  CHECK(cold.ask() == 4'096);
  CHECK_THAT(cold.lines(), ContainsSubstring("POST /api/generate\nGET /api/ps"));
  CHECK_THAT(cold.server.requests()[4], ContainsSubstring(R"({"model":"big","stream":false})"));

  // Older ones do not tell; loading it once was enough.
  WindowServer older{
      {{"GET /v1/models", plain_list}, {"GET /api/ps", R"({"models":[{"name":"big:latest"}]})"}}};
  CHECK(older.ask() == 0);
}

TEST_CASE("nonsense about the window is ignored") {
  const std::string value = GENERATE("0", "-1", "17", "\"many\"", "1e18", "null", "[]", "true");
  WindowServer world{
      {{"GET /v1/models", R"({"data":[{"id":"big","max_model_len":)" + value + "}]}"},
       {"GET /props", R"({"default_generation_settings":{"n_ctx":)" + value + "}}"},
       {"GET /api/v0/models", R"({"data":[{"id":"big","loaded_context_length":)" + value + "}]}"},
       {"GET /api/ps", R"({"models":[{"name":"big","context_length":)" + value + "}]}"}}};
  CHECK(world.ask() == 0);
}

TEST_CASE("answers of another shape are ignored") {
  const std::string body = GENERATE("", "<html></html>", "[]", "7", R"({"data":7})",
                                    R"({"data":[7,{"id":7}],"models":{}})", R"({"data":[{"id":)");
  WindowServer world{{}, 200, body};
  CHECK(world.ask() == 0);
}

TEST_CASE("a server that knows none of the questions is asked four") {
  WindowServer world;
  CHECK(world.ask() == 0);
  CHECK(world.lines() == "GET /v1/models\nGET /props\nGET /api/v0/models\nGET /api/ps\n");
}

TEST_CASE("a server that is busy or silent is asked again later") {
  WindowServer busy{{}, 503};
  CHECK(busy.ask() == std::nullopt);
  WindowServer silent;
  silent.silent = true;
  CHECK(silent.ask() == std::nullopt);
  CHECK(silent.lines() == "GET /v1/models\n");
  const LlmSettings nobody{"http://127.0.0.1:1/v1", "big", "", {}};
  CHECK(ask_window(nobody, {}) == std::nullopt);
}
