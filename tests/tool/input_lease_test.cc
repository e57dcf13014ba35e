// Who may use the mouse and the keyboard.
#include "tool/input_lease.h"

#include <atomic>
#include <thread>

#include "base/error.h"
#include "catch.h"
#include "desktop/fake_desktop.h"
#include "process/sandbox.h"
#include "tool/act.h"
#include "tool/principal.h"

namespace selfagent {
namespace {

constexpr milliseconds for_ever{3'600'000};

struct TwoClients {
  FakeDesktop desktop;
  Sandbox sandbox{Sandbox::Settings{"", "/tmp", ":fake"}};
  InputLease lease{for_ever};
  Principal ann{"ann", Profile::full, {}};
  Principal bob{"bob", Profile::full, {}};
  std::stop_source stop;

  ToolContext context(const Principal* who) {
    ToolContext some{.desktop = desktop, .sandbox = sandbox, .stop = stop.get_token()};
    some.lease = &lease;
    some.principal = who;
    return some;
  }
};

TEST_CASE_METHOD(TwoClients, "the input is free, and an action has it while it runs") {
  CHECK(lease.state() == Json{{"holder", nullptr}});
  CHECK(lease.describe() == "free");
  ToolContext call = context(&ann);
  with_input(call, [&] {
    CHECK(lease.state()["holder"] == "client");
    CHECK(lease.state()["name"] == "ann");
  });
  CHECK(lease.state() == Json{{"holder", nullptr}});
  ToolContext planner = context(nullptr);
  with_input(planner, [&] { CHECK(lease.state()["holder"] == "agent"); });
}

TEST_CASE_METHOD(TwoClients, "while a person has the input an action is refused and does nothing") {
  lease.person_acts("viewer 1");
  CHECK(lease.state()["holder"] == "person");
  CHECK(lease.state()["name"] == "viewer 1");
  CHECK(lease.state()["returns_in_ms"] > 3'500'000);
  ToolContext call = context(&ann);
  const ActionOptions options;
  CHECK_THROWS_WITH(act(call, options, "moved", [&] { desktop.move({1, 2}); }),
                    ContainsSubstring("nothing was done: a person has been using") &&
                        ContainsSubstring("viewer 1") && ContainsSubstring("/lease/release"));
  CHECK(std::find(desktop.done.begin(), desktop.done.end(), "move 1,2") == desktop.done.end());

  CHECK(lease.release());
  CHECK_FALSE(lease.release());
  act(call, options, "moved", [&] { desktop.move({1, 2}); });
  CHECK(std::find(desktop.done.begin(), desktop.done.end(), "move 1,2") != desktop.done.end());
}

TEST_CASE_METHOD(TwoClients, "a person who does nothing for a while no longer has the input") {
  InputLease brief(milliseconds(0));
  brief.person_acts("viewer 1");
  CHECK_NOTHROW(brief.require_free(context(&ann)));
  CHECK(brief.state() == Json{{"holder", nullptr}});
}

TEST_CASE_METHOD(TwoClients, "a person stops the action that is under way, once per taking") {
  int taken = 0;
  lease.on_taken([&] { ++taken; });
  ToolContext call = context(&ann);
  CHECK_THROWS_WITH(
      with_input(call,
                 [&] {
                   lease.person_acts("viewer 1");
                   lease.person_acts("viewer 1");
                   CHECK(call.stop.stop_requested());
                   throw Error(ErrorCode::cancelled, "cancelled");
                 }),
      ContainsSubstring("stopped in the middle") && ContainsSubstring("a person has been using"));
  CHECK(taken == 1);
  CHECK_FALSE(call.stop.stop_requested());  // the call itself goes on
}

TEST_CASE_METHOD(TwoClients, "a call that its client cancels says so, and not that a person did") {
  ToolContext call = context(&ann);
  CHECK_THROWS_WITH(with_input(call,
                               [&] {
                                 stop.request_stop();
                                 CHECK(call.stop.stop_requested());
                                 throw Error(ErrorCode::cancelled, "cancelled by its client");
                               }),
                    "cancelled by its client");
  CHECK_THROWS_WITH(with_input(call, [] { FAIL("it ran"); }), ContainsSubstring("cancelled"));
}

TEST_CASE_METHOD(TwoClients, "actions of two clients never overlap") {
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  const auto work = [&](const Principal* who) {
    for (int i = 0; i < 500; ++i) {
      ToolContext call = context(who);
      with_input(call, [&] {
        most = std::max<int>(most, ++inside);
        std::this_thread::yield();
        --inside;
      });
    }
  };
  {
    const std::jthread one(work, &ann);
    const std::jthread two(work, &bob);
  }
  CHECK(most == 1);
}

TEST_CASE_METHOD(TwoClients,
                 "who waits for another client's action is refused when a person comes") {
  std::atomic<bool> begun = false;
  std::string refusal;
  std::jthread waiting;
  ToolContext call = context(&ann);
  CHECK_THROWS(with_input(call, [&] {
    waiting = std::jthread([&] {
      ToolContext other = context(&bob);
      begun = true;
      try {
        with_input(other, [] {});
      } catch (const Error& error) {
        refusal = error.what();
      }
    });
    while (!begun) std::this_thread::yield();
    lease.person_acts("viewer 1");
    waiting.join();
    throw Error(ErrorCode::cancelled, "cancelled");
  }));
  CHECK_THAT(refusal, ContainsSubstring("nothing was done: a person"));
}

constexpr auto no_limit = std::nullopt;

TEST_CASE_METHOD(TwoClients,
                 "a client holds the input over several actions, all others are refused") {
  lease.take(ann, "nightly run", no_limit);
  const Json state = lease.state();
  CHECK(state["holder"] == "client");
  CHECK(state["name"] == "nightly run");
  CHECK(state["token"] == "ann");
  CHECK(state["returns_in_ms"] > 30'000);
  int acted = 0;
  ToolContext own = context(&ann);
  for (int i = 0; i < 3; ++i) with_input(own, [&] { ++acted; });
  CHECK(acted == 3);
  const Principal* const others[] = {&bob, nullptr};
  for (const Principal* other : others) {
    ToolContext call = context(other);
    CHECK_THROWS_WITH(with_input(call, [&] { ++acted; }),
                      ContainsSubstring("nothing was done: the client \"nightly run\", token "
                                        "\"ann\", has held the mouse and keyboard for") &&
                          ContainsSubstring("screenshot"));
    CHECK_THROWS(lease.require_free(call));
  }
  CHECK(acted == 3);
  CHECK_THAT(lease.describe(), ContainsSubstring("nightly run"));
  CHECK_NOTHROW(lease.require_free(own));

  CHECK(lease.give_back(ann));
  CHECK_FALSE(lease.give_back(ann));
  ToolContext other = context(&bob);
  with_input(other, [&] { ++acted; });
  CHECK(acted == 4);
}

TEST_CASE_METHOD(TwoClients, "nobody takes or gives back what another token holds") {
  lease.take(ann, "", no_limit);
  CHECK(lease.state()["name"] == "ann");
  CHECK_THROWS_WITH(lease.take(bob, "", no_limit), ContainsSubstring("token \"ann\""));
  CHECK_THROWS_WITH(lease.give_back(bob), ContainsSubstring("only that token"));
  CHECK_FALSE(lease.release());  // nor who writes to the agent
  CHECK(lease.state()["token"] == "ann");
  lease.take(ann, "again", no_limit);
  CHECK(lease.state()["name"] == "again");
}

TEST_CASE_METHOD(TwoClients,
                 "a hold ends when its time is over, and when nothing is done with it") {
  lease.take(ann, "", milliseconds(0));
  CHECK(lease.state() == Json{{"holder", nullptr}});
  CHECK_NOTHROW(lease.require_free(context(&bob)));
  InputLease brief(for_ever, milliseconds(0));
  brief.take(ann, "", no_limit);
  CHECK(brief.state() == Json{{"holder", nullptr}});
  ToolContext own = context(&ann);
  own.lease = &brief;
  with_input(own, [&] { CHECK(brief.state()["token"] == "ann"); });  // in use, so it is not idle
  CHECK(brief.state() == Json{{"holder", nullptr}});
}

TEST_CASE_METHOD(TwoClients, "a person ends a client's hold, and the client is told once") {
  lease.take(ann, "", no_limit);
  lease.person_acts("viewer 1");
  CHECK(lease.state()["holder"] == "person");
  CHECK_THROWS_WITH(lease.take(ann, "", no_limit), ContainsSubstring("a person has been using"));
  ToolContext own = context(&ann);
  SECTION("while the person has the input") {
    CHECK_THROWS_WITH(
        with_input(own, [] { FAIL("it ran"); }),
        ContainsSubstring("a person has been using") && ContainsSubstring("ended your hold"));
    CHECK(lease.release());
  }
  SECTION("after the person gave it back") {
    CHECK(lease.release());
    CHECK_NOTHROW(lease.require_free(context(&bob)));
    CHECK_THROWS_WITH(with_input(own, [] { FAIL("it ran"); }),
                      ContainsSubstring("a person took") && ContainsSubstring("ended your hold") &&
                          ContainsSubstring("given back"));
  }
  CHECK(lease.state() == Json{{"holder", nullptr}});
  bool ran = false;
  with_input(own, [&] { ran = true; });
  CHECK(ran);
}

TEST_CASE_METHOD(TwoClients, "a small token does not hand back what a person has") {
  const Principal hand{"hand", Profile::desktop, {}};
  CHECK_FALSE(lease.give_back(hand));
  lease.person_acts("viewer 1");
  CHECK_THROWS_WITH(lease.give_back(hand), ContainsSubstring("profile full"));
  CHECK(lease.give_back(ann));
}

TEST_CASE_METHOD(TwoClients,
                 "what others keep down is let go when a client begins to hold the input") {
  int let_go = 0;
  lease.on_taken([&] { ++let_go; });
  lease.take(ann, "", no_limit);
  lease.take(ann, "", no_limit);
  CHECK(let_go == 1);
  lease.give_back(ann);
  ToolContext other = context(&bob);
  with_input(other, [&] {
    lease.take(ann, "", no_limit);
    CHECK(let_go == 1);  // bob's action goes on to its end
    CHECK_FALSE(other.stop.stop_requested());
  });
  CHECK(let_go == 2);
  CHECK_THROWS_WITH(with_input(other, [] { FAIL("it ran"); }), ContainsSubstring("\"ann\""));
}

TEST_CASE_METHOD(TwoClients, "who waits for a turn is refused when another token takes the input") {
  std::atomic<bool> begun = false;
  std::string refusal;
  std::jthread waiting;
  ToolContext call = context(&ann);
  with_input(call, [&] {
    waiting = std::jthread([&] {
      ToolContext other = context(&bob);
      begun = true;
      try {
        with_input(other, [] {});
      } catch (const Error& error) {
        refusal = error.what();
      }
    });
    while (!begun) std::this_thread::yield();
    lease.take(ann, "", no_limit);
    waiting.join();
  });
  CHECK_THAT(refusal, ContainsSubstring("nothing was done: the client token \"ann\""));
}

}  // namespace
}  // namespace selfagent
