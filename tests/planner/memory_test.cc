// What stands in place of the part of a conversation that the prompt leaves out: facts from the
// events, and the model's own summary.
#include <algorithm>

#include "catch.h"
#include "planner/facts.h"
#include "planner/history.h"
#include "planner/summary.h"
#include "world.h"

namespace selfagent {
namespace {

/// Events as a run writes them.
struct Log {
  std::vector<Event> events;

  Log& add(const std::string& kind, Json data) {
    events.push_back({static_cast<int64_t>(events.size()) + 1, 0, "c", "j", kind, std::move(data)});
    return *this;
  }
  Log& says(const std::string& text) { return add("user_message", {{"text", text}}); }
  Log& does(const std::string& tool, const Json& arguments, const std::string& text,
            bool ok = true) {
    const std::string id = "k" + std::to_string(events.size());
    add("action_intent", {{"call_id", id}, {"tool", tool}, {"arguments", arguments}});
    return add("action_result", {{"call_id", id}, {"tool", tool}, {"ok", ok}, {"text", text}});
  }
  std::string facts(size_t bytes = 10'000) const { return facts_of(events, 1'000'000, bytes); }
};

constexpr const char* left_out = "is left out; recall reads and searches it";

/// The note in place of what was left out, "" if nothing was.
std::string note_of(const Json& messages) {
  const std::string text = messages[1]["content"].is_string()
                               ? messages[1]["content"].get<std::string>()
                               : messages[1]["content"][0].value("text", "");
  return text.find(left_out) == std::string::npos ? "" : text;
}

/// A window that a hundred steps of `say` fill several times.
struct SmallWorld : World {
  SmallWorld() { settings.dialect.context_tokens = 16'000; }

  RunOutcome work(int steps, const std::string& prompt = "Paint the fence green") {
    for (int i = 0; i < steps; ++i) {
      const std::string text = "step " + std::to_string(i) + std::string(400, '.');
      model.then(calls_answer({call("", "say", dump_json({{"text", text}}))}));
    }
    model.then(text_answer("Painted."));
    limits.max_steps = steps + 10;
    return run(prompt);
  }
  std::vector<Event> of_kind(const std::string& kind) const {
    std::vector<Event> found;
    for (const Event& event : events()) {
      if (event.kind == kind) found.push_back(event);
    }
    return found;
  }
  std::string notices() const {
    std::string text;
    for (const Event& event : of_kind("notice")) text += event.data.value("text", "") + "\n";
    return text;
  }
};

TEST_CASE("facts: what the user said, files as they were left, commands with their exit codes") {
  Log log;
  log.says("Make a report of the logs").says("/screenshot").says("In German, please");
  log.does("write_file", {{"path", "a.txt"}, {"content", "x"}}, "created /work/a.txt (1 bytes)");
  log.does("write_file", {{"path", "b.txt"}, {"content", "x"}}, "created /work/b.txt (1 bytes)");
  log.does("edit_file", {{"path", "a.txt"}}, "edited /work/a.txt (1 replacement, now 9 bytes)");
  log.does("delete_file", {{"path", "b.txt"}}, "deleted /work/b.txt");
  log.does("write_file", {{"path", "c.txt"}}, "permission denied", false);
  log.does("move_file", {{"from", "d"}, {"to", "e"}}, "moved /work/d to /work/e");
  log.does("shell", {{"command", "make\nall"}}, "exit code 2 after 17 ms\nstdout: (empty)");
  log.does("shell", {{"command", "make\nall"}}, "exit code 0 after 90 ms\nstdout:\nfine");
  log.does("shell", {{"command", "sleep 9"}}, "still running after 1000 ms as process p3; nothing");
  log.does("launch", {{"command", "xterm"}}, "started xterm");
  log.does("ask_user", {{"question", "Which year?"}}, "asked");
  log.says("2019");
  log.does("done", {{"summary", "."}}, "not done, 1 of 1 checks do not hold:\n- a", false);
  CHECK(log.facts() == R"(

Make a report of the logs

In German, please

2019

## Files, as they were left
- edited /work/a.txt (1 replacement, now 9 bytes)
- deleted /work/b.txt
- moved /work/d to /work/e
- there is e

## Commands
- make all -> exit code 0
- sleep 9 -> still running

## Programs
- sleep 9: still running after 1000 ms as process p3; nothing
- xterm: started xterm

## Questions to the user and what was said then
- asked: Which year? – answer: 2019

## Checks
- not done, 1 of 1 checks do not hold:
- a)");
  CHECK(facts_of(log.events, 1, 10'000) == "\n\nMake a report of the logs");
  CHECK(facts_of(log.events, 0, 10'000).empty());
}

TEST_CASE("facts do not grow, and keep the task and the newest") {
  Log log;
  log.says("The task");
  for (int i = 0; i < 3'000; ++i) {
    const std::string name = std::to_string(i);
    log.says("remark " + name + std::string(50, 'r'));
    log.does("write_file", {{"path", name}}, "created /work/" + name + std::string(60, 'f'));
    log.does("shell", {{"command", "echo " + name}}, "exit code 1 after 3 ms");
  }
  for (const size_t bytes : {900U, 5'000U, 14'000U}) {
    const std::string facts = log.facts(bytes);
    CHECK(facts.size() <= bytes + 400);  // the titles
    CHECK(facts.starts_with("\n\nThe task"));
    CHECK_THAT(facts, ContainsSubstring("remark 2999"));
    CHECK_THAT(facts, ContainsSubstring("older ones: recall)\n- "));
    CHECK_THAT(facts, ContainsSubstring("echo 2999 -> exit code 1"));
  }
  Log loud;
  loud.says(std::string(100'000, 'x'));
  CHECK(loud.facts(2'000).size() < 1'100);
}

TEST_CASE("what leaves the prompt is summed up once, and merged from then on") {
  SmallWorld world;
  world.model.summarise = [&world](const CompletionRequest& request) {
    CHECK(request.tools.empty());
    return text_answer("## Next steps\nSummary number " +
                       std::to_string(world.model.summaries.size()) + ".");
  };
  CHECK(world.work(100).reply == "Painted.");
  const std::vector<Event> summaries = world.of_kind("summary");
  REQUIRE(summaries.size() >= 3);
  REQUIRE(world.model.summaries.size() == summaries.size());
  CHECK(summaries.size() <= 100 / 10 + 1);
  const std::string first = all_text(world.model.summaries[0]);
  CHECK_THAT(first, ContainsSubstring("Paint the fence green"));
  CHECK_THAT(first, ContainsSubstring("step 0."));
  CHECK_THAT(first, !ContainsSubstring("The earlier summary"));
  const std::string second = all_text(world.model.summaries[1]);
  CHECK_THAT(second, ContainsSubstring("The earlier summary:\\n## Next steps\\nSummary number 1."));
  CHECK_THAT(second, !ContainsSubstring("step 0."));

  const std::string note = note_of(world.model.requests.back());
  CHECK_THAT(note, ContainsSubstring("Paint the fence green"));
  CHECK_THAT(note, ContainsSubstring("## Next steps\nSummary number " +
                                     std::to_string(summaries.size()) + "."));
  CHECK_THAT(note, ContainsSubstring("[Your own summary of it"));
  CHECK_THAT(note, !ContainsSubstring("Summary number 1."));
  CHECK(summaries[1].data["merged_through_seq"] == summaries[0].data["through_seq"]);
}

TEST_CASE("between two summaries each request is a prefix of the next one") {
  SmallWorld world;
  world.work(100);
  const auto& requests = world.model.requests;
  int changed = 0;
  for (size_t i = 1; i < requests.size(); ++i) {
    std::string before = requests[i - 1].dump();
    before.pop_back();
    const bool prefix = requests[i].dump().starts_with(before);
    const bool same_note = note_of(requests[i]) == note_of(requests[i - 1]);
    CHECK(prefix == same_note);
    changed += same_note ? 0 : 1;
  }
  CHECK(changed >= 3);
  CHECK(changed <= 12);
}

TEST_CASE("a summary that does not grow, however much the model writes") {
  SmallWorld world;
  world.model.summarise = [](const CompletionRequest&) {
    return text_answer("## Next steps\n" + std::string(2'500, 'w') + "\nthe end");
  };
  world.work(190);
  REQUIRE(world.of_kind("summary").size() > 4);
  size_t longest = 0;
  for (const Json& messages : world.model.requests) {
    longest = std::max(longest, note_of(messages).size());
  }
  CHECK(longest > 1'000);
  CHECK(longest < 3'500);
}

struct BadSummary {
  const char* notice;
  std::function<Completion(const CompletionRequest&)> answer;
};

TEST_CASE("a bad summary never ends the run, and is not asked for again soon") {
  const BadSummary bad = GENERATE(values<BadSummary>(
      {{"it was empty", [](const CompletionRequest&) { return text_answer(""); }},
       {"the model gave none (down)",
        [](const CompletionRequest&) -> Completion {
          throw Error(ErrorCode::unavailable, "down");
        }},
       {"the model gave none (too long)",
        [](const CompletionRequest&) -> Completion {
          throw Error(ErrorCode::resource_exhausted, "too long");
        }},
       {"the model called a tool in it",
        [](const CompletionRequest&) { return calls_answer({call("a", "say", "{}")}, "Saying"); }},
       {"the model called a tool in it",
        [](const CompletionRequest&) {
          return text_answer("<tool_call>{\"name\":\"say\"}</tool_call>");
        }},
       {"it was longer than that part",
        [](const CompletionRequest&) { return text_answer(std::string(200'000, 'w')); }}}));
  SmallWorld world;
  world.model.summarise = bad.answer;
  CHECK(world.work(100).reply == "Painted.");
  CHECK(world.of_kind("summary").empty());
  CHECK_THAT(world.notices(), ContainsSubstring(std::string("is not used: ") + bad.notice));
  CHECK(world.model.summaries.size() <= 4);
  CHECK(world.model.summaries.size() >= 2);
  const std::string note = note_of(world.model.requests.back());
  CHECK_THAT(note, ContainsSubstring("Paint the fence green"));
  CHECK_THAT(note, !ContainsSubstring("Your own summary"));
}

TEST_CASE("a summary that has no end is ended, and what came of it is used") {
  SmallWorld world;
  bool ended = false;
  world.model.summarise = [&ended](const CompletionRequest& request) {
    try {
      for (int i = 0; i < 1'000'000; ++i) request.on_text("It goes on.\n");
    } catch (...) {
      ended = true;
      throw;
    }
    return text_answer("never");
  };
  CHECK(world.work(60).reply == "Painted.");
  CHECK(ended);
  REQUIRE(!world.of_kind("summary").empty());
  CHECK(world.of_kind("summary")[0].data["text"].get<std::string>().size() < 3'000);
  ended = false;
  SmallWorld thinker;
  thinker.model.summarise = [&ended](const CompletionRequest& request) {
    try {
      for (int i = 0; i < 1'000'000; ++i) request.on_reasoning("Hm. ");
    } catch (...) {
      ended = true;
      throw;
    }
    return text_answer("never");
  };
  CHECK(thinker.work(60).reply == "Painted.");
  CHECK(ended);
  CHECK(thinker.of_kind("summary").empty());
}

TEST_CASE("without summaries the facts stand alone, and the model is not asked") {
  SmallWorld world;
  world.summaries = false;
  world.work(100);
  CHECK(world.model.summaries.empty());
  CHECK_THAT(note_of(world.model.requests.back()), ContainsSubstring("Paint the fence green"));
}

TEST_CASE("a summary is counted, and the next daemon has it") {
  SmallWorld world;
  world.model.summarise = [](const CompletionRequest&) {
    Completion answer = text_answer("## Next steps\nThe second coat.");
    answer.prompt_tokens = 3'000;
    answer.completion_tokens = 100;
    return answer;
  };
  world.limits.max_tokens = 3'050;
  const RunOutcome outcome = world.work(100);
  CHECK(outcome.outcome == "out_of_budget");
  CHECK_THAT(outcome.reason, ContainsSubstring("the limit of 3050 tokens"));
  REQUIRE(world.of_kind("summary").size() == 1);

  world.limits.max_tokens = 0;
  world.model.then(text_answer("Painted again."));
  world.run("Go on");
  CHECK_THAT(note_of(world.model.requests.back()), ContainsSubstring("The second coat."));
}

}  // namespace
}  // namespace selfagent
