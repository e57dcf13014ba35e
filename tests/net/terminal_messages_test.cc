#include "net/terminal_messages.h"

#include "catch.h"

using namespace selfagent;
using namespace std::string_literals;

namespace {

std::string terminal_refusal(const std::string& text) {
  try {
    terminal_order(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

uint64_t begin_of(const std::string& query, uint64_t output_end) {
  HttpRequest request;
  request.query = query;
  return first_offset(request, output_end);
}

}  // namespace

TEST_CASE("orders of a terminal are read, and what is none is named") {
  const TerminalOrder resize = terminal_order(R"({"type":"resize","rows":5,"columns":132})");
  CHECK(resize.kind == TerminalOrder::Kind::resize);
  CHECK(resize.size.rows == 5);
  CHECK(resize.size.columns == 132);
  const TerminalOrder taken = terminal_order(R"({"type":"taken","offset":9000000000})");
  CHECK(taken.kind == TerminalOrder::Kind::taken);
  CHECK(taken.offset == 9'000'000'000);

  CHECK_THAT(terminal_refusal(R"({"type":"resize","rows":0,"columns":80})"),
             ContainsSubstring("rows=0: it is a whole number from 1 to 1000"));
  CHECK_THAT(terminal_refusal(R"({"type":"resize","rows":24})"),
             ContainsSubstring("columns=(missing)"));
  CHECK_THAT(terminal_refusal(R"({"type":"resize","rows":24,"columns":"80"})"),
             ContainsSubstring("columns=\"80\""));
  for (const char* text : {"ls\n", "[]", "{}", R"({"type":7})", R"({"type":"type"})",
                           R"({"type":"taken"})", R"({"type":"taken","offset":-1})"}) {
    INFO(text);
    CHECK(!terminal_refusal(text).empty());
  }
}

TEST_CASE("a reader of a terminal begins where it says") {
  CHECK(begin_of("", 100) == 0);
  CHECK(begin_of("offset=40", 100) == 40);
  CHECK(begin_of("offset=100", 100) == 100);
  CHECK(begin_of("tail=30", 100) == 70);
  CHECK(begin_of("tail=300", 100) == 0);
  for (const char* query : {"offset=101", "offset=-1", "offset=", "offset=1e3", "offset=0x10",
                            "offset=99999999999999999999", "tail=x", "offset=1&tail=1"}) {
    INFO(query);
    CHECK_THROWS_AS(begin_of(query, 100), Error);
  }
}

TEST_CASE("a piece of output carries its offset and its stream") {
  CHECK(output_message({0x0102030405, false, 0, "ab"}) == "\0\0\0\x01\x02\x03\x04\x05"s + "ab");
  CHECK(output_message({1, true, 0, "e"}) == "\x80\0\0\0\0\0\0\x01"s + "e");
}
