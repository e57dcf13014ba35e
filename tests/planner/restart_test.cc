// Runs that a killed daemon has left: what the next one finds in the store, and how it goes on.
#include "catch.h"
#include "planner/history.h"
#include "planner/run_so_far.h"
#include "world.h"

using Catch::Matchers::Contains;

namespace selfagent {
namespace {

// Writes the events of a run as a daemon that was killed has left them.
struct KilledWorld : World {
  KilledWorld() { last_job = "j-killed"; }

  void left(const std::string& kind, Json data) {
    store->append(conversation.id, last_job, kind, std::move(data));
  }
  void left_start(const std::string& prompt = "Go") {
    left("user_message", {{"text", prompt}});
    left("run_started", {{"model", "m"}});
  }
  void left_answer(const std::string& call_id, const std::string& tool, const Json& arguments) {
    left("assistant_message",
         {{"text", ""},
          {"tool_calls",
           Json::array({{{"id", call_id}, {"name", tool}, {"arguments", dump_json(arguments)}}})},
          {"usage", {{"prompt_tokens", 100}, {"completion_tokens", 10}, {"cached_tokens", 40}}}});
  }
  void left_intent(const std::string& call_id, const std::string& tool, const Json& arguments) {
    left("action_intent", {{"call_id", call_id}, {"tool", tool}, {"arguments", arguments}});
  }
  void left_result(const std::string& call_id, const std::string& tool, const std::string& text) {
    left("action_result", {{"call_id", call_id},
                           {"tool", tool},
                           {"ok", true},
                           {"text", text},
                           {"images", Json::array()},
                           {"elapsed_ms", 1}});
  }
  size_t count(const std::string& kind) {
    size_t found = 0;
    for (const Event& event : store->events(conversation.id, last_job, 0, 1000)) {
      found += event.kind == kind ? 1 : 0;
    }
    return found;
  }
};

TEST_CASE("what a killed daemon has summed up is in the next prompt, and counted") {
  KilledWorld world;
  world.settings.dialect.context_tokens = 16'000;
  world.summaries = false;  // the next one is not the subject
  constexpr int steps = 30;
  world.left_start("Paint the fence");
  int64_t through = 0;
  for (int i = 0; i < steps; ++i) {
    const std::string id = "c" + std::to_string(i);
    const std::string text = std::to_string(i) + std::string(900, '.');
    world.left_answer(id, "say", {{"text", text}});
    world.left_intent(id, "say", {{"text", text}});
    world.left_result(id, "say", text);
    // What the killed daemon had left out of its last prompt.
    History history(*world.store, world.conversation.id);
    HistoryLimits limits;
    limits.text_bytes = 7'000;
    history.messages(limits);
    if (through == 0) through = history.left_out_through();
  }
  REQUIRE(through > 0);
  world.left("summary", {{"text", "## Next steps\nThe second coat."},
                         {"through_seq", through},
                         {"usage", {{"prompt_tokens", 500}, {"completion_tokens", 50}}}});
  world.limits.max_tokens = steps * 110 + 550 + 10;
  Completion answer = calls_answer({call("", "say", R"({"text":"x"})")});
  answer.prompt_tokens = 20;
  world.model.then(answer);
  world.model.then(text_answer("Painted."));
  CHECK(world.go_on("Paint the fence").outcome == "out_of_budget");
  const std::string prompt = all_text(world.model.requests[0]);
  CHECK_THAT(prompt, Contains("Paint the fence"));
  CHECK_THAT(prompt, Contains("The second coat."));
  CHECK_THAT(all_text(world.model.requests[1]), Contains("This is your last step"));
}

TEST_CASE("a run goes on where a killed daemon has left it") {
  KilledWorld world;
  world.left_start("Count to two");
  world.left_answer("c1", "say", {{"text", "one"}});
  world.left_intent("c1", "say", {{"text", "one"}});
  world.left_result("c1", "say", "one");
  CHECK(world.obstacle().empty());
  world.model.then(text_answer("two"));
  const RunOutcome outcome = world.go_on("Count to two");
  CHECK(outcome.state == JobState::succeeded);
  CHECK(outcome.reply == "two");
  CHECK(outcome.steps == 2);
  CHECK(world.count("user_message") == 1);
  CHECK(world.count("run_started") == 1);
  CHECK(world.count("run_finished") == 1);
  const std::string prompt = all_text(world.model.requests.back());
  CHECK_THAT(prompt, Contains("Count to two"));
  CHECK_THAT(prompt, Contains("The daemon was restarted; the run goes on."));
}

TEST_CASE("calls that were not begun are said to be not run, and the model decides anew") {
  KilledWorld world;
  world.left_start();
  world.left_answer("c1", "say", {{"text", "one"}});
  CHECK(world.obstacle().empty());
  world.model.then(text_answer("done"));
  world.go_on("Go");
  CHECK_THAT(all_text(world.model.requests.back()),
             Contains("[not run: the daemon was stopped before]"));
}

TEST_CASE(
    "a run whose last action may have happened waits for a person, unless it can be repeated") {
  KilledWorld world;
  world.left_start();
  SECTION("an action that cannot be repeated") {
    world.left_answer("c1", "click", {{"x", 1}, {"y", 2}});
    world.left_intent("c1", "click", {{"x", 1}, {"y", 2}});
    CHECK(world.obstacle() == "nobody knows whether click happened");
  }
  SECTION("the planner's own look") {
    world.left("action_intent",
               {{"call_id", "look_1"}, {"tool", "screenshot"}, {"automatic", true}});
    CHECK(world.obstacle().empty());
  }
  SECTION("recall") {
    world.left_answer("c1", "recall", {{"query", "x"}});
    world.left_intent("c1", "recall", {{"query", "x"}});
    CHECK(world.obstacle().empty());
    world.model.then(text_answer("done"));
    world.go_on("Go");
    CHECK_THAT(all_text(world.model.requests.back()), Contains("[outcome unknown:"));
  }
}

// A tool whose programs outlive the daemon: `known` is the call that is certain to have begun one.
struct SurvivingWorld : KilledWorld {
  SurvivingWorld() {
    registry.add(make_tool<NoArgs>(
        {.name = "program",
         .title = "Program",
         .description = "Starts a program.",
         .area = ToolArea::code,
         .annotations = {},
         .params = {},
         .run =
             [this](const NoArgs&, ToolContext& context) {
               ++started;
               return ToolResult::text("started as " + context.durable_id);
             },
         .resume = [this](const NoArgs&, ToolContext& context) -> Resumption {
           if (context.durable_id != known) return {};
           return [](ToolContext& now) {
             return ToolResult::text("it ended meanwhile, says " + now.durable_id);
           };
         }}));
    left_start();
    left("assistant_message",
         {{"text", ""},
          {"tool_calls", Json::array({{{"id", "c1"}, {"name", "program"}, {"arguments", "{}"}},
                                      {{"id", "c2"}, {"name", "program"}, {"arguments", "{}"}}})}});
    left_intent("c1", "program", Json::object());
  }
  std::string known;
  int started = 0;
};

TEST_CASE("a run whose program is certain to have begun goes on with it, and begins nothing") {
  SurvivingWorld world;
  world.known = "j-killed/c1";
  if (GENERATE(false, true)) {  // the next daemon was killed before it could tell
    world.left("notice", {{"text", "…"}, {"to_model", true}, {"restarted", true}});
  }
  CHECK(world.obstacle().empty());
  world.model.then(text_answer("done"));
  CHECK(world.go_on("Go").reply == "done");
  CHECK(world.started == 0);
  const std::string prompt = all_text(world.model.requests.back());
  CHECK_THAT(prompt, Contains("it ended meanwhile, says j-killed/c1"));
  CHECK_THAT(prompt, Contains("[not run: the daemon was stopped before]"));
  CHECK_THAT(prompt, !Contains("[outcome unknown:"));
  CHECK(world.count("action_intent") == 2);  // the second one is the look at the screen
  CHECK(world.count("action_result") == 2);
}

TEST_CASE("a run waits if nothing is known of its program, or only of another one") {
  SurvivingWorld world;
  world.known = GENERATE(as<std::string>{}, "", "j-killed/c2", "j-other/c1");
  CHECK(world.obstacle() == "nobody knows whether program happened");
  CHECK(world.started == 0);
}

TEST_CASE("what a call starts is named after its run and its id") {
  SurvivingWorld world;
  world.model.then(calls_answer({call("c9", "program", "{}")}));
  world.model.then(text_answer("done"));
  world.run("Go");
  CHECK(world.started == 1);
  CHECK_THAT(all_text(world.model.requests.back()),
             Contains("started as " + world.last_job + "/c9"));
}

TEST_CASE("an end that was only not written yet is written, without asking the model again") {
  KilledWorld world;
  world.left_start();
  SECTION("an answer in words") {
    world.left("assistant_message", {{"text", "It is done."}});
    const RunOutcome outcome = world.go_on("Go");
    CHECK(outcome.outcome == "succeeded_unverified");
    CHECK(outcome.reply == "It is done.");
  }
  SECTION("done") {
    const Json arguments = {{"summary", "All there."},
                            {"outcome", "succeeded"},
                            {"checks", Json::array({{{"kind", "file"}, {"path", "a"}}})}};
    world.left_answer("c1", "done", arguments);
    world.left_intent("c1", "done", arguments);
    world.left_result("c1", "done", "ended; checked:");
    const RunOutcome outcome = world.go_on("Go");
    CHECK(outcome.state == JobState::succeeded);
    CHECK(outcome.outcome == "succeeded_verified");
    CHECK(outcome.reply == "All there.");
  }
  SECTION("a question") {
    const Json arguments = {{"question", "Which?"}, {"options", {"a", "b"}}};
    world.left_answer("c1", "ask_user", arguments);
    world.left_intent("c1", "ask_user", arguments);
    world.left_result("c1", "ask_user", "asked");
    const RunOutcome outcome = world.go_on("Go");
    CHECK(outcome.outcome == "needs_user");
    CHECK(outcome.reply == "Which?\n- a\n- b");
  }
  CHECK(world.model.requests.empty());
  CHECK(world.count("run_finished") == 1);
}

TEST_CASE("an answer in words after which the model was told something did not end the run") {
  KilledWorld world;
  world.left_start();
  world.left("assistant_message", {{"text", "<tool_call>{broken</tool_call>"}});
  world.left("notice", {{"text", "Not run: write it again"}, {"to_model", true}});
  world.model.then(text_answer("Now it is done."));
  CHECK(world.go_on("Go").reply == "Now it is done.");
}

TEST_CASE("what was used before counts") {
  KilledWorld world;
  world.left_start();
  for (int i = 0; i < 3; ++i) {
    const std::string id = "c" + std::to_string(i);
    world.left_answer(id, "say", {{"text", id}});
    world.left_intent(id, "say", {{"text", id}});
    world.left_result(id, "say", id);
  }
  const RunSoFar run =
      read_run(world.store->events(world.conversation.id, world.last_job, 0, 100), world.registry);
  CHECK(run.steps == 3);
  CHECK(run.input_tokens == 300);
  CHECK(run.cached_tokens == 120);
  CHECK(run.output_tokens == 30);
  world.limits.max_steps = 4;
  world.model.then(text_answer("A report."));
  CHECK(world.go_on("Go").outcome == "out_of_budget");
  CHECK_THAT(all_text(world.model.requests.back()), Contains("This is your last step"));
}

TEST_CASE("a run that ends the daemon in the same step again and again does not go on by itself") {
  KilledWorld world;
  world.left_start();
  for (int i = 0; i < 3; ++i) {
    CHECK(world.obstacle().empty());
    world.left("notice", {{"text", "…"}, {"to_model", true}, {"restarted", true}});
  }
  CHECK(world.obstacle() == "the daemon ended 3 times in the same step");
  world.left_answer("c1", "say", {{"text", "one"}});
  CHECK(world.obstacle().empty());
}

TEST_CASE("nothing goes on that has ended, and no command") {
  KilledWorld world;
  SECTION("ended") {
    world.left_start();
    world.left("run_finished", {{"state", "succeeded"}});
    CHECK(world.obstacle() == "it has ended");
  }
  SECTION("a command") {
    world.left_start("/say text=x");
    CHECK(world.obstacle() == "a command is not run again");
  }
}

TEST_CASE("a run that had not even begun begins") {
  KilledWorld world;
  CHECK(world.obstacle().empty());
  world.model.then(text_answer("hello"));
  CHECK(world.go_on("Say hello").reply == "hello");
  CHECK(world.count("user_message") == 1);
  CHECK(world.count("run_started") == 1);
}

}  // namespace
}  // namespace selfagent
