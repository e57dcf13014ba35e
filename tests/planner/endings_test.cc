// How runs end by the model's own word: done with its checks, a question, a report at the limit, a
// circle.
#include <algorithm>

#include "catch.h"
#include "world.h"

using namespace selfagent;
using Catch::Matchers::Contains;

namespace {

struct ShellArgs {
  std::string command;
  int timeout_ms = 0;
  int kill_after_ms = 0;
  Json env;
};

// Ends with the exit code that its command names, and with 0 for a file that is called "there".
Tool fake_shell() {
  return make_tool<ShellArgs>(
      {.name = "shell",
       .title = "Shell",
       .description = "Runs.",
       .area = ToolArea::code,
       .annotations = {},
       .params = {param("command", &ShellArgs::command, ""),
                  param("timeout_ms", &ShellArgs::timeout_ms, "").optional(),
                  param("kill_after_ms", &ShellArgs::kill_after_ms, "").optional(),
                  param("env", &ShellArgs::env, "").optional()},
       .run = [](const ShellArgs& args, ToolContext&) {
         int code = 1;
         if (args.command.starts_with("exit ")) code = std::stoi(args.command.substr(5));
         if (args.env.is_object() && args.env.value("FILE", "") == "there") code = 0;
         ToolResult result = ToolResult::text("exit code " + std::to_string(code));
         result.structured = {{"exit_code", code}};
         return result;
       }});
}

struct ShellWorld : World {
  ShellWorld() { registry.add(fake_shell()); }

  Json end() const { return events().back().data; }
  std::string result_of(const std::string& call_id) const {
    for (const auto& event : events()) {
      if (event.kind == "action_result" && event.data["call_id"] == call_id) {
        return event.data["text"];
      }
    }
    return "none";
  }
  int count(const std::string& kind) const {
    const auto all = events();
    return static_cast<int>(std::count_if(all.begin(), all.end(),
                                          [&](const Event& event) { return event.kind == kind; }));
  }
};
}  // namespace

