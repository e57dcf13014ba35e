// When the second model goes on, and what it is shown of the first one's words.
#include "llm/fallback.h"

#include <vector>

#include "base/error.h"
#include "catch.h"

using namespace selfagent;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using Catch::Matchers::Message;

namespace {

Completion answer(const std::string& text, const std::string& call_id = "") {
  Completion completion;
  completion.text = text;
  if (!call_id.empty()) {
    completion.tool_calls.emplace_back();
    completion.tool_calls.back().id = call_id;
  }
  return completion;
}

struct Pair {
  FallbackModel make() {
    return FallbackModel({"first", call(first, to_first)}, {"second", call(second, to_second)},
                         breaker);
  }
  ModelCall call(std::function<Completion()>& model, std::vector<Json>& requests) {
    return [&model, &requests](const CompletionRequest& request, const std::stop_token&) {
      requests.push_back(request.messages);
      return model();
    };
  }

  std::function<Completion()> first = [] { return answer("first"); };
  std::function<Completion()> second = [] { return answer("second"); };
  std::vector<Json> to_first;
  std::vector<Json> to_second;
  std::shared_ptr<CircuitBreaker> breaker = std::make_shared<CircuitBreaker>();
};

std::function<Completion()> failing(ErrorCode code, const std::string& text) {
  return [code, text]() -> Completion { throw Error(code, text); };
}

CompletionRequest request(std::vector<std::string>& notices, Json messages = Json::array()) {
  CompletionRequest made;
  made.messages = std::move(messages);
  made.on_notice = [&notices](const std::string& text) { notices.push_back(text); };
  return made;
}

}  // namespace

TEST_CASE("the second model is not asked while the first answers") {
  Pair pair;
  std::vector<std::string> notices;
  CHECK(pair.make().complete(request(notices), {}).text == "first");
  CHECK(pair.to_second.empty());
  CHECK(notices.empty());
}

TEST_CASE("the second goes on when the first fails, and is asked at once from then on") {
  Pair pair;
  pair.first = failing(ErrorCode::unavailable, "the server is down");
  std::vector<std::string> notices;
  FallbackModel run = pair.make();
  CHECK(run.complete(request(notices), {}).text == "second");
  CHECK(run.complete(request(notices), {}).text == "second");
  CHECK(pair.to_first.size() == 1);
  REQUIRE(notices.size() == 1);
  CHECK(notices[0] == "the server is down; second goes on.");
  // Another run knows it, too.
  CHECK(pair.make().complete(request(notices), {}).text == "second");
  CHECK(pair.to_first.size() == 1);
  CHECK(notices.back() == "first failed a moment ago; second goes on.");
}

TEST_CASE("a request that is meant for the second goes to it, and to the first if that fails") {
  Pair pair;
  std::vector<std::string> notices;
  FallbackModel model = pair.make();
  CompletionRequest meant = request(notices);
  meant.by_fallback = true;
  CHECK(model.complete(meant, {}).text == "second");
  CHECK(notices.empty());
  CHECK(model.complete(request(notices), {}).text == "first");
  pair.second = failing(GENERATE(ErrorCode::permission_denied, ErrorCode::resource_exhausted),
                        "check LLM_API_KEY");
  CHECK(model.complete(meant, {}).text == "first");
  CHECK(model.complete(meant, {}).text == "first");
  CHECK(notices == std::vector<std::string>{"check LLM_FALLBACK_API_KEY; first goes on."});
  CHECK(pair.to_first.size() == 3);
  CHECK(pair.to_second.size() == 2);
}

TEST_CASE("a prompt that is too large and a stop are not the model's failure") {
  Pair pair;
  std::vector<std::string> notices;
  for (const ErrorCode code : {ErrorCode::resource_exhausted, ErrorCode::cancelled}) {
    pair.first = failing(code, "no");
    CHECK_THROWS_AS(pair.make().complete(request(notices), {}), Error);
  }
  pair.first = failing(ErrorCode::unavailable, "stopped");
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(pair.make().complete(request(notices), stop.get_token()), Error);
  CHECK(pair.to_second.empty());
}

