// Whole runs: the events that a run leaves, and the requests that the model gets.
#include "planner/planner.h"

#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/base64.h"
#include "catch.h"
#include "world.h"

using namespace selfagent;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

std::string content_text(const Json& message) {
  const Json& content = message["content"];
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  for (const auto& part : content) {
    text += part["type"] == "text" ? part["text"].get<std::string>()
                                   : "<" + part["image_url"]["url"].get<std::string>() + ">";
  }
  return text;
}

std::string roles(const Json& messages) {
  std::string text;
  for (const auto& message : messages) {
    text += (text.empty() ? "" : " ") + message["role"].get<std::string>();
  }
  return text;
}

// "picture 0" in base64, as it must appear in a request.
const std::string picture_0 = "data:image/png;base64,cGljdHVyZSAw";
const std::string picture_1 = "data:image/png;base64,cGljdHVyZSAx";

}  // namespace

TEST_CASE("a run looks, acts, looks again and answers") {
  World world;
  world.model.then(calls_answer({call("call_a", "click", R"({"x":640,"y":410})")}, "I click."));
  world.model.then(text_answer("Done."));
  const RunOutcome outcome = world.run("Click it");

  CHECK(outcome.state == JobState::succeeded);
  CHECK(outcome.reply == "Done.");
  CHECK(outcome.steps == 2);
  CHECK(world.outline() == Lines{"user_message", "run_started", "action_intent screenshot",
                                 "action_result ok", "assistant_message", "action_intent click",
                                 "action_result ok", "action_intent screenshot", "action_result ok",
                                 "assistant_message", "run_finished succeeded"});

  REQUIRE(world.model.requests.size() == 2);
  const Json& first = world.model.requests[0];
  CHECK(roles(first) == "system user");
  CHECK(content_text(first[1]) ==
        "Click it\n\n[picture from screenshot, 1344x896]<" + picture_0 + ">");

  const Json& second = world.model.requests[1];
  CHECK(roles(second) == "system user assistant tool user");
  CHECK(
      second[2].dump() ==
      R"({"role":"assistant","content":"I click.","tool_calls":[{"id":"call_a","type":"function","function":{"name":"click","arguments":"{\"x\":640,\"y\":410}"}}]})");
  CHECK(second[3].dump() ==
        R"~({"role":"tool","tool_call_id":"call_a","content":"clicked left at (640,410)"})~");
  CHECK(content_text(second[4]) == "[picture from screenshot, 1344x896]<" + picture_1 + ">");

  CHECK(world.model.tools[0].dump().starts_with(
      R"({"type":"function","function":{"name":"click","description":"Clicks.","parameters":{"type":"object",)"));
}

TEST_CASE("events have the members of docs/protocol.md") {
  World world;
  world.model.then(calls_answer({call("call_a", "click", R"({"x":1,"y":2,"screenshot":true})")}));
  world.model.then(text_answer("Done."));
  world.run("Go");
  const auto events = world.events();
  CHECK(events[0].data == Json({{"text", "Go"}}));
  CHECK(events[1].data == Json({{"model", "scripted"}}));
  CHECK(events[2].data["arguments"] == Json::object());
  const Json& intent = events[5].data;
  CHECK(intent["call_id"] == "call_a");
  CHECK(intent["tool"] == "click");
  CHECK(intent["arguments"] == Json({{"x", 1}, {"y", 2}, {"screenshot", true}}));
  const Json& result = events[6].data;
  CHECK(result["call_id"] == "call_a");
  CHECK(result["ok"] == true);
  CHECK(result["text"] == "clicked left at (1,2)");
  CHECK(result["elapsed_ms"].is_number_integer());
  REQUIRE(result["images"].size() == 1);
  CHECK(result["images"][0]["mime"] == "image/png");
  CHECK(result["images"][0]["width"] == 1344);
  CHECK(world.store->blob(result["images"][0]["sha256"]) == "picture 1");
  const Json& end = events.back().data;
  CHECK(end["state"] == "succeeded");
  CHECK(end["reason"] == "");
  CHECK(end["reply"] == "Done.");
  CHECK(end["steps"] == 2);
  CHECK(end["elapsed_ms"].is_number_integer());
}

