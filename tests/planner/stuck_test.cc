// When a run counts as going in circles.
#include "planner/stuck.h"

#include <vector>

#include "catch.h"

using namespace selfagent;
using Catch::Matchers::Contains;

namespace {

TurnOutcome turn(const std::string& actions, const std::string& seen = "same") {
  return {actions, seen, false, false};
}

// At which turns something is said, and where the run ends.
std::string advice_of(StuckDetector& detector, const std::vector<TurnOutcome>& turns) {
  std::string told;
  for (size_t i = 0; i < turns.size(); ++i) {
    const Advice advice = detector.add(turns[i]);
    if (!advice.to_model.empty()) told += std::to_string(i + 1) + " ";
    if (!advice.to_stop.empty()) return told + "end " + std::to_string(i + 1);
  }
  return told;
}

std::string advice_of(const std::vector<TurnOutcome>& turns) {
  StuckDetector detector;
  return advice_of(detector, turns);
}

std::vector<TurnOutcome> repeated(const std::vector<TurnOutcome>& round, int rounds) {
  std::vector<TurnOutcome> turns;
  for (int i = 0; i < rounds; ++i) turns.insert(turns.end(), round.begin(), round.end());
  return turns;
}

}  // namespace

TEST_CASE("the same again and again climbs the ladder") {
  CHECK(advice_of(repeated({turn("click")}, 20)) == "3 5 8 end 12");
  CHECK(advice_of(repeated({turn("click")}, 2)).empty());
}

TEST_CASE("where another model stands by, it is the rung before asking") {
  StuckDetector detector(true);
  std::string told;
  for (int i = 1; i <= 12; ++i) {
    const Advice advice = detector.add(turn("click"));
    if (!advice.to_model.empty()) told += std::to_string(i) + (advice.other_model ? "! " : " ");
    if (!advice.to_stop.empty()) told += "end " + std::to_string(i);
  }
  CHECK(told == "3 5 8! 10 end 12");
}

TEST_CASE("what was tried is told, the newest different ones") {
  StuckDetector detector;
  CHECK(detector.tried().empty());
  for (const char* what : {"a", "b", "c\nd\n", "b", "d", "d"}) detector.add(turn(what));
  TurnOutcome long_one = turn(std::string(300, 'x'));
  long_one.said = "error\n";
  detector.add(long_one);
  CHECK(detector.tried() == "\n- b\n- d\n- " + std::string(200, 'x') + "…: error");
}

TEST_CASE("circles of two and three turns are seen") {
  CHECK(advice_of(repeated({turn("a"), turn("b")}, 3)) == "6 ");
  CHECK(advice_of(repeated({turn("a"), turn("b"), turn("c")}, 3)) == "9 ");
  CHECK(advice_of(repeated({turn("a"), turn("b"), turn("c")}, 12)).ends_with("end 36"));
  CHECK(advice_of(repeated({turn("a"), turn("b"), turn("c"), turn("d")}, 12)).empty());
}

TEST_CASE("the same action with another result each time is progress") {
  std::vector<TurnOutcome> turns;
  for (int i = 0; i < 40; ++i) turns.push_back(turn("next page", "page " + std::to_string(i)));
  CHECK(advice_of(turns).empty());
}

TEST_CASE("one other turn ends a circle") {
  auto turns = repeated({turn("click")}, 4);
  turns.push_back(turn("shell"));
  StuckDetector detector;
  CHECK(advice_of(detector, turns) == "3 ");
  CHECK(advice_of(detector, repeated({turn("click")}, 2)).empty());
  CHECK(advice_of(detector, {turn("click")}) == "1 ");
}

TEST_CASE("different actions that all fail, or change nothing, are a circle, too") {
  std::vector<TurnOutcome> failing;
  std::vector<TurnOutcome> idle;
  for (int i = 0; i < 20; ++i) {
    const std::string different = std::to_string(i);
    failing.push_back({different, different, true, false});
    idle.push_back({different, different, false, true});
  }
  CHECK(advice_of(failing) == "3 5 8 end 12");
  CHECK(advice_of(idle) == "3 5 8 end 12");
}

TEST_CASE("what is said names what happened") {
  StuckDetector detector;
  detector.add(turn("a"));
  detector.add(turn("a"));
  CHECK_THAT(detector.add(turn("a")).to_model,
             Contains("You did the same with the same result, 3 times in a row."));
}

TEST_CASE("an answer that only waits is no turn") {
  TurnRecorder waits;
  waits.add("wait_for", "{}", false, "not within 10000 ms: nothing", false);
  waits.add("process_read", "{}", true, "still running", false);
  CHECK_FALSE(waits.outcome());
  waits.add("shell", "{}", true, "ok", false);
  CHECK(waits.outcome());
}

TEST_CASE("the screen is what tells turns apart, and the text where there is none") {
  const auto outcome = [](const std::string& text, const std::string& picture) {
    TurnRecorder recorder;
    recorder.add("click", R"({"x":1})", true, text, true);
    recorder.saw(picture);
    return *recorder.outcome();
  };
  CHECK(outcome("clicked in 10 ms", "one").seen == outcome("clicked in 20 ms", "one").seen);
  CHECK(outcome("clicked", "one").seen != outcome("clicked", "two").seen);
  CHECK(outcome("clicked in 10 ms", "").seen == outcome("clicked in 20 ms", "").seen);
  CHECK(outcome("clicked 10", "").seen != outcome("clicked 20", "").seen);
  // A caret blinks: another picture, the same screen.
  const std::string nothing = "clicked; nothing changed on the screen within 300 ms";
  CHECK(outcome(nothing, "one").seen == outcome(nothing, "two").seen);
  CHECK(outcome(nothing, "one").idle);
  CHECK_FALSE(outcome("clicked", "one").idle);
}

TEST_CASE("durations are left out, other numbers stay") {
  CHECK(without_durations("settled in 180 ms; 3.1% changed") == "settled in ; 3.1% changed");
  CHECK(without_durations("took 1.25 s") == "took ");
  CHECK(without_durations("5s 5sec 12 seconds 7") == " 5sec 12 seconds 7");
  CHECK(without_durations("x=10 y=20.5") == "x=10 y=20.5");
  CHECK(without_durations("").empty());
  CHECK(without_durations("9") == "9");
}
