#include "net/web_socket_frames.h"

#include "catch.h"

namespace selfagent {
namespace {

using namespace std::string_literals;

// "text:hello", "ping:x", "close:1000:bye", "failure:1002"
std::string describe(const WebSocketInput& input) {
  switch (input.kind) {
    case WebSocketInput::Kind::text:
      return "text:" + input.payload;
    case WebSocketInput::Kind::binary:
      return "binary:" + input.payload;
    case WebSocketInput::Kind::ping:
      return "ping:" + input.payload;
    case WebSocketInput::Kind::pong:
      return "pong:" + input.payload;
    case WebSocketInput::Kind::close:
      return "close:" + std::to_string(input.code) + ":" + input.payload;
    case WebSocketInput::Kind::failure:
      return "failure:" + std::to_string(input.code);
  }
  return "";
}

std::string receive(WebSocketReader& reader, const std::string& bytes, size_t piece) {
  std::string all;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    for (const auto& input : reader.receive(std::string_view(bytes).substr(at, piece))) {
      all += (all.empty() ? "" : " ") + describe(input);
    }
  }
  return all;
}

struct FrameCase {
  std::string name;
  std::string bytes;
  std::string found;
};

// The mask is 0 where the payload is to be read here.
const std::string none = "\0\0\0\0"s;

std::vector<FrameCase> frame_cases() {
  return {
      {"a masked text (the example of RFC 6455, section 5.7)",
       "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s, "text:Hello"},
      {"an empty text", "\x81\x80"s + none, "text:"},
      {"a binary message", "\x82\x83"s + none + "\x00\xff\x01"s, "binary:\x00\xff\x01"s},
      {"126 bytes", "\x82\xfe\x00\x7e"s + none + std::string(126, 'a'),
       "binary:" + std::string(126, 'a')},
      {"65536 bytes", "\x82\xff\0\0\0\0\0\x01\0\0"s + none + std::string(65536, 'b'),
       "binary:" + std::string(65536, 'b')},
      {"two fragments", "\x01\x83"s + none + "Hel\x80\x82"s + none + "lo", "text:Hello"},
      {"a character cut between fragments", "\x01\x81"s + none + "\xc3\x80\x81"s + none + "\xa4",
       "text:\xc3\xa4"},
      {"empty fragments", "\x01\x80"s + none + "\x00\x80"s + none + "\x80\x81"s + none + "x",
       "text:x"},
      {"a ping between fragments",
       "\x01\x81"s + none + "a\x89\x81"s + none + "p\x80\x81"s + none + "b", "ping:p text:ab"},
      {"a masked ping", "\x89\x82\x01\x02\x03\x04\x61\x60"s, "ping:`b"},
      {"a ping with 125 bytes", "\x89\xfd"s + none + std::string(125, 'p'),
       "ping:" + std::string(125, 'p')},
      {"an empty pong", "\x8a\x80"s + none, "pong:"},
      {"close without a code", "\x88\x80"s + none, "close:1005:"},
      {"close with code and reason", "\x88\x85"s + none + "\x03\xe8" + "bye", "close:1000:bye"},
      {"nothing is read after a close", "\x88\x80"s + none + "\x81\x81"s + none + "x",
       "close:1005:"},
      {"close codes of applications", "\x88\x82"s + none + "\x0b\xb8", "close:3000:"},
      {"close 4999", "\x88\x82"s + none + "\x13\x87", "close:4999:"},

      {"an unmasked frame", "\x81\x05Hello"s, "failure:1002"},
      {"reserved bit 1 (compression was not offered)", "\xc1\x80"s + none, "failure:1002"},
      {"reserved bit 2", "\xa1\x80"s + none, "failure:1002"},
      {"reserved bit 3", "\x91\x80"s + none, "failure:1002"},
      {"opcode 3", "\x83\x80"s + none, "failure:1002"},
      {"opcode 7", "\x87\x80"s + none, "failure:1002"},
      {"opcode 11", "\x8b\x80"s + none, "failure:1002"},
      {"opcode 15", "\x8f\x80"s + none, "failure:1002"},
      {"a ping of 126 bytes", "\x89\xfe\x00\x7e"s + none, "failure:1002"},
      {"a fragmented ping", "\x09\x80"s + none, "failure:1002"},
      {"a fragmented close", "\x08\x80"s + none, "failure:1002"},
      {"a continuation without a start", "\x80\x80"s + none, "failure:1002"},
      {"a continuation after the end", "\x81\x80"s + none + "\x80\x80"s + none,
       "text: failure:1002"},
      {"a text within a fragmented text", "\x01\x80"s + none + "\x81\x80"s + none, "failure:1002"},
      {"a length of 5 in two bytes", "\x81\xfe\x00\x05"s + none, "failure:1002"},
      {"a length of 65535 in eight bytes", "\x81\xff\0\0\0\0\0\0\xff\xff"s + none, "failure:1002"},
      {"a length of 2^63", "\x82\xff\x80\0\0\0\0\0\0\0"s + none, "failure:1002"},
      {"a text that is not UTF-8", "\x81\x82"s + none + "\xc3\x28", "failure:1007"},
      {"an overlong form", "\x81\x82"s + none + "\xc0\xaf", "failure:1007"},
      {"a surrogate", "\x81\x83"s + none + "\xed\xa0\x80", "failure:1007"},
      {"a text that ends in the middle of a character", "\x81\x81"s + none + "\xc3",
       "failure:1007"},
      {"a close with one byte", "\x88\x81"s + none + "\x03", "failure:1002"},
      {"close 999", "\x88\x82"s + none + "\x03\xe7", "failure:1002"},
      {"close 1004", "\x88\x82"s + none + "\x03\xec", "failure:1002"},
      {"close 1005", "\x88\x82"s + none + "\x03\xed", "failure:1002"},
      {"close 1006", "\x88\x82"s + none + "\x03\xee", "failure:1002"},
      {"close 1015", "\x88\x82"s + none + "\x03\xf7", "failure:1002"},
      {"close 2999", "\x88\x82"s + none + "\x0b\xb7", "failure:1002"},
      {"close 5000", "\x88\x82"s + none + "\x13\x88", "failure:1002"},
      {"a close reason that is not UTF-8", "\x88\x83"s + none + "\x03\xe8\xff", "failure:1007"},
      {"a message before a failure", "\x81\x81"s + none + "a\x83\x80"s + none,
       "text:a failure:1002"},
  };
}

}  // namespace

TEST_CASE("frames become messages and refusals by the book, however they are cut") {
  for (const auto& [name, bytes, found] : frame_cases()) {
    for (const size_t piece : {size_t{1}, size_t{7}, bytes.size()}) {
      INFO(name << ", in pieces of " << piece);
      WebSocketReader reader(100'000);
      CHECK(receive(reader, bytes, piece) == found);
    }
  }
}

TEST_CASE("a declared length over the limit is refused before its payload") {
  WebSocketReader whole(1000);
  CHECK(receive(whole, "\x82\xff\x00\x00\x00\x40\x00\x00\x00\x00"s + none, 99) == "failure:1009");
  CHECK(whole.ended());
  WebSocketReader just(1000);
  CHECK(receive(just, "\x82\xfe\x03\xe9"s + none, 99) == "failure:1009");
  WebSocketReader fits(1000);
  CHECK(receive(fits, "\x82\xfe\x03\xe8"s + none + std::string(1000, 'x'), 99) ==
        "binary:" + std::string(1000, 'x'));
}

TEST_CASE("the fragments of a message share one limit") {
  WebSocketReader reader(10);
  CHECK(receive(reader, "\x02\x86"s + none + "123456", 99).empty());
  CHECK(receive(reader, "\x00\x84"s + none + "7890", 99).empty());
  CHECK(receive(reader, "\x00\x80"s + none, 99).empty());
  CHECK(receive(reader, "\x89\x85"s + none + "12345", 99) == "ping:12345");
  CHECK(receive(reader, "\x80\x81"s + none + "x", 99) == "failure:1009");
}

TEST_CASE("a server's frames are not masked") {
  CHECK(web_socket_header(0x1, 5) == "\x81\x05"s);
  CHECK(web_socket_header(0xA, 125) == "\x8a\x7d"s);
  CHECK(web_socket_header(0x2, 126) == "\x82\x7e\x00\x7e"s);
  CHECK(web_socket_header(0x2, 65535) == "\x82\x7e\xff\xff"s);
  CHECK(web_socket_header(0x2, 65536) == "\x82\x7f\0\0\0\0\0\x01\0\0"s);
  CHECK(web_socket_close(1000, "bye") ==
        "\x88\x05\x03\xe8"
        "bye"s);
  CHECK(web_socket_close(1009, std::string(200, 'r')) ==
        "\x88\x7d\x03\xf1"s + std::string(123, 'r'));
}

}  // namespace selfagent
