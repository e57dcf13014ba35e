// A run of 2,000 steps in a window of 16,000 tokens: no overflow reaches the user, and what was
// said early can be found.
#include <set>

#include "catch.h"
#include "planner/history.h"
#include "world.h"

using Catch::Matchers::Contains;

namespace selfagent {
namespace {

// A sanitizer takes thirty times as long for each step.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int long_run = 400;
#else
constexpr int long_run = 2'000;
#endif
constexpr int fact_every = long_run / 10;
constexpr size_t window_tokens = 16'000;

std::string fact(int step) {
  return "The code of box " + std::to_string(step) + " is K" + std::to_string(step * 7919) + ".";
}

/// Acts for long_run steps, then asks recall for each planted fact, then ends.
struct LongModel {
  int step = 0;
  int overflows = 0;
  size_t longest_note = 0;  ///< in place of what is left out
  bool keeps_task = true;   ///< the note has the user's words and the newest summary
  std::set<std::string> found;

  Completion answer(const Json& messages) {
    const std::string all = messages.dump();
    if (all.size() / 4 > window_tokens) {
      ++overflows;
      throw Error(ErrorCode::resource_exhausted, "the prompt exceeds the context window");
    }
    const std::string first = messages[1]["content"].dump();
    if (first.find("is left out; recall") != std::string::npos) {
      longest_note = std::max(longest_note, first.size());
      keeps_task = keeps_task && first.find("Go on") != std::string::npos;
    }
    ++step;
    if (step <= long_run) {
      const std::string text = step % fact_every == 0
                                   ? fact(step)
                                   : "step " + std::to_string(step) + std::string(200, '.');
      return calls_answer({call("", "say", dump_json({{"text", text}}))});
    }
    const int asked = (step - long_run) * fact_every;
    if (asked > fact_every) {
      const std::string expected = "K" + std::to_string((asked - fact_every) * 7919);
      if (messages.back().dump().find(expected) != std::string::npos) found.insert(expected);
    }
    if (asked > long_run) return text_answer("All recalled.");
    return calls_answer(
        {call("", "recall", dump_json({{"query", "code box " + std::to_string(asked) + " is"}}))});
  }
};

TEST_CASE("a window that is known is never overflowed") {
  World world;
  world.settings.dialect.context_tokens = window_tokens;
  LongModel model;
  constexpr int steps = long_run / 7;
  for (int i = 0; i < steps; ++i) {
    world.model.then([&](const CompletionRequest& request, const std::stop_token&) {
      return model.answer(request.messages);
    });
  }
  world.model.then(text_answer("Enough."));
  world.limits.max_steps = steps + 10;
  CHECK(world.run("Go on", {}, std::chrono::seconds(600)).reply == "Enough.");
  CHECK(model.overflows == 0);
  CHECK(model.keeps_task);
}

TEST_CASE("what fits a window") {
  const HistoryLimits unknown = limits_for(0, 30'000);
  CHECK(unknown.text_bytes == HistoryLimits().text_bytes);
  CHECK(unknown.keep_pictures == 3);
  const HistoryLimits large = limits_for(1'000'000, 30'000);
  CHECK(large.text_bytes > 2'000'000);
  CHECK(large.keep_pictures == 3);
  const HistoryLimits middle = limits_for(64'000, 30'000);
  CHECK(middle.text_bytes < 100'000);
  CHECK(middle.text_bytes > 50'000);
  const HistoryLimits small = limits_for(32'768, 30'000);
  CHECK(small.keep_pictures == 1);
  CHECK(small.text_bytes < middle.text_bytes);
  CHECK(limits_for(8'000, 60'000).text_bytes == 4'000);
}

TEST_CASE("two thousand steps fit a window of 16,000 tokens, and what was said early is found") {
  World world;
  world.limits.max_steps = long_run + 100;
  world.model.summarise = [&world](const CompletionRequest& request) {
    CHECK(request.messages.dump().size() / 4 < window_tokens);
    return text_answer("## Next steps\nSummary " + std::to_string(world.model.summaries.size()) +
                       std::string(5'000, '.'));
  };
  LongModel model;
  for (int i = 0; i < long_run + 50; ++i) {
    world.model.then([&](const CompletionRequest& request, const std::stop_token&) {
      return model.answer(request.messages);
    });
  }
  const RunOutcome outcome = world.run("Go on for long", {}, std::chrono::seconds(3000));
  CHECK(outcome.reason == "");
  CHECK(outcome.reply == "All recalled.");
  CHECK(model.found.size() == long_run / fact_every);
  CHECK(model.overflows > 0);
  CHECK(world.model.summaries.size() > long_run / 100);
  CHECK(model.keeps_task);
  // Of a window of 64,000 bytes.
  CHECK(model.longest_note > 1'000);
  CHECK(model.longest_note < 15'000);
}

}  // namespace
}  // namespace selfagent
