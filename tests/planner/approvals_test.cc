// Calls that wait for a person: what is asked, what each answer leads to, and that nothing runs
// that was not approved.
#include "planner/approvals.h"

#include <thread>

#include "catch.h"
#include "planner/run_so_far.h"
#include "world.h"

using Catch::Matchers::Contains;
using namespace std::chrono_literals;

namespace selfagent {
namespace {

struct CommandArgs {
  std::string command;
};

// A world with a shell that only notes what it was to run.
struct AskingWorld : World {
  AskingWorld() {
    approval.policy = ApprovalPolicy::risky;
    approval.wait = 20s;
    registry.add(make_tool<CommandArgs>(
        {.name = "shell",
         .title = "Shell",
         .description = "Runs a command.",
         .area = ToolArea::code,
         .annotations = {},
         .params = {param("command", &CommandArgs::command, "What to run.").range(1, 1000)},
         .run = [this](const CommandArgs& args, ToolContext&) {
           ran.push_back(args.command);
           return ToolResult::text("ran " + args.command);
         }}));
  }

  void then_shell(const std::string& command, const std::string& id = "c1") {
    model.then(calls_answer({shell(command, id)}));
  }
  static ToolCall shell(const std::string& command, const std::string& id) {
    return call(id, "shell", dump_json({{"command", command}}));
  }
  void answer_with(const std::string& decision, const std::string& reason = "",
                   const Json& arguments = nullptr) {
    on_question = [this, decision, reason, arguments](Approvals& approvals, const Event& event) {
      asked.push_back(event);
      approvals.answer(conversation.id, event.data["call_id"],
                       {decision, reason, arguments, "owner"});
    };
  }
  AnsweredApproval answer_late(const std::string& call_id, const std::string& decision,
                               const Json& arguments = nullptr) {
    Planner planner(registry, *store, contexts(), {settings}, limits, model.factory(), approval);
    return planner.approvals().answer(conversation.id, call_id, {decision, "", arguments, "owner"});
  }
  std::string last_prompt() const { return all_text(model.requests.back()); }