TEST_CASE("an action that brought its own picture is not looked at again") {
  World world;
  world.model.then(calls_answer({call("a", "click", R"({"x":1,"y":2,"screenshot":true})")}));
  world.model.then(
      calls_answer({call("b", "click", R"({"x":1,"y":2})"), call("c", "screenshot", "")}));
  world.model.then(calls_answer({call("d", "say", R"({"text":"hi"})")}));
  world.model.then(text_answer("Done."));
  world.run("Go");
  int looks = 0;
  for (const auto& event : world.events()) {
    looks += event.kind == "action_intent" && event.data.value("automatic", false) ? 1 : 0;
  }
  CHECK(looks == 1);
  // Both tool messages come before the one user message with the picture.
  CHECK(roles(world.model.requests[2]) ==
        "system user assistant tool user assistant tool tool user");
}

TEST_CASE("a request is a prefix of the next one") {
  World world;
  for (int i = 0; i < 5; ++i) {
    world.model.then(calls_answer(
        {call("", "click", R"({"x":1,"y":2})"), call("", "say", R"({"text":"hello"})")}));
  }
  world.model.then(text_answer("Done."));
  world.run("Go");
  const auto& requests = world.model.requests;
  REQUIRE(requests.size() == 6);
  for (size_t i = 1; i < requests.size(); ++i) {
    std::string before = requests[i - 1].dump();
    before.pop_back();
    CHECK(requests[i].dump().starts_with(before));
  }
}

TEST_CASE(
    "the user may speak while the model works: it hears it with the next step, after the results") {
  World world;
  world.model.then(
      calls_answer({call("a", "click", R"({"x":1,"y":2})"), call("b", "say", R"({"text":"hi"})")}));
  world.model.then(text_answer("Blue it is."));
  CHECK(world.run_hearing("Paint it red", {{2, "No, blue!"}}).reply == "Blue it is.");
  const auto& requests = world.model.requests;
  REQUIRE(requests.size() == 2);
  CHECK(roles(requests[1]) == "system user assistant tool tool user");
  const std::string text = requests[1].back().dump();
  CHECK(text.find("[The user says, while you work:]") != std::string::npos);
  CHECK(text.find("picture from") < text.find("No, blue!"));
  std::string before = requests[0].dump();
  before.pop_back();
  CHECK(requests[1].dump().starts_with(before));
}

TEST_CASE("old pictures leave ten at a time, and at most twelve are shown") {
  World world;
  for (int i = 0; i < 30; ++i)
    world.model.then(calls_answer({call("", "click", R"({"x":1,"y":2})")}));
  world.model.then(text_answer("Done."));
  world.run("Go");
  int changes = 0;
  for (size_t i = 0; i < world.model.requests.size(); ++i) {
    const Json& messages = world.model.requests[i];
    const std::string text = messages.dump();
    int pictures = 0;
    for (size_t at = text.find("data:image"); at != std::string::npos;
         at = text.find("data:image", at + 1)) {
      ++pictures;
    }
    INFO("request " << i);
    CHECK(pictures >= std::min<int>(3, static_cast<int>(i) + 1));
    CHECK(pictures <= 12);
    // The first and the newest are always there.
    CHECK(content_text(messages[1]).ends_with(">"));
    CHECK(content_text(messages.back()).ends_with(">"));
    if (i == 0) continue;
    std::string before = world.model.requests[i - 1].dump();
    before.pop_back();
    if (!text.starts_with(before)) ++changes;
  }
  CHECK(changes == 3);  // at the 10th, the 20th and the 30th picture
}

