#include "base/utf8.h"
#include "call.h"
#include "process/output.h"

namespace selfagent {

TEST_CASE("shell returns exit code and both streams, and a failing command is no error") {
  Workshop workshop;
  const auto text = workshop.text("shell", {{"command", "echo out; echo err >&2; exit 3"}});
  CHECK_THAT(text, Catch::Matchers::StartsWith("exit code 3 after "));
  CHECK_THAT(text, Catch::Matchers::EndsWith(" ms\nstdout:\nout\nstderr:\nerr"));
  CHECK_THAT(workshop.text("shell", {{"command", "true"}}),
             ContainsSubstring("stdout: (empty)\nstderr: (empty)"));
  CHECK_THAT(workshop.text("shell", {{"command", "kill -9 $$"}}),
             ContainsSubstring("killed by signal 9"));
}

TEST_CASE("shell starts in the workspace, or in cwd, with env") {
  Workshop workshop;
  workshop.scratch.write("sub/x", "");
  const auto where = [&](const Json& arguments) { return workshop.text("shell", arguments); };
  CHECK_THAT(where({{"command", "pwd"}}),
             ContainsSubstring("stdout:\n" + workshop.scratch.path().string() + "\n"));
  CHECK_THAT(where({{"command", "pwd"}, {"cwd", "sub"}}),
             ContainsSubstring(workshop.scratch / "sub"));
  CHECK_THAT(where({{"command", "echo $A-$DISPLAY"}, {"env", {{"A", "b c"}}}}),
             ContainsSubstring("b c-:77"));
  CHECK_THAT(where({{"command", "pwd"}, {"cwd", "nowhere"}}),
             ContainsSubstring("ERROR shell failed: cannot start in the folder"));
}

TEST_CASE("shell kills at its timeout, keeps the output and says how to go on") {
  Workshop workshop;
  const auto text =
      workshop.text("shell", {{"command", "echo begun; sleep 1000"}, {"timeout_ms", 200}});
  CHECK_THAT(text, Catch::Matchers::StartsWith("ERROR timed out after "));
  CHECK_THAT(text, ContainsSubstring("timeout_ms"));
  CHECK_THAT(text, ContainsSubstring("stdout:\nbegun\n"));
}

TEST_CASE("shell honours the deadline and the stop token of the call") {
  Workshop workshop;
  workshop.deadline = Deadline::after(milliseconds(100));
  CHECK_THAT(workshop.text("shell", {{"command", "sleep 1000"}}),
             ContainsSubstring("ERROR timed out"));
  workshop.deadline = Deadline::never();
  workshop.stop.request_stop();
  CHECK_THAT(workshop.text("shell", {{"command", "sleep 1000"}}),
             ContainsSubstring("ERROR cancelled"));
}

TEST_CASE("shell's output that is no UTF-8 does not break the reply") {
  Workshop workshop;
  const auto text =
      workshop.text("shell", {{"command", R"(printf 'a\0\xff\xfe'; printf '\xe7' >&2)"}});
  CHECK(is_utf8(text));
  CHECK_THAT(text, ContainsSubstring("a\xE2\x90\x80\xEF\xBF\xBD\xEF\xBF\xBD"));
}

TEST_CASE("shell leaves the middle of long output out and says how much") {
  Workshop workshop;
  const auto text = workshop.text("shell", {{"command", "seq 1 1000000"}});
  CHECK(count_characters(text) < 30'200);
  CHECK_THAT(text, ContainsSubstring("stdout:\n1\n2\n3\n"));
  CHECK_THAT(text, ContainsSubstring("bytes are left out here"));
  CHECK_THAT(text, ContainsSubstring("\n1000000\nstderr: (empty)"));
  const auto both = workshop.text(
      "shell", {{"command", "seq 1 100000; seq 1 100000 >&2; echo last; echo end >&2"}});
  CHECK(count_characters(both) < 30'300);
  CHECK_THAT(both, ContainsSubstring("last\nstderr:\n1\n"));
  CHECK_THAT(both, Catch::Matchers::EndsWith("\nend"));
  // A short second stream leaves its room to the first.
  const auto one = workshop.text("shell", {{"command", "printf '%020000d' 7; echo e >&2"}});
  CHECK_THAT(one, !ContainsSubstring("left out"));
}

TEST_CASE("shell tells of a child left in the background") {
  Workshop workshop;
  const auto text = workshop.text(
      "shell",
      {{"command", "(for i in {1..3000}; do [ -e go ] && break; sleep 0.01; done) & echo hi"}});
  CHECK_THAT(text, ContainsSubstring("exit code 0"));
  CHECK_THAT(text, ContainsSubstring("a background process still runs"));
  workshop.scratch.write("go", "");
}

TEST_CASE("shell reports progress after a second") {
  Workshop workshop;
  std::string said;
  workshop.progress = [&](double part, const std::string& message) {
    said = message;
    CHECK(part > 0);
    CHECK(part < 1);
    workshop.scratch.write("ticked", "");
  };
  workshop.text("shell", {{"command", "echo hello; while [ ! -e ticked ]; do sleep 0.01; done"}});
  CHECK(said == "1 s, 6 bytes of output");
}

TEST_CASE("shell's parameters are checked by name") {
  Workshop workshop;
  CHECK_THROWS_AS(workshop.call("shell", {{"command", ""}}), ParameterError);
  CHECK_THROWS_AS(workshop.call("shell", {{"command", "x"}, {"timeout_ms", 600'001}}),
                  ParameterError);
  CHECK_THROWS_AS(workshop.call("shell", {{"command", "x"}, {"env", {{"A", 1}}}}), ParameterError);
  CHECK_THROWS_AS(workshop.call("shell", {{"command", "x"}, {"session", "a"}}), ParameterError);
}

}  // namespace selfagent
