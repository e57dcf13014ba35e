// The parts of an HTTP request that are decoded by hand: the target's escapes, the query, base64 in
// headers.
//
// The first line is a path, the second a query, the rest is taken for base64.
#include "net/http.h"

#include "base/base64.h"
#include "base/percent.h"
#include "fuzz/target.h"

namespace selfagent::fuzz {
namespace {

std::string percent_encode(std::string_view bytes) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', hex[byte >> 4], hex[byte & 15]};
  }
  return out;
}

void check_escapes(std::string_view text) {
  for (const bool plus_is_space : {false, true}) {
    const std::string plain = percent_decode(text, plus_is_space);
    require(plain.size() <= text.size(), "decoding does not lengthen", plain);
    require(percent_decode(percent_encode(plain), plus_is_space) == plain,
            "what is encoded is decoded the same", plain);
    if (text.find_first_of("%+") == std::string_view::npos)
      require(plain == text, "plain text stays", text);
  }
}

void check_query(std::string_view query) {
  HttpRequest request;
  request.query = query;
  const std::string_view first = query.substr(0, query.find('&'));
  const std::string name = percent_decode(first.substr(0, first.find('=')), true);
  if (!query.empty())
    require(request.query_value(name).has_value(), "the first parameter is found by its name",
            query);
  // A parameter that is appended is found, unless one of its name came before.
  const auto before = request.query_value("added");
  request.query += "&added=%2B1+2";
  require(request.query_value("added") == before.value_or("+1 2"),
          "the first parameter of a name counts", query);
}

void check_base64(std::string_view text) {
  std::string bytes;
  try {
    bytes = base64_decode(text);
  } catch (const Error& error) {
    require(error.code() == ErrorCode::invalid_argument, "bad base64 is an invalid argument", text);
  }
  require(base64_decode(base64_encode(bytes)) == bytes, "base64 goes there and back", text);
  require(base64_decode(base64_encode(text)) == text, "base64 goes there and back", text);
}

}  // namespace

void http(std::string_view input) {
  const std::string_view path = input.substr(0, input.find('\n'));
  input.remove_prefix(std::min(input.size(), path.size() + 1));
  const std::string_view query = input.substr(0, input.find('\n'));
  input.remove_prefix(std::min(input.size(), query.size() + 1));
  check_escapes(path);
  check_query(query);
  check_base64(input);
}

}  // namespace selfagent::fuzz
