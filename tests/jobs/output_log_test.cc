// Output as files and as events.
#include "jobs/output_log.h"

#include "jobs/world.h"

namespace selfagent {
namespace {

struct Output {
  TemporaryFolder folder;
  Store store{folder.path / "data"};

  std::string log(const char* name) const { return content(folder.path / "log" / name); }

  std::vector<Event> events(const std::string& kind) const {
    std::vector<Event> found;
    for (const auto& event : store.events("", "j-1", 0, 100'000)) {
      if (event.kind == kind) found.push_back(event);
    }
    return found;
  }
};

TEST_CASE("characters are never cut, whatever the pieces") {
  Output output;
  EventWatch watch(output.store);
  OutputLog log(output.store, "j-1", output.folder.path / "log");
  log.write("a\xE7\xBE", false);
  watch.wait_for_output("j-1", "a");
  log.write("\x8E", false);
  watch.wait_for_output("j-1", "美");
  log.write("err", true);
  log.write("\xF0\x9F", false);
  log.close();
  log.write("after the end", false);
  CHECK(output.log("stdout") == "a美\xF0\x9F");
  CHECK(output.log("stderr") == "err");
  const auto events = output.events("stdout");
  REQUIRE(events.size() == 3);
  CHECK(events[0].data["offset"] == 0);
  CHECK(events[1].data["text"] == "美");
  CHECK(events[1].data["offset"] == 1);
  CHECK(events[2].data["text"] == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(events[2].data["offset"] == 4);
  CHECK(output.events("stderr").size() == 1);
  CHECK(log.problem().empty());
}

TEST_CASE("many pieces become few events with all the text") {
  Output output;
  const auto start = Clock::now();
  std::string all;
  {
    OutputLog log(output.store, "j-1", output.folder.path / "log");
    for (int i = 0; i < 5000; ++i) {
      const std::string line = "line " + std::to_string(i) + "\n";
      all += line;
      log.write(line, false);
    }
  }
  const auto elapsed = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
  const auto events = output.events("stdout");
  CHECK(static_cast<int64_t>(events.size()) <= elapsed.count() / 50 + 2);
  std::string text;
  for (const auto& event : events) {
    CHECK(event.data["offset"] == text.size());
    text += event.data["text"].get<std::string>();
  }
  CHECK(text == all);
  CHECK(output.log("stdout") == all);
}

TEST_CASE("a program that writes without end does not fill the disk") {
  Output output;
  OutputLog::Limits limits;
  limits.log_bytes = 3'000'000;
  limits.interval = std::chrono::hours(1);
  EventWatch watch(output.store);
  OutputLog log(output.store, "j-1", output.folder.path / "log", limits);
  // The first event comes whenever its thread gets to run, the next one at the end.
  log.write("begin", false);
  watch.wait_for_output("j-1", "begin");
  for (int i = 0; i < 1000; ++i) log.write(std::string(10'000, 'x'), false);
  log.close();
  const std::string text = output.log("stdout");
  REQUIRE(text.size() > 3'000'000);
  CHECK(text.size() < 3'000'200);
  CHECK_THAT(text.substr(3'000'000), ContainsSubstring("the rest was dropped"));
  CHECK_THAT(log.problem(), ContainsSubstring("longer than the log's limit of 3000000 bytes"));
  // Whoever watches sees the newest part of what came between two events, and from the offset that
  // it is one.
  const Json last = output.events("stdout").back().data;
  CHECK(last["text"].get<std::string>().size() == 65'536);
  CHECK(last["offset"] == 3'000'000 - 65'536);
}

TEST_CASE("a program that writes without end does not fill the store") {
  Output output;
  EventWatch watch(output.store);
  OutputLog::Limits limits;
  limits.event_bytes = 100'000;
  limits.interval = milliseconds(1);
  OutputLog log(output.store, "j-1", output.folder.path / "log", limits);
  for (int i = 0; i < 100; ++i) {
    const std::string mark = "mark " + std::to_string(i) + ".";
    log.write(mark + std::string(10'000, 'x'), false);
    if (i < 10) watch.wait_for_output("j-1", mark);
  }
  log.close();
  CHECK(output.log("stdout").size() > 1'000'000);
  size_t sent = 0;
  for (const auto& event : output.events("stdout")) {
    sent += event.data["text"].get<std::string>().size();
  }
  CHECK(sent > 100'000);
  CHECK(sent < 180'000);
  const auto last = output.events("stdout").back().data["text"].get<std::string>();
  CHECK_THAT(last.substr(last.size() - 100), ContainsSubstring("GET /download/j-1 has the log"));
}

TEST_CASE("watchers hear that a log grows, also when its text is no longer sent") {
  Output output;
  EventWatch watch(output.store);
  OutputLog::Limits limits;
  limits.event_bytes = 1000;
  limits.interval = limits.grown_interval = milliseconds(1);
  OutputLog log(output.store, "j-1", output.folder.path / "log", limits);
  log.write(std::string(2000, 'x'), false);
  watch.wait_for_output("j-1", "more output is not shown live");
  for (const uint64_t end : {2010u, 2020u}) {
    log.write(std::string(10, 'y'), false);
    const Event grown = watch.wait(
        [&](const Event& event) { return event.kind == "log_grew" && event.data["end"] == end; });
    CHECK(grown.job_id == "j-1");
    CHECK(grown.data["stream"] == "stdout");
  }
  log.write("short", true);  // the other stream has room
  watch.wait([](const Event& event) { return event.kind == "stderr"; });
  CHECK(output.events("log_grew").empty());
}

TEST_CASE("the tail of a log begins with a whole character") {
  TemporaryFolder folder;
  std::ofstream(folder.path / "log") << "abc美def";
  CHECK(log_tail(folder.path / "log", 100) == "abc美def");
  CHECK(log_tail(folder.path / "log", 6) == "美def");
  CHECK(log_tail(folder.path / "log", 5) == "def");
  CHECK(log_tail(folder.path / "none", 5) == "");
}

}  // namespace
}  // namespace selfagent
