#include "llm/sse.h"

#include <string>
#include <vector>

#include "catch.h"

using selfagent::SseSplitter;

namespace {

std::vector<std::string> split(const std::string& stream, size_t cut) {
  std::vector<std::string> events;
  SseSplitter splitter([&](std::string_view data) { events.emplace_back(data); });
  splitter.feed(std::string_view(stream).substr(0, cut));
  splitter.feed(std::string_view(stream).substr(cut));
  splitter.finish();
  return events;
}

struct StreamCase {
  const char* name;
  std::string stream;
  std::vector<std::string> events;
};

const StreamCase stream_cases[] = {
    {"LF", "data: a\n\ndata: b\n\n", {"a", "b"}},
    {"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", {"a", "b"}},
    {"CR", "data: a\r\rdata: b\r\r", {"a", "b"}},
    {"several data lines", "data: a\ndata:  b\ndata\n\n", {"a\n b\n"}},
    {"no space after the colon", "data:a\n\n", {"a"}},
    {"comments and other fields", ": ping\nevent: x\nid: 1\nretry: 5\ndata: a\n: ping\n\n", {"a"}},
    {"comment alone gives nothing", ": OPENROUTER PROCESSING\n\n", {}},
    {"no blank line at the end", "data: a\n\ndata: b", {"a", "b"}},
    {"byte order mark",
     "\xEF\xBB\xBF"
     "data: a\n\n",
     {"a"}},
    {"UTF-8", "data: ñ 美 😀\n\n", {"ñ 美 😀"}},
    {"empty data", "data:\n\n", {""}},
    {"a name that begins with data", "database: a\n\ndata: b\n\n", {"b"}},
};

}  // namespace

TEST_CASE("events come out the same wherever the bytes are cut") {
  for (const auto& each : stream_cases) {
    INFO(each.name);
    for (size_t cut = 0; cut <= each.stream.size(); ++cut) {
      INFO("cut at " << cut);
      CHECK(split(each.stream, cut) == each.events);
    }
  }
}

TEST_CASE("an event without an end is refused, not collected for ever") {
  SseSplitter splitter([](std::string_view) {});
  const std::string piece(1 << 20, 'x');
  splitter.feed("data: ");
  CHECK_THROWS_WITH(
      [&] {
        for (int i = 0; i < 80; ++i) splitter.feed(piece);
      }(),
      ContainsSubstring("64 MiB"));
}