TEST_CASE("when both fail, both reasons are told, with the names of their variables") {
  Pair pair;
  pair.first = failing(ErrorCode::unavailable, "check LLM_API_KEY");
  pair.second = failing(ErrorCode::not_found, "check LLM_MODEL and LLM_API_KEY");
  std::vector<std::string> notices;
  CHECK_THROWS_MATCHES(pair.make().complete(request(notices), {}), Error,
                       Message("check LLM_API_KEY; and the fallback model failed, too: check "
                               "LLM_FALLBACK_MODEL and LLM_FALLBACK_API_KEY"));
}

TEST_CASE("what a model wrote for itself is not shown to the other") {
  const Json of_first = Json::parse(R"([{"role":"user","content":"go"},
    {"role":"assistant","content":null,"reasoning_content":"hm",
     "tool_calls":[{"id":"a","type":"function","function":{"name":"x","arguments":"{}"},
                    "extra_content":{"signature":"1"}}]},
    {"role":"tool","tool_call_id":"a","content":"ok"}])");
  Json both = of_first;
  both.push_back(Json::parse(R"({"role":"assistant","content":"I look","reasoning":"mine",
    "tool_calls":[{"id":"b","type":"function","function":{"name":"x","arguments":"{}"}}]})"));
  Pair pair;
  pair.first = failing(ErrorCode::unavailable, "down");
  pair.second = [] { return answer("", "b"); };
  std::vector<std::string> notices;
  FallbackModel run = pair.make();
  run.complete(request(notices, of_first), {});
  CHECK(
      pair.to_second[0][1].dump() ==
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"x","arguments":"{}"}}]})");
  run.complete(request(notices, both), {});
  CHECK_FALSE(pair.to_second[1][1].contains("reasoning_content"));
  CHECK(pair.to_second[1][3]["reasoning"] == "mine");

  // Back at the first one it is the other way round.
  pair.breaker->succeeded();
  pair.first = [] { return answer("again"); };
  run.complete(request(notices, both), {});
  CHECK(pair.to_first.back()[1]["reasoning_content"] == "hm");
  CHECK(pair.to_first.back()[1]["tool_calls"][0]["extra_content"]["signature"] == "1");
  CHECK_FALSE(pair.to_first.back()[3].contains("reasoning"));
}

TEST_CASE("the breaker keeps away twice as long after each failure, ten minutes at most") {
  CircuitBreaker breaker;
  const auto now = Clock::now();
  CHECK_FALSE(breaker.open(now));
  breaker.failed(now);
  CHECK(breaker.open(now + 29s));
  CHECK_FALSE(breaker.open(now + 30s));
  breaker.failed(now);
  CHECK(breaker.open(now + 59s));
  CHECK_FALSE(breaker.open(now + 60s));
  for (int i = 0; i < 50; ++i) breaker.failed(now);
  CHECK(breaker.open(now + 599s));
  CHECK_FALSE(breaker.open(now + 600s));
  breaker.succeeded();
  CHECK_FALSE(breaker.open(now));
}

TEST_CASE(
    "calls in one model's text are calls to the other, and so they are in a request in words") {
  Pair pair;
  pair.first = failing(ErrorCode::unavailable, "down");
  std::vector<std::string> notices;
  CompletionRequest asked = request(notices);
  asked.messages = Json::parse(
      R"([{"role":"assistant","content":"","written":"<tool_call>"},
          {"role":"assistant","content":"a","written":"a <tool_call>","tool_calls":[{"id":"1"}]}])");
  asked.without_pictures = [messages = asked.messages] {
    CompletionRequest in_words;
    in_words.messages = messages;
    return in_words;
  };
  Json in_words;
  const ModelCall blind = [&](const CompletionRequest& made, const std::stop_token&) {
    in_words = made.without_pictures().messages;
    return answer("second");
  };
  FallbackModel run({"first", pair.call(pair.first, pair.to_first)}, {"second", blind},
                    pair.breaker);
  run.complete(asked, {});
  CHECK(in_words == Json::parse(R"([{"role":"assistant","content":"<tool_call>"},
      {"role":"assistant","content":"a","tool_calls":[{"id":"1"}]}])"));
  CHECK(pair.to_first[0] == asked.messages);
}