TEST_CASE("the picture that a task began with stays when its text has left") {
  World world;
  world.settings.dialect.context_tokens = 40'000;
  const auto looks = [](const Json& messages) {
    std::string text;
    for (const Json& message : messages) text += content_text(message);
    return text;
  };
  const auto picture = [](int version) {
    return "<data:image/png;base64," + base64_encode("picture " + std::to_string(version)) + ">";
  };
  for (int i = 0; i < 60; ++i) {
    world.model.then(
        calls_answer({call("", "click", R"({"x":1,"y":2})")}, std::string(2'000, '.')));
  }
  world.model.then(text_answer("Done."));
  world.run("Go");
  CHECK_THAT(content_text(world.model.requests.back()[1]),
             ContainsSubstring("is left out; recall"));
  CHECK_THAT(content_text(world.model.requests.back()[1]), ContainsSubstring(picture(0)));
  // Of the next task it is the one that it begins with: the newest of this one.
  for (int i = 0; i < 60; ++i) {
    world.model.then(
        calls_answer({call("", "click", R"({"x":1,"y":2})")}, std::string(2'000, '.')));
  }
  world.model.then(text_answer("Done."));
  world.run("Go on");
  CHECK_THAT(content_text(world.model.requests.back()[1]), ContainsSubstring(picture(60)));
  CHECK_THAT(looks(world.model.requests.back()), !ContainsSubstring(picture(0)));
}

TEST_CASE("a second prompt goes on with what was said and done") {
  World world;
  world.model.then(calls_answer({call("a", "say", R"({"text":"blue"})")}));
  world.model.then(text_answer("It is blue."));
  world.run("What colour?");
  world.model.then(text_answer("You asked for the colour."));
  world.run("What did I ask?");
  const Json& messages = world.model.requests[2];
  CHECK(roles(messages) == "system user assistant tool assistant user");
  CHECK(content_text(messages[1]).starts_with("What colour?"));
  CHECK(messages[3]["content"] == "blue");
  CHECK(messages[4]["content"] == "It is blue.");
  CHECK(content_text(messages[5]).starts_with("What did I ask?"));
  // The screen is as it was: no second picture.
  CHECK(content_text(messages[5]).find("exactly the same as the picture before") !=
        std::string::npos);
}

TEST_CASE("what a conversation was rewound over is not told to the model, nor recalled") {
  World world;
  world.model.then(calls_answer({call("a", "say", R"({"text":"blue"})")}));
  world.model.then(text_answer("It is blue."));
  world.run("What colour?");
  world.model.then(calls_answer({call("b", "say", R"({"text":"secret"})")}));
  world.model.then(text_answer("It is secret."));
  world.run("What else?");
  const int64_t second = world.events().front().seq;
  const auto cut = world.store->rewind_conversation(world.conversation.id, second);
  CHECK(cut.prompt == "What else?");
  world.model.then(calls_answer({call("c", "recall", R"({"query":"secret"})")}));
  world.model.then(text_answer("Nothing."));
  world.run("And now?");
  const Json& messages = world.model.requests[4];
  CHECK(roles(messages) == "system user assistant tool assistant user");
  CHECK(messages[4]["content"] == "It is blue.");
  CHECK(content_text(messages[5]).starts_with("And now?"));
  CHECK(dump_json(messages).find("secret") == std::string::npos);
  const std::string recalled = world.model.requests[5].back()["content"];
  CHECK(recalled.find("nothing in this conversation") != std::string::npos);
}

TEST_CASE("a fork is told to the model as its own conversation") {
  World world;
  world.model.then(calls_answer({call("a", "say", R"({"text":"blue"})")}));
  world.model.then(text_answer("It is blue."));
  world.run("What colour?");
  const auto events = world.events();
  const auto answer = std::find_if(events.rbegin(), events.rend(), [](const Event& event) {
    return event.kind == "assistant_message";
  });
  // Between the result and the last answer.
  world.conversation = world.store->fork_conversation(world.conversation.id, answer->seq);
  world.model.then(text_answer("Green."));
  world.run("And now?");
  const Json& messages = world.model.requests[2];
  CHECK(roles(messages) == "system user assistant tool user");
  CHECK(messages[3]["content"] == "blue");
  CHECK(content_text(messages[4]).find("The user stopped the run here") != std::string::npos);
  CHECK(content_text(messages[4]).find("And now?") != std::string::npos);
}

TEST_CASE("without a display the run goes on in words") {
  World world;
  world.desktop.away = true;
  world.model.then(text_answer("There is no screen."));
  CHECK(world.run("Look").state == JobState::succeeded);
  CHECK(world.model.requests[0][1]["content"] ==
        "Look\n\n[screenshot failed: screenshot failed: the display :99 is away]");
}

TEST_CASE("a wrong call is answered with what to correct") {
  World world;
  world.model.then(calls_answer({call("a", "click", R"({"x":5000,"y":2})"), call("b", "clik", "{}"),
                                 call("c", "say", "{\"text\":\"cut of"), call("d", "fail", "")}));
  world.model.then(text_answer("Sorry."));
  world.run("Go");
  const Json& messages = world.model.requests[1];
  CHECK(roles(messages) == "system user assistant tool tool tool tool");
  CHECK_THAT(messages[3]["content"].get<std::string>(),
             ContainsSubstring("click was not run: x=5000 is outside 0 to 1343"));
  CHECK_THAT(messages[4]["content"].get<std::string>(),
             ContainsSubstring("there is no tool \"clik\", did you mean \"click\"?"));
  CHECK_THAT(messages[5]["content"].get<std::string>(),
             ContainsSubstring("[not run: the arguments are not valid JSON at character 8: the "
                               "string that begins here was never closed"));
  CHECK_THAT(messages[6]["content"].get<std::string>(), ContainsSubstring("there is no window 7"));
  // Servers refuse a history whose arguments are not JSON.
  CHECK(messages[2]["tool_calls"][2]["function"]["arguments"] == "{}");
}

TEST_CASE("slips with one meaning are repaired") {
  World world;
  world.model.then(calls_answer({call("a", "functions.Click", R"({'x': "640", 'y': 409.6,})"),
                                 call("b", "click", R"({"coordinate":[1,2]})"),
                                 call("c", "say", R"({"text":7})")}));
  world.model.then(text_answer("Done."));
  world.run("Go");
  const Json& messages = world.model.requests[1];
  CHECK(messages[3]["content"] == "clicked left at (640,410)");
  CHECK(messages[4]["content"] == "clicked left at (1,2)");
  CHECK(messages[5]["content"] == "7");
  const auto lines = world.outline();
  CHECK(std::count(lines.begin(), lines.end(), "notice") == 1);
}

TEST_CASE("a call that was cut off is never run") {
  World world;
  ToolCall cut = call("b", "say", R"({"text":"rm -rf /home"})");
  cut.truncated = true;
  Completion completion = calls_answer({call("a", "say", R"({"text":"whole"})"), cut});
  completion.finish_reason = "length";
  world.model.then(completion);
  world.model.then(text_answer("Done."));
  world.run("Go");
  const Json& messages = world.model.requests[1];
  CHECK(messages[3]["content"] == "whole");
  CHECK_THAT(messages[4]["content"].get<std::string>(),
             ContainsSubstring("[not run: your answer was cut off"));
}

TEST_CASE("after a failed action the rest of the actions waits for another look") {
  World world;
  world.model.then(
      calls_answer({call("a", "click", R"({"x":13,"y":2})"), call("b", "click", R"({"x":1,"y":2})"),
                    call("c", "say", R"({"text":"still said"})")}));
  world.model.then(text_answer("Done."));
  world.run("Go");
  const Json& messages = world.model.requests[1];
  CHECK(messages[3]["content"] == "click failed: the screen is away");
  CHECK(messages[4]["content"] == "[skipped: click failed before it; look at its result first]");
  CHECK(messages[5]["content"] == "still said");
  CHECK(world.desktop.version == 0);
}

TEST_CASE("ids that come again are told apart") {
  World world;
  world.model.then(calls_answer({call("call_0", "say", R"({"text":"1"})")}));
  world.model.then(calls_answer(
      {call("call_0", "say", R"({"text":"2"})"), call("call_0", "say", R"({"text":"3"})")}));
  world.model.then(text_answer("Done."));
  world.run("Go");
  std::set<std::string> ids;
  for (const auto& event : world.events()) {
    if (event.kind == "action_intent") ids.insert(event.data["call_id"].get<std::string>());
  }
  CHECK(ids.size() == 4);
  const Json& messages = world.model.requests[2];
  CHECK(messages[6]["content"] == "3");
}

TEST_CASE("opaque members and reasoning go back as they came") {
  World world;
  Completion completion = calls_answer({call("a", "say", R"({"text":"x"})")});
  completion.tool_calls[0].extra = {
      {"extra_content", {{"google", {{"thought_signature", "abc"}}}}}};
  completion.reasoning = "hm";
  completion.reasoning_field = "reasoning_content";
  completion.reasoning_details = Json::array({{{"type", "reasoning.text"}}});
  world.model.then(completion);
  world.model.then(text_answer("Done."));
  world.run("Go");
  const Json& message = world.model.requests[1][2];
  CHECK(message["content"].is_null());
  CHECK(message["reasoning_content"] == "hm");
  CHECK(message["reasoning_details"][0]["type"] == "reasoning.text");
  CHECK(message["tool_calls"][0]["extra_content"]["google"]["thought_signature"] == "abc");
}

TEST_CASE("a model without eyes is not shown the screen again") {
  World world;
  Completion blind = calls_answer({call("a", "click", R"({"x":1,"y":2})")});
  blind.saw_pictures = false;
  world.model.then(blind);
  world.model.then(text_answer("Done."));
  world.run("Go");
  CHECK(world.outline() == Lines{"user_message", "run_started", "action_intent screenshot",
                                 "action_result ok", "assistant_message", "action_intent click",
                                 "action_result ok", "action_intent look", "action_result ok",
                                 "assistant_message", "run_finished succeeded"});
}

TEST_CASE("stop ends the wait for the model, and what it had said stays") {
  World world;
  Gate asked;
  world.model.then(
      [&](const CompletionRequest& request, const std::stop_token& stop) -> Completion {
        request.on_text("Let me th");
        asked.pass();
        sleep_until(Deadline::never(), stop);
        throw Error(ErrorCode::cancelled, "stopped");
      });
  std::stop_source source;
  std::jthread stopper([&] {
    asked.wait();
    source.request_stop();
  });
  const RunOutcome outcome = world.run("Go", source.get_token());
  CHECK(outcome.state == JobState::cancelled);
  CHECK(world.outline().back() == "run_finished cancelled");
  const auto events = world.events();
  const Json& partial = events[events.size() - 2].data;
  CHECK(partial["text"] == "Let me th");

  world.model.then(text_answer("Done."));
  world.run("Go on");
  CHECK(roles(world.model.requests[1]) == "system user");
  CHECK_THAT(content_text(world.model.requests[1][1]),
             ContainsSubstring("[The user stopped the run here.]"));
}

TEST_CASE("stop ends a running tool, and every pending call is answered in the history") {
  World world;
  world.model.then(calls_answer({call("a", "say", R"({"text":"one"})"), call("b", "hang", ""),
                                 call("c", "say", R"({"text":"three"})")}));
  std::stop_source source;
  std::jthread stopper([&] {
    world.hanging.wait();
    source.request_stop();
  });
  CHECK(world.run("Go", source.get_token()).state == JobState::cancelled);

  world.model.then(text_answer("Done."));
  world.run("Go on");
  const Json& messages = world.model.requests[1];
  CHECK(roles(messages) == "system user assistant tool tool tool user");
  CHECK(messages[3]["content"] == "one");
  CHECK_THAT(messages[4]["content"].get<std::string>(), ContainsSubstring("[interrupted by user]"));
  CHECK(messages[5]["content"] == "[interrupted by user]");
}

TEST_CASE("the limits end a run with a reason that names them") {
  World world;
  SECTION("steps") {
    world.limits.max_steps = 3;
    for (int i = 0; i < 3; ++i)
      world.model.then(calls_answer({call("", "say", R"({"text":"x"})")}, "On it."));
    const RunOutcome outcome = world.run("Go");
    CHECK(outcome.state == JobState::failed);
    CHECK_THAT(outcome.reason, ContainsSubstring("the limit of 3 steps"));
    CHECK(outcome.reply == "On it.");
    CHECK(outcome.steps == 3);
  }
  SECTION("time, in a tool") {
    world.model.then(calls_answer({call("a", "hang", "")}));
    const RunOutcome outcome = world.run("Go", {}, 3s);  // enough to get there
    CHECK(outcome.state == JobState::failed);
    CHECK_THAT(outcome.reason,
               ContainsSubstring("the time limit of the run was reached in step 1"));
  }
}

TEST_CASE("errors of the model server reach the user as they are") {
  World world;
  world.model.then([](const CompletionRequest& request, const std::stop_token&) -> Completion {
    request.on_notice("trying again");
    throw Error(ErrorCode::permission_denied, "the key is refused: set LLM_API_KEY");
  });
  const RunOutcome outcome = world.run("Go");
  CHECK(outcome.state == JobState::failed);
  CHECK(outcome.reason == "the key is refused: set LLM_API_KEY");
  CHECK(world.outline() == Lines{"user_message", "run_started", "action_intent screenshot",
                                 "action_result ok", "notice", "run_finished failed"});
}

TEST_CASE("an answer that broke off is shown, then the next try begins anew") {
  World world;
  world.model.then([](const CompletionRequest& request, const std::stop_token&) {
    request.on_text("Hel");
    request.on_notice("trying again");
    request.on_text("Hello");
    return text_answer("Hello");
  });
  world.run("Go");
  const auto events = world.events();
  REQUIRE(events.size() == 8);
  CHECK(events[4].data == Json({{"text", "Hel"}, {"partial", true}}));
  CHECK(events[5].kind == "notice");
  CHECK(events[6].data == Json({{"text", "Hello"}}));
}

TEST_CASE("an empty answer is asked for again, three times at most") {
  World world;
  world.model.then(text_answer(""));
  SECTION("and then it comes") {
    world.model.then(text_answer("Done."));
    CHECK(world.run("Go").reply == "Done.");
    CHECK_THAT(content_text(world.model.requests[1].back()),
               ContainsSubstring("[Your last answer was empty."));
  }
  SECTION("and it stays away") {
    world.model.then(text_answer(""));
    world.model.then(text_answer(""));
    const RunOutcome outcome = world.run("Go");
    CHECK(outcome.state == JobState::failed);
    CHECK_THAT(outcome.reason, ContainsSubstring("the model answered nothing 3 times"));
  }
}

TEST_CASE("an overflow leaves older parts out and tries again") {
  World world;
  const std::string bulk(20'000, 'x');
  for (int i = 0; i < 4; ++i)
    world.model.then(calls_answer({call("", "say", Json({{"text", bulk}}).dump())}));
  world.model.then([](const CompletionRequest&, const std::stop_token&) -> Completion {
    throw Error(ErrorCode::resource_exhausted, "larger than the context window");
  });
  world.model.then(text_answer("Done."));
  const RunOutcome outcome = world.run("Remember the word kiwi");
  CHECK(outcome.state == JobState::succeeded);
  const Json& before = world.model.requests[4];
  const Json& after = world.model.requests[5];
  CHECK(after.dump().size() < before.dump().size() * 2 / 3);
  CHECK(roles(after).starts_with("system user assistant tool"));
  CHECK_THAT(content_text(after[1]),
             ContainsSubstring("is left out; recall reads and searches it. The user said in "
                               "it:]\n\nRemember the word kiwi"));
}

TEST_CASE("a server that drops the beginning of the prompt silently is found out") {
  World world;
  Completion small = text_answer("Hello.");
  small.prompt_tokens = 400;
  world.model.then(small);
  world.run(std::string(8'000, 'x'));
  const auto events = world.events();
  const auto notice = std::find_if(events.begin(), events.end(),
                                   [](const Event& event) { return event.kind == "notice"; });
  REQUIRE(notice != events.end());
  const std::string text = notice->data["text"];
  CHECK_THAT(text, ContainsSubstring("read only 400 tokens"));
  CHECK_THAT(text, ContainsSubstring("OLLAMA_CONTEXT_LENGTH"));
}

TEST_CASE("a crash between intent and result: look again before repeating") {
  World world;
  world.store->append(world.conversation.id, "j-dead", "user_message", {{"text", "Buy it"}});
  world.store->append(world.conversation.id, "j-dead", "run_started", {{"model", "m"}});
  world.store->append(
      world.conversation.id, "j-dead", "assistant_message",
      {{"text", ""},
       {"tool_calls",
        Json::array({{{"id", "a"}, {"name", "click"}, {"arguments", "{\"x\":1,\"y\":2}"}},
                     {{"id", "b"}, {"name", "say"}, {"arguments", "{}"}}})}});
  world.store->append(world.conversation.id, "j-dead", "action_intent",
                      {{"call_id", "a"}, {"tool", "click"}, {"arguments", Json::object()}});
  world.store->append(world.conversation.id, "j-dead", "run_finished",
                      {{"state", "interrupted"}, {"reason", ""}, {"reply", ""}});
  world.model.then(text_answer("Done."));
  world.run("Go on");
  const Json& messages = world.model.requests[0];
  CHECK(roles(messages) == "system user assistant tool tool user");
  CHECK(messages[3]["content"] ==
        "[outcome unknown: the daemon was stopped; look again before repeating]");
  CHECK(messages[4]["content"] == "[not run: the run ended before]");
  CHECK_THAT(content_text(messages[5]),
             ContainsSubstring("[The daemon was stopped here and started again.]\n\nGo on"));
}

TEST_CASE("a store that cannot write ends the run, it does not throw") {
  World world;
  world.model.then([&](const CompletionRequest& request, const std::stop_token&) -> Completion {
    request.on_text("x");
    throw std::runtime_error("something else");
  });
  const RunOutcome outcome = world.run("Go");
  CHECK(outcome.state == JobState::failed);
  CHECK(outcome.reason == "something else");
}

TEST_CASE("without a model a prompt says which variables to set") {
  World world;
  world.settings = {};
  const RunOutcome outcome = world.run("Hello");
  CHECK(outcome.state == JobState::failed);
  CHECK_THAT(outcome.reason, ContainsSubstring("set LLM_API_BASE_URL and LLM_MODEL"));
  CHECK(world.outline() == Lines{"user_message", "run_finished failed"});
}

TEST_CASE("chat commands run a tool, with or without a model") {
  World world;
  world.settings = {};
  SECTION("a tool") {
    const RunOutcome outcome = world.run("/click 100 200");
    CHECK(outcome.state == JobState::succeeded);
    CHECK(outcome.reply == "clicked left at (100,200)");
    CHECK(outcome.steps == 0);
    CHECK(world.outline() == Lines{"user_message", "run_started", "action_intent click",
                                   "action_result ok", "run_finished succeeded"});
    CHECK(world.events()[1].data["model"] == "");
  }
  SECTION("help") {
    const RunOutcome outcome = world.run("/help");
    CHECK_THAT(outcome.reply, ContainsSubstring("/click 100 200"));
    CHECK_THAT(outcome.reply, ContainsSubstring("/screenshot"));
    CHECK(world.outline() == Lines{"user_message", "run_started", "run_finished succeeded"});
  }
  SECTION("a wrong one") {
    const RunOutcome outcome = world.run("/clik 1 2");
    CHECK(outcome.state == JobState::failed);
    CHECK_THAT(outcome.reason, ContainsSubstring("/help lists the commands"));
  }
  SECTION("one that fails") {
    const RunOutcome outcome = world.run("/fail");
    CHECK(outcome.state == JobState::failed);
    CHECK_THAT(outcome.reason, ContainsSubstring("there is no window 7"));
  }
  SECTION("a refused parameter") {
    CHECK_THAT(world.run("/click 5000 1").reason, ContainsSubstring("x=5000 is outside 0 to 1343"));
  }
  SECTION("a path is no command") {
    CHECK_THAT(world.run("/etc/hosts is empty").reason,
               ContainsSubstring("no model is configured"));
  }
  SECTION("stop") {
    std::stop_source source;
    std::jthread stopper([&] {
      world.hanging.wait();
      source.request_stop();
    });
    CHECK(world.run("/hang", source.get_token()).state == JobState::cancelled);
  }
}

TEST_CASE("the model knows what the user did by commands") {
  World world;
  world.run("/say hello");
  world.run("/help");
  world.model.then(text_answer("Yes."));
  world.run("Did you see that?");
  CHECK_THAT(
      content_text(world.model.requests[0][1]),
      ContainsSubstring(
          "[The user ran a command directly: /say hello]\n\n[say: hello]\n\nDid you see that?"));
  CHECK(content_text(world.model.requests[0][1]).find("/help") == std::string::npos);
}