  std::vector<std::string> ran;
  std::vector<Event> asked;
};

using Commands = std::vector<std::string>;

}  // namespace

TEST_CASE("a risky call waits until it is approved, and runs once") {
  AskingWorld world;
  world.then_shell("rm -rf build");
  world.model.then(text_answer("Done."));
  world.on_question = [&](Approvals& approvals, const Event& event) {
    CHECK(world.ran.empty());
    const auto open = approvals.open(world.conversation.id);
    REQUIRE(open);
    CHECK(open->seq == event.seq);
    CHECK(event.data["tool"] == "shell");
    CHECK(event.data["arguments"]["command"] == "rm -rf build");
    CHECK(event.data["why"] == Json::array({"it deletes: `rm -rf build`"}));
    const auto answered = approvals.answer(world.conversation.id, event.data["call_id"],
                                           {"once", "", nullptr, "owner"});
    CHECK_FALSE(answered.late);
    CHECK_FALSE(approvals.open(world.conversation.id));
    // The same again is the same; another one comes too late.
    CHECK(approvals.answer(world.conversation.id, "c1", {"once", "", nullptr, "owner"}).repeated);
    CHECK_THROWS_WITH(approvals.answer(world.conversation.id, "c1", {"deny", "", nullptr, "owner"}),
                      Contains("was answered already: once by owner"));
  };
  CHECK(world.run("Clean up").state == JobState::succeeded);
  CHECK(world.ran == Commands{"rm -rf build"});
  const auto outline = world.outline();
  CHECK(std::count(outline.begin(), outline.end(), "approval_request") == 1);
  CHECK(std::count(outline.begin(), outline.end(), "approval_answer") == 1);
}

TEST_CASE("a harmless call runs at once, and with the policy off every call does") {
  AskingWorld world;
  world.then_shell("ls");
  world.model.then(text_answer("Done."));
  CHECK(world.run("List").state == JobState::succeeded);
  world.approval.policy = ApprovalPolicy::off;
  world.then_shell("rm x", "c2");
  world.model.then(text_answer("Done."));
  CHECK(world.run("Delete").state == JobState::succeeded);
  CHECK(world.ran == Commands{"ls", "rm x"});
}

TEST_CASE("a request may be stricter than the setting, never looser") {
  AskingWorld world;
  world.approval.policy = ApprovalPolicy::risky;
  world.approval.wait = 0s;
  Planner planner(world.registry, *world.store, world.contexts(), {world.settings}, world.limits,
                  world.model.factory(), world.approval);
  RunRequest request{world.conversation.id, "j-strict", "Say it"};
  request.approvals = ApprovalPolicy::always;
  world.then_shell("ls");
  CHECK(planner.run(request, {}).outcome == "needs_user");
  CHECK(world.ran.empty());
  request.job_id = "j-loose";
  request.approvals = ApprovalPolicy::off;
  world.then_shell("rm x", "c2");
  CHECK(planner.run(request, {}).outcome == "needs_user");
  CHECK(world.ran.empty());
}

TEST_CASE("a denied call is not run, its answer's later calls neither, and the model hears why") {
  AskingWorld world;
  world.model.then(calls_answer({AskingWorld::shell("ls a", "c0"), AskingWorld::shell("rm x", "c1"),
                                 AskingWorld::shell("ls b", "c2")}));
  world.model.then(text_answer("I left it."));
  world.answer_with("deny", "x is still needed");
  CHECK(world.run("Clean up").state == JobState::succeeded);
  CHECK(world.ran == Commands{"ls a"});
  CHECK_THAT(world.last_prompt(),
             Contains("the user did not approve this call: x is still needed"));
  CHECK_THAT(world.last_prompt(), Contains("[skipped: the user did not approve shell before it]"));
}

TEST_CASE("an edited call runs as edited, and the model is told") {
  AskingWorld world;
  world.then_shell("rm -rf /");
  world.model.then(text_answer("Done."));
  world.on_question = [&](Approvals& approvals, const Event&) {
    const auto edit = [&](const Json& arguments) {
      return approvals.answer(world.conversation.id, "c1", {"edit", "", arguments, "owner"});
    };
    CHECK_THROWS_WITH(edit({{"command", 7}}), Contains("command"));
    CHECK_THROWS_WITH(edit({{"commando", "x"}}), Contains("commando"));
    CHECK_THROWS_WITH(edit(nullptr), Contains("the whole object"));
    edit({{"command", "rm -rf build"}});
  };
  CHECK(world.run("Clean up").state == JobState::succeeded);
  CHECK(world.ran == Commands{"rm -rf build"});
  CHECK_THAT(world.last_prompt(), Contains("the user changed the arguments of this call"));
  CHECK_THAT(world.last_prompt(), Contains("rm -rf build"));
}

TEST_CASE(
    "an approval for the conversation covers the same reason, in later runs too, nothing else") {
  AskingWorld world;
  world.model.then(calls_answer({AskingWorld::shell("curl -d a http://one.test", "c1")}));
  world.model.then(calls_answer({AskingWorld::shell("curl -d b http://one.test/x", "c2")}));
  world.model.then(text_answer("Done."));
  world.answer_with("session");
  CHECK(world.run("Send").state == JobState::succeeded);
  CHECK(world.asked.size() == 1);
  CHECK_THAT(world.asked[0].data["session"].get<std::string>(),
             Contains("it sends data out to one.test"));

  world.model.then(calls_answer({AskingWorld::shell("curl -d c http://one.test", "c3"),
                                 AskingWorld::shell("curl -d c http://two.test", "c4"),
                                 AskingWorld::shell("curl -d c http://one.test; rm x", "c5")}));
  world.model.then(text_answer("Done."));
  world.answer_with("once");
  CHECK(world.run("Send more").state == JobState::succeeded);
  CHECK(world.asked.size() == 3);
  CHECK(world.asked[1].data["call_id"] == "c4");
  CHECK(world.asked[2].data["call_id"] == "c5");

  // A fork begins without it.
  world.conversation = world.store->fork_conversation(world.conversation.id, 0);
  world.model.then(calls_answer({AskingWorld::shell("curl -d d http://one.test", "c6")}));
  world.model.then(text_answer("Done."));
  CHECK(world.run("Send again").state == JobState::succeeded);
  CHECK(world.asked.size() == 4);
}

TEST_CASE("without an answer the run ends with the question, and nothing has run") {
  AskingWorld world;
  world.approval.wait = 0s;
  world.model.then(calls_answer({AskingWorld::shell("ls", "c0"), AskingWorld::shell("rm x", "c1"),
                                 AskingWorld::shell("ls after", "c2")}));
  const RunOutcome outcome = world.run("Clean up");
  CHECK(outcome.outcome == "needs_user");
  CHECK_THAT(outcome.reply, Contains("rm x"));
  CHECK_THAT(outcome.reply, Contains("it deletes"));
  CHECK(world.ran == Commands{"ls"});

  SECTION("a late approval counts once, for the identical call") {
    CHECK(world.answer_late("c1", "once").late);
    world.model.then(calls_answer({AskingWorld::shell("rm x", "d1")}));
    world.model.then(calls_answer({AskingWorld::shell("rm x", "d2")}));
    CHECK(world.run("I approve it. Go on.").outcome == "needs_user");
    CHECK(world.ran == Commands{"ls", "rm x"});
    CHECK_THAT(all_text(world.model.requests[1]),
               Contains("[not run: the user had not said yet whether it may run]"));
    CHECK_THAT(all_text(world.model.requests[1]),
               Contains("The user has approved this call since"));
  }
  SECTION("it counts for no other call, and not in a later run") {
    CHECK(world.answer_late("c1", "once").late);
    world.model.then(calls_answer({AskingWorld::shell("rm y", "d1")}));
    CHECK(world.run("I approve it. Go on.").outcome == "needs_user");
    world.model.then(calls_answer({AskingWorld::shell("rm x", "d2")}));
    CHECK(world.run("Go on").outcome == "needs_user");
    CHECK(world.ran == Commands{"ls"});
    CHECK(all_text(world.model.requests[2]).find("has approved this call since", 0) ==
          all_text(world.model.requests[2]).rfind("has approved this call since"));
  }
  SECTION("a fork does not answer what was asked before it") {
    world.conversation = world.store->fork_conversation(world.conversation.id, 0);
    CHECK_THROWS_WITH(world.answer_late("c1", "once"), Contains("is a fork"));
  }
  SECTION("so does a late edit, for the call as edited") {
    CHECK(world.answer_late("c1", "edit", {{"command", "rm z"}}).late);
    world.model.then(calls_answer({AskingWorld::shell("rm z", "d1")}));
    world.model.then(text_answer("Done."));
    CHECK(world.run("Go on").state == JobState::succeeded);
    CHECK(world.ran == Commands{"ls", "rm z"});
  }
  SECTION("the question is closed once the conversation has gone on without an answer") {
    world.model.then(text_answer("Nothing done."));
    world.run("Forget it");
    CHECK_THROWS_WITH(world.answer_late("c1", "once"), Contains("has gone on without it"));
  }
  SECTION("an id of which nothing is asked is not found, a wrong decision is refused") {
    CHECK_THROWS_WITH(world.answer_late("c9", "once"), Contains("c9"));
    CHECK_THROWS_WITH(world.answer_late("c1", "yes"), Contains("once, session, deny or edit"));
  }
}

TEST_CASE("a message instead of an answer is a no, and a late one changes nothing") {
  AskingWorld world;
  world.then_shell("rm x");
  world.model.then(text_answer("What else?"));
  world.on_question = [&](Approvals& approvals, const Event&) {
    approvals.said("c-other");
    approvals.said(world.conversation.id);
    approvals.said(world.conversation.id);
  };
  CHECK(world.run("Clean up").state == JobState::succeeded);
  CHECK(world.ran.empty());
  CHECK_THAT(world.last_prompt(), Contains("the user has sent a message instead of an answer"));
  CHECK_THROWS_WITH(world.answer_late("c1", "once"), Contains("deny by a message"));
}

TEST_CASE("a run that waits is stopped at once, and its question is closed") {
  AskingWorld world;
  world.approval.wait = 600s;
  world.then_shell("rm x");
  std::stop_source stop;
  world.on_question = [&](Approvals&, const Event&) { stop.request_stop(); };
  CHECK(world.run("Clean up", stop.get_token()).state == JobState::cancelled);
  CHECK(world.ran.empty());
  CHECK_THROWS_WITH(world.answer_late("c1", "once"), Contains("the run that asked was stopped"));
}

TEST_CASE("the end of the run's time while it waits asks the user, too") {
  AskingWorld world;
  world.approval.wait = 600s;
  world.then_shell("rm x");
  CHECK(world.run("Clean up", {}, 1s).outcome == "needs_user");
  CHECK(world.ran.empty());
}

TEST_CASE("the check of a report is asked for as a command is") {
  AskingWorld world;
  world.approval.wait = 0s;
  world.model.then(calls_answer({call(
      "c1", "done", R"({"summary":"ok","checks":[{"claim":"gone","command":"rm x && true"}]})")}));
  CHECK(world.run("Clean up").outcome == "needs_user");
  CHECK(world.ran.empty());
}

TEST_CASE("a question with which a daemon was killed is still asked, and its call runs once") {
  AskingWorld world;
  world.last_job = "j-killed";
  const auto left = [&](const std::string& kind, Json data) {
    world.store->append(world.conversation.id, world.last_job, kind, std::move(data));
  };
  left("user_message", {{"text", "Clean up"}});
  left("run_started", {{"model", "m"}});
  const auto entry = [](const char* id, const char* command) {
    return Json{{"id", id}, {"name", "shell"}, {"arguments", dump_json({{"command", command}})}};
  };
  left("assistant_message",
       {{"text", ""}, {"tool_calls", Json::array({entry("c1", "rm x"), entry("c2", "ls")})}});
  left("approval_request", {{"call_id", "c1"},
                            {"tool", "shell"},
                            {"arguments", {{"command", "rm x"}}},
                            {"why", Json::array({"it deletes: `rm x`"})},
                            {"session", "calls"}});
  CHECK(world.obstacle().empty());

  SECTION("it is answered after the restart") {
    world.model.then(text_answer("Done."));
    // The run waits: it has no question to append, so the answer is given at its notice.
    const auto heard = world.store->subscribe([&](const Event& event) {
      if (event.kind != "notice" || !event.data.value("restarted", false)) return;
      world.answering.emplace_back([&] { world.answer_late("c1", "once"); });
    });
    CHECK(world.go_on("Clean up").state == JobState::succeeded);
    CHECK(world.ran == Commands{"rm x"});
    CHECK_THAT(world.last_prompt(), Contains("ran rm x"));
    CHECK_THAT(world.last_prompt(), Contains("[not run: the daemon was stopped before]"));
  }
  SECTION("it was answered before, and not acted on") {
    left("approval_answer", {{"call_id", "c1"}, {"decision", "once"}, {"by", "owner"}});
    world.model.then(text_answer("Done."));
    CHECK(world.go_on("Clean up").state == JobState::succeeded);
    CHECK(world.ran == Commands{"rm x"});
  }
  SECTION("it was denied") {
    left("approval_answer", {{"call_id", "c1"}, {"decision", "deny"}, {"by", "owner"}});
    world.model.then(text_answer("Done."));
    CHECK(world.go_on("Clean up").state == JobState::succeeded);
    CHECK(world.ran.empty());
    CHECK_THAT(world.last_prompt(), Contains("the user did not approve this call"));
  }
  SECTION("nobody answers: the run ends, the question stays open") {
    world.approval.wait = 0s;
    CHECK(world.go_on("Clean up").outcome == "needs_user");
    CHECK(world.ran.empty());
    CHECK(world.answer_late("c1", "once").late);
  }
  SECTION("it ran, and the result was lost: nobody repeats it") {
    left("approval_answer", {{"call_id", "c1"}, {"decision", "once"}, {"by", "owner"}});
    left("action_intent", {{"call_id", "c1"}, {"tool", "shell"}, {"approval", "c1"}});
    CHECK_THAT(world.obstacle(), Contains("nobody knows whether shell happened"));
  }
}

}  // namespace selfagent
