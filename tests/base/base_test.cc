#include <atomic>
#include <set>

#include "base/base64.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "base/utf8.h"
#include "base/wait.h"
#include "base/worker_pool.h"
#include "catch.h"

namespace selfagent {

TEST_CASE("base64 follows the vectors of RFC 4648") {
  const std::vector<std::pair<std::string, std::string>> cases{{"", ""},
                                                               {"f", "Zg=="},
                                                               {"fo", "Zm8="},
                                                               {"foo", "Zm9v"},
                                                               {"foob", "Zm9vYg=="},
                                                               {"fooba", "Zm9vYmE="},
                                                               {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : cases) {
    CHECK(base64_encode(plain) == encoded);
    CHECK(base64_decode(encoded) == plain);
  }
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(base64_decode(base64_encode(all)) == all);
}

TEST_CASE("base64 of every length is that of RFC 4648's own rule, bit by bit") {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  // Longer than what is encoded in one go, with every byte value.
  std::string bytes;
  for (size_t i = 0; i < 40'000; ++i) bytes += static_cast<char>(i * 7 + i / 256);
  const auto bit_by_bit = [&](size_t size) {
    std::string out;
    for (size_t bit = 0; bit < size * 8; bit += 6) {
      unsigned value = 0;
      for (size_t i = bit; i < bit + 6; ++i) {
        const unsigned byte = i / 8 < size ? static_cast<unsigned char>(bytes[i / 8]) : 0;
        value = value << 1 | (byte >> (7 - i % 8) & 1);
      }
      out += alphabet[value];
    }
    return out + std::string((4 - out.size() % 4) % 4, '=');
  };
  for (size_t size = 0; size < 200; ++size) {
    INFO(size);
    CHECK(base64_encode(std::string_view(bytes).substr(0, size)) == bit_by_bit(size));
  }
  for (const size_t size : {12'287u, 12'288u, 12'289u, 24'600u, 40'000u}) {
    INFO(size);
    CHECK(base64_encode(std::string_view(bytes).substr(0, size)) == bit_by_bit(size));
  }
}

TEST_CASE("base64 refuses what is no base64") {
  CHECK_THROWS_AS(base64_decode("Zm9v!"), Error);
  CHECK_THROWS_AS(base64_decode("Zg==Zg"), Error);
  CHECK(base64_decode("Zm9v\nYmFy\n") == "foobar");
}

TEST_CASE("UTF-8 is checked as RFC 3629 says") {
  CHECK(is_utf8("ñ 美 😀 €"));
  CHECK_FALSE(is_utf8("\xC0\xAF"));          // overlong
  CHECK_FALSE(is_utf8("\xED\xA0\x80"));      // surrogate
  CHECK_FALSE(is_utf8("\xF4\x90\x80\x80"));  // above U+10FFFF
  CHECK_FALSE(is_utf8("\xE2\x82"));          // cut off
  CHECK(to_utf8("a\xFF"
                "b") ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(code_points("a美😀") == std::vector<char32_t>{U'a', U'美', U'😀'});
  std::string back;
  for (const char32_t c : code_points("ñ 美 😀")) append_utf8(back, c);
  CHECK(back == "ñ 美 😀");
  CHECK(utf8_prefix("a美", 3) == "a");
  CHECK(utf8_prefix("a美", 4) == "a美");
}

TEST_CASE("JSON text never holds invalid UTF-8") {
  std::string out;
  append_json_string(out, "a\"b\\\n\x01\xFF");
  CHECK(out == "\"a\\\"b\\\\\\n\\u0001\xEF\xBF\xBD\"");
  CHECK(dump_json(Json("\xFF")) == "\"\xEF\xBF\xBD\"");
}

TEST_CASE("JSON nested too deep is refused, not a stack overflow") {
  CHECK_THROWS_AS(parse_json(std::string(200'000, '[')), Error);
  CHECK(parse_json(R"({"a":"[[[["})")["a"] == "[[[[");
  CHECK_THROWS_WITH(parse_json("{\"a\":}"), ContainsSubstring("not valid JSON"));
}

TEST_CASE("a number beyond double is refused as every other JSON error") {
  CHECK_THROWS_WITH(parse_json(R"({"id":1e999})"),
                    "not valid JSON: number overflow parsing '1e999'");
  CHECK_THROWS_AS(parse_json("[-1e400]"), Error);
}

TEST_CASE("secrets compare by content") {
  CHECK(equal_secrets("abc", "abc"));
  CHECK_FALSE(equal_secrets("abc", "abd"));
  CHECK_FALSE(equal_secrets("abc", "abcd"));
  CHECK(random_hex(16).size() == 32);
  CHECK(random_hex(16) != random_hex(16));
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("times are written in UTC with milliseconds") {
  CHECK(iso_time(0) == "1970-01-01T00:00:00.000Z");
  CHECK(iso_time(1'785'231'660'123) == "2026-07-28T09:41:00.123Z");
}

TEST_CASE("a wait ends at once when stop is requested") {
  std::stop_source source;
  source.request_stop();
  CHECK_FALSE(sleep_until(Deadline::after(std::chrono::hours(1)), source.get_token()));
  const StopDescriptor stop(source.get_token());
  CHECK(poll_until(-1, 0, Deadline::after(std::chrono::hours(1)), stop) == PollEnd::stopped);
}

TEST_CASE("the worker pool runs every task, also when one hangs") {
  std::atomic<int> done = 0;
  std::atomic<bool> release = false;
  {
    WorkerPool pool(8, 100);
    pool.submit([&] { release.wait(false); });
    for (int i = 0; i < 49; ++i) {
      pool.submit([&] {
        ++done;
        done.notify_all();
      });
    }
    for (int seen = done; seen < 49; seen = done) done.wait(seen);
    CHECK(done == 49);
    release = true;
    release.notify_all();
  }
}

TEST_CASE("a full queue and a closed pool refuse with a reason") {
  std::atomic<bool> release = false;
  WorkerPool pool(1, 1);
  std::atomic<bool> started = false;
  pool.submit([&] {
    started = true;
    started.notify_all();
    release.wait(false);
  });
  started.wait(false);
  pool.submit([] {});
  CHECK_THROWS_WITH(pool.submit([] {}), ContainsSubstring("too many calls"));
  pool.close();
  CHECK_THROWS_WITH(pool.submit([] {}), ContainsSubstring("shutting down"));
  release = true;
  release.notify_all();
}

TEST_CASE("a failed system call becomes an error with its code") {
  CHECK(system_error("open x", ENOENT).code() == ErrorCode::not_found);
  CHECK(system_error("write x", ENOSPC).code() == ErrorCode::resource_exhausted);
  CHECK_THAT(system_error("write x", ENOSPC).what(), ContainsSubstring("Free some space"));
}

}  // namespace selfagent