TEST_CASE("done with checks that hold ends the run as verified") {
  ShellWorld world;
  world.model.then(calls_answer({call("d", "done", R"({
    "summary": "The report is in there.",
    "checks": [{"claim": "the file exists", "file": "there"},
               {"claim": "the test fails", "command": "exit 3", "exit_code": 3}]})")}));
  const RunOutcome outcome = world.run("Write it");
  CHECK(outcome.state == JobState::succeeded);
  CHECK(outcome.outcome == "succeeded_verified");
  CHECK(outcome.reply == "The report is in there.");
  CHECK(world.end()["outcome"] == "succeeded_verified");
  REQUIRE(world.end()["checks"].size() == 2);
  CHECK(world.end()["checks"][0]["claim"] == "the file exists");
  CHECK(world.end()["checks"][0]["holds"] == true);
  CHECK(world.end()["checks"][1]["seen"] == "exit code 3");
}

TEST_CASE("a check that does not hold sends the run on") {
  ShellWorld world;
  world.model.then(calls_answer({call("d", "done", R"({"summary": "Done.", "checks": [
      {"claim": "the file exists", "file": "nowhere"}, {"claim": "ok", "command": "exit 0"}]})")}));
  world.model.then(calls_answer({call("e", "done", R"({"summary": "Now.", "checks": [
      {"claim": "the file exists", "file": "there"}]})")}));
  const RunOutcome outcome = world.run("Write it");
  CHECK(outcome.outcome == "succeeded_verified");
  CHECK(outcome.steps == 2);
  CHECK_THAT(world.result_of("d"), Contains("1 of 2 checks do not hold"));
  CHECK_THAT(world.result_of("d"), Contains("does not hold: the file exists (exit code 1)"));
  CHECK_THAT(world.result_of("d"), Contains("holds: ok"));
}

TEST_CASE("the other ways to be done") {
  ShellWorld world;
  SECTION("without checks") {
    world.model.then(calls_answer({call("d", "done", R"({"summary": "Seen."})")}));
    const RunOutcome outcome = world.run("Look");
    CHECK(outcome.state == JobState::succeeded);
    CHECK(outcome.outcome == "succeeded_unverified");
  }
  SECTION("in words") {
    world.model.then(text_answer("Seen."));
    CHECK(world.run("Look").outcome == "succeeded_unverified");
  }
  SECTION("not at all") {
    world.model.then(calls_answer({call("d", "done", R"({"summary": "No.", "outcome": "failed",
                         "checks": [{"claim": "it is missing", "file": "nowhere"}]})")}));
    const RunOutcome outcome = world.run("Look");
    CHECK(outcome.state == JobState::failed);
    CHECK(outcome.outcome == "failed");
    CHECK(outcome.reply == "No.");
    CHECK(outcome.checks[0]["holds"] == false);
  }
  SECTION("blocked") {
    world.model.then(
        calls_answer({call("d", "done", R"({"summary": "A captcha.", "outcome": "blocked"})")}));
    CHECK(world.run("Look").outcome == "blocked");
  }
  CHECK(world.end()["outcome"] != "");
}

TEST_CASE("a check says what to look at, one thing") {
  ShellWorld world;
  world.model.then(calls_answer({call("d", "done", R"({"summary": "x", "checks": [
      {"claim": "c", "file": "there", "text": "Hello"}]})")}));
  world.model.then(calls_answer({call("e", "done", R"({"summary": "x", "checks": [
      {"claim": "c", "window": "Editor"}]})")}));
  world.model.then(text_answer("Given up."));
  world.run("Look");
  CHECK_THAT(world.result_of("d"), Contains("exactly one of file, command"));
  CHECK_THAT(world.result_of("e"), Contains("there is no tool wait_for here"));
}

TEST_CASE("done beside a call that failed is not believed, and what follows it is not run") {
  ShellWorld world;
  world.model.then(
      calls_answer({call("a", "fail", "{}"), call("d", "done", R"({"summary": "Done."})")}));
  world.model.then(
      calls_answer({call("e", "done", R"({"summary": "Done."})"), call("f", "click", "{}")}));
  const RunOutcome outcome = world.run("Go");
  CHECK(outcome.steps == 2);
  CHECK_THAT(world.result_of("d"), Contains("fail failed before it"));
  CHECK(world.result_of("f") == "[not run: the run has ended]");
  CHECK(world.desktop.version == 0);
}

TEST_CASE("a question ends the run, and the next message is its answer") {
  ShellWorld world;
  world.model.then(calls_answer(
      {call("q", "ask_user", R"({"question": "Which account?", "options": ["work", "home"]})")}));
  const RunOutcome outcome = world.run("Send it");
  CHECK(outcome.outcome == "needs_user");
  CHECK(outcome.reply == "Which account?\n- work\n- home");
  CHECK_THAT(outcome.reason, Contains("answer with your next message"));

  world.model.then(text_answer("Sent."));
  CHECK(world.run("home").outcome == "succeeded_unverified");
  const std::string prompt = all_text(world.model.requests.back());
  CHECK_THAT(prompt, Contains("asked; the answer is the user's next message"));
  CHECK_THAT(prompt, Contains("home"));
  CHECK_THAT(prompt, !Contains("The run ended here"));
}

TEST_CASE("the last step is for a report") {
  ShellWorld world;
  world.limits.max_steps = 4;
  for (int i = 0; i < 3; ++i) {
    world.model.then(calls_answer({call("", "say", R"({"text":")" + std::to_string(i) + "\"}")}));
  }
  SECTION("in words") {
    world.model.then(text_answer("Half is done."));
    const RunOutcome outcome = world.run("Go");
    CHECK(outcome.state == JobState::failed);
    CHECK(outcome.outcome == "out_of_budget");
    CHECK(outcome.reply == "Half is done.");
  }
  SECTION("no other call is run") {
    world.model.then(calls_answer({call("c", "click", R"({"x":1,"y":2})")}, "Just this."));
    CHECK(world.run("Go").outcome == "out_of_budget");
    CHECK(world.result_of("c") == "[not run: the limit of 4 steps was reached]");
    CHECK(world.desktop.version == 0);
  }
  SECTION("by done") {
    world.model.then(calls_answer({call("d", "done", R"({"summary": "All of it."})")}));
    CHECK(world.run("Go").outcome == "succeeded_unverified");
  }
  const std::string prompt = all_text(world.model.requests.back());
  CHECK_THAT(prompt, Contains("This is your last step"));
}

TEST_CASE("a limit of one step is one step") {
  ShellWorld world;
  world.limits.max_steps = 1;
  world.model.then(calls_answer({call("a", "say", R"({"text":"x"})")}));
  world.model.then(text_answer("one more"));
  const RunOutcome outcome = world.run("Go");
  CHECK(outcome.outcome == "out_of_budget");
  CHECK_THAT(outcome.reason, Contains("the limit of 1 steps"));
  CHECK(outcome.steps == 1);
  CHECK(world.model.requests.size() == 1);
}

TEST_CASE("tokens run out after the answer that used them") {
  ShellWorld world;
  world.limits.max_tokens = 1'000;
  Completion greedy = calls_answer({call("a", "say", R"({"text":"x"})")});
  greedy.prompt_tokens = 1'200;
  world.model.then(greedy);
  world.model.then(text_answer("That is all."));
  const RunOutcome outcome = world.run("Go");
  CHECK(outcome.outcome == "out_of_budget");
  CHECK_THAT(outcome.reason, Contains("1000 tokens"));
}

void go_in_circles(World& world, int steps = 12) {
  for (int i = 0; i < steps; ++i) {
    world.model.then(calls_answer({call("", "say", R"({"text":"again"})")}));
  }
}

TEST_CASE("a run that goes in circles is told, then asks the user") {
  ShellWorld world;
  go_in_circles(world);
  const RunOutcome outcome = world.run("Go");
  CHECK(outcome.state == JobState::failed);
  CHECK(outcome.outcome == "needs_user");
  CHECK(outcome.steps == 12);
  CHECK_THAT(outcome.reply,
             Contains("I did the same with the same result, 12 times in a row. What I tried last:"
                      "\n- say {\"text\":\"again\"}: again\nHow shall I go on?"));
  CHECK(world.count("notice") == 4);
  CHECK_THAT(all_text(world.model.requests[3]), Contains("3 times in a row"));
  CHECK_THAT(all_text(world.model.requests[8]), Contains("ask_user"));
  // What was said is never taken back: the requests stay prefixes of one another.
  for (size_t i = 1; i < world.model.requests.size(); ++i) {
    std::string before = world.model.requests[i - 1].dump();
    before.pop_back();
    CHECK(world.model.requests[i].dump().starts_with(before));
  }
}

TEST_CASE("the user's answer to that question is heard, and the second time is the end") {
  ShellWorld world;
  go_in_circles(world);
  world.run("Go");
  go_in_circles(world);
  const RunOutcome again = world.run("Try it harder");
  const std::string heard = all_text(world.model.requests[12]);
  CHECK_THAT(heard, Contains("The user was asked: I go in circles"));
  CHECK_THAT(heard, Contains("Try it harder"));
  CHECK(again.outcome == "failed");
  CHECK_THAT(again.reason,
             Contains("in circles: the same with the same result, 12 times in a row"));
  // What succeeds meanwhile makes good for it.
  world.model.then(text_answer("Done."));
  CHECK(world.run("Leave it").outcome == "succeeded_unverified");
  go_in_circles(world);
  CHECK(world.run("And now this").outcome == "needs_user");
}

TEST_CASE("where another model stands by, it takes over from one that goes in circles") {
  ShellWorld world;
  world.fallback = {"http://127.0.0.1:1/v1", "the-other", "", {}};
  go_in_circles(world, 8);
  for (int i = 0; i < 11; ++i) {
    world.model.then(calls_answer({call("", "say", dump_json({{"text", std::to_string(i)}}))}));
  }
  world.model.then(text_answer("Found a way."));
  CHECK(world.run("Go").reply == "Found a way.");
  const std::vector<bool>& whose = world.model.by_fallback;
  REQUIRE(whose.size() == 20);
  for (size_t i = 0; i < whose.size(); ++i) CHECK(whose[i] == (i >= 8 && i < 18));
  CHECK_THAT(all_text(world.model.requests[8]), Contains("You are another model now"));
  CHECK_THAT(all_text(world.model.requests[8]), !Contains("ask_user with what you have tried"));
  std::string notices;
  for (const Event& event : world.events()) notices += event.data.value("text", "") + "\n";
  CHECK_THAT(notices, Contains("goes in circles: the-other takes over for the next 10 steps."));
}

TEST_CASE("if the other model goes on in the same circle, the user is asked") {
  ShellWorld world;
  world.fallback = {"http://127.0.0.1:1/v1", "the-other", "", {}};
  go_in_circles(world);
  const RunOutcome outcome = world.run("Go");
  CHECK(outcome.outcome == "needs_user");
  CHECK(outcome.steps == 12);
  CHECK_THAT(all_text(world.model.requests[10]), Contains("ask_user with what you have tried"));
}

TEST_CASE("recall reads what is no longer shown") {
  ShellWorld world;
  const std::string long_text = std::string(50'000, 'a') + "kiwi" + std::string(20'000, 'b');
  world.model.then(calls_answer({call("long", "say", R"({"text":")" + long_text + "\"}")}));
  world.model.then(calls_answer(
      {call("r", "recall", R"({"call_id":"long","offset":49990})"),
       call("s", "recall", R"({"query":"KIWI"})"), call("t", "recall", R"({"query":"papaya"})"),
       call("u", "recall", R"({"call_id":"long","offset":70005})"),
       call("v", "recall", R"({"call_id":"never"})"), call("w", "recall", R"({})")}));
  world.model.then(text_answer("Found."));
  world.run("Read it");
  CHECK_THAT(all_text(world.model.requests[1]),
             Contains(R"(recall with call_id \"long\" and offset 24000)"));
  const std::string page = world.result_of("r");
  CHECK_THAT(page, Contains("bytes 49990 to 69990 of 70004, go on with offset 69990"));
  CHECK_THAT(page, Contains("aaaaaaaaaakiwibbb"));
  CHECK_THAT(world.result_of("s"), Contains("say (call_id long), byte 50000"));
  CHECK_THAT(world.result_of("t"), Contains("nothing in this conversation"));
  CHECK_THAT(world.result_of("u"), Contains("beyond the 70004 bytes"));
  CHECK_THAT(world.result_of("v"), Contains("no call never"));
  CHECK_THAT(world.result_of("w"), Contains("give call_id or query"));
}
