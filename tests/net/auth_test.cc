#include "net/auth.h"

#include "catch.h"

namespace selfagent {
namespace {

HttpRequest request(std::map<std::string, std::string> headers, const std::string& body = "") {
  HttpRequest made;
  made.method = "POST";
  made.headers = std::move(headers);
  made.body = body;
  made.peer = "127.0.0.1";
  return made;
}

Auth make_auth() { return Auth({"0123456789abcdef", {"desk.example"}, {"https://app.example"}}); }

}  // namespace

TEST_CASE("Host and Origin decide before anything else") {
  const Auth auth = make_auth();
  struct Case {
    std::map<std::string, std::string> headers;
    int status;
  };
  const std::vector<Case> cases{
      {{{"host", "localhost:8080"}}, 0},
      {{{"host", "127.0.0.1:8080"}}, 0},
      {{{"host", "[::1]:8080"}}, 0},
      {{{"host", "desk.example"}}, 0},
      {{{"host", "evil.example.com"}}, 403},
      {{{"host", "localhost.evil.com"}}, 403},
      {{{"host", "127.0.0.1.evil.com"}}, 403},
      {{{"host", ""}}, 403},
      {{{"host", "evil.example.com"}, {"authorization", "Bearer 0123456789abcdef"}}, 0},
      {{{"host", "localhost:8080"}, {"origin", "http://localhost:8080"}}, 0},
      {{{"host", "localhost:8080"}, {"origin", "http://localhost:9090"}}, 403},
      {{{"host", "localhost:8080"}, {"origin", "null"}}, 403},
      {{{"host", "localhost:8080"}, {"origin", "http://evil.example.com"}}, 403},
      {{{"host", "localhost:8080"}, {"origin", "https://app.example"}}, 0},
      {{{"host", "evil.example.com"},
        {"origin", "http://evil.example.com"},
        {"authorization", "Bearer 0123456789abcdef"}},
       403}};
  for (const auto& [headers, status] : cases) {
    HttpRequest made = request(headers);
    INFO(dump_json(Json(headers)));
    const auto refusal = auth.refuse_origin(made);
    CHECK((refusal ? refusal->status : 0) == status);
  }
}

TEST_CASE("only the token and the cookie open the door") {
  Auth auth = make_auth();
  const auto refused = [&](std::map<std::string, std::string> headers) {
    headers["host"] = "localhost";
    HttpRequest made = request(std::move(headers));
    CHECK_FALSE(auth.refuse_origin(made));
    const auto refusal = auth.refuse_stranger(made);
    return refusal ? refusal->status : 0;
  };
  CHECK(refused({}) == 401);
  CHECK(refused({{"authorization", "Bearer 0123456789abcdef"}}) == 0);
  CHECK(refused({{"authorization", "Bearer 0123456789abcdeg"}}) == 401);
  CHECK(refused({{"authorization", "Bearer "}}) == 401);
  CHECK(refused({{"authorization", "0123456789abcdef"}}) == 401);
  CHECK(refused({{"cookie", "selfagent=0123456789abcdef"}}) == 401);  // the cookie is not the token

  const auto login = auth.login(request({}, R"({"token":"0123456789abcdef"})"));
  REQUIRE(login.status == 200);
  std::string cookie;
  for (const auto& [name, value] : login.headers) {
    if (name == "Set-Cookie") cookie = value;
  }
  CHECK_THAT(cookie, ContainsSubstring("HttpOnly; SameSite=Strict"));
  CHECK_THAT(cookie, !ContainsSubstring("0123456789abcdef"));
  const std::string pair = cookie.substr(0, cookie.find(';'));
  CHECK(refused({{"cookie", "a=b; " + pair + "; c=d"}}) == 0);
}

TEST_CASE("wrong tokens are slowed down") {
  Auth auth = make_auth();
  for (int i = 0; i < 5; ++i) CHECK(auth.login(request({}, R"({"token":"x"})")).status == 401);
  CHECK(auth.login(request({}, R"({"token":"0123456789abcdef"})")).status == 429);
  CHECK(auth.login(request({}, "{")).status == 429);
}

}  // namespace selfagent
