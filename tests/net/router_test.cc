#include "net/router.h"

#include "base/random.h"
#include "catch.h"

namespace selfagent {
namespace {

class RecordedAnswer : public Responder {
 public:
  void send(HttpResponse response) override { answer = std::move(response); }
  std::shared_ptr<Stream> stream(int, Headers) override { return nullptr; }
  void on_abandoned(std::function<void()>) override {}
  bool wants_web_socket() const override { return false; }
  std::shared_ptr<WebSocket> upgrade(const std::string&, WebSocketEvents) override {
    return nullptr;
  }
  std::shared_ptr<Tunnel> tunnel(const Headers&, TunnelEvents) override { return nullptr; }
  std::string header(const std::string& name) const {
    for (const auto& [field, value] : answer.headers) {
      if (field == name) return value;
    }
    return "(none)";
  }
  HttpResponse answer{0, {}, ""};
};

Auth::Settings settings() {
  Auth::Settings made;
  made.token = "0123456789abcdef";
  made.others.push_back({sha256_hex("look-look-look-look"),
                         std::make_shared<Principal>(Principal{"eye", Profile::look, {}})});
  made.others.push_back({sha256_hex("hand-hand-hand-hand"),
                         std::make_shared<Principal>(Principal{"hand", Profile::desktop, {}})});
  made.others.push_back({sha256_hex("code-code-code-code"),
                         std::make_shared<Principal>(Principal{"coder", Profile::code, {}})});
  return made;
}

class Served {
 public:
  Served() {
    // Answers who asks.
    const HttpHandler ok = [](const HttpRequest& request, const ResponderPtr& responder) {
      responder->send({200, {}, request.principal ? request.principal->name : "a stranger"});
    };
    router.add("GET", "/healthz", Access::open, ok);
    router.add("POST", "/api/login", Access::open, ok);
    router.add("*", "/.well-known/x", Access::open, ok, Body::any);
    router.add("POST", "/mcp", Access::tools, ok);
    router.add("GET", "/mcp", Access::tools, ok);
    router.add("DELETE", "/mcp", Access::tools, ok);
    router.add("GET", "/jobs", Access::full, ok);
    router.add("GET", "/lease", Access::hands, ok);
    router.add("POST", "/schedule", Access::full, ok);
    router.add("POST", "/cancel/{id}", Access::full, ok, Body::optional_json);
    router.add("GET", "/download/{id}", Access::ticket, ok);
    router.add("GET", "/fails", Access::full, [](const HttpRequest&, const ResponderPtr&) {
      throw Error(ErrorCode::conflict, "it is so");
    });
    router.set_fallback([](const HttpRequest&, const ResponderPtr& responder) {
      responder->send({200, {}, "a page"});
    });
  }

  int send(const std::string& method, const std::string& path,
           decltype(HttpRequest::headers) headers = {}, const std::string& body = "") {
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.headers = std::move(headers);
    request.headers.emplace("host", "localhost:8080");
    request.body = body;
    request.peer = "192.0.2.7";
    last = std::make_shared<RecordedAnswer>();
    router.handle(std::move(request), last);
    return last->answer.status;
  }

  Auth auth{settings()};
  WorkerPool pool{1, 1};
  Router router{auth, pool};
  std::shared_ptr<RecordedAnswer> last;
};

const std::string owner = "Bearer 0123456789abcdef";
const std::string look = "Bearer look-look-look-look";

}  // namespace

TEST_CASE("which door opens to whom") {
  Served served;
  struct Case {
    const char* method;
    const char* path;
    int stranger;
    int look_only;
    int full;
  };
  const std::vector<Case> cases{
      {"GET", "/healthz", 200, 200, 200},      {"GET", "/", 200, 200, 200},
      {"GET", "/nothing/here", 200, 200, 200},  // the fallback's
      {"PUT", "/nothing/here", 404, 404, 404}, {"GET", "/mcp", 401, 200, 200},
      {"GET", "/mcp/", 401, 200, 200},         {"DELETE", "/mcp", 401, 200, 200},
      {"DELETE", "/mcp/", 401, 200, 200},      {"POST", "/mcp", 401, 200, 200},
      {"POST", "/mcp/", 401, 200, 200},        {"PUT", "/mcp", 401, 405, 405},
      {"OPTIONS", "/mcp", 401, 405, 405},      {"HEAD", "/mcp", 401, 405, 405},
      {"PATCH", "/mcp/", 401, 405, 405},       {"GET", "/jobs", 401, 403, 200},
      {"PUT", "/jobs", 401, 403, 405},         {"POST", "/schedule", 401, 403, 200},
      {"POST", "/cancel/j-1", 401, 403, 200},  {"GET", "/download/j-1", 401, 403, 200},
      {"POST", "/download/j-1", 401, 403, 405}};
  for (const auto& [method, path, stranger, look_only, full] : cases) {
    INFO(method << " " << path);
    const std::string type = "application/json";
    CHECK(served.send(method, path, {{"content-type", type}}) == stranger);
    if (stranger == 401) CHECK(served.last->header("WWW-Authenticate") == "Bearer");
    CHECK(served.send(method, path, {{"content-type", type}, {"authorization", look}}) ==
          look_only);
    CHECK(served.send(method, path, {{"content-type", type}, {"authorization", owner}}) == full);
  }
}

TEST_CASE("what is about the mouse and keyboard is for tokens that may use them") {
  Served served;
  const auto status = [&](const std::string& token) {
    return served.send("GET", "/lease", {{"authorization", "Bearer " + token}});
  };
  CHECK(status("hand-hand-hand-hand") == 200);
  CHECK(served.send("GET", "/lease", {{"authorization", owner}}) == 200);
  CHECK(served.send("GET", "/lease") == 401);
  CHECK(status("look-look-look-look") == 403);
  CHECK_THAT(served.last->answer.body, ContainsSubstring("desktop-only or full"));
  CHECK(status("code-code-code-code") == 403);
  CHECK(served.send("GET", "/jobs", {{"authorization", "Bearer hand-hand-hand-hand"}}) == 403);
  CHECK_THAT(served.last->answer.body, ContainsSubstring("needs a token of the profile full"));
}

TEST_CASE("handlers know who asks") {
  Served served;
  served.send("GET", "/mcp", {{"authorization", look}});
  CHECK(served.last->answer.body == "eye");
  served.send("GET", "/mcp", {{"authorization", owner}});
  CHECK(served.last->answer.body == "owner");
  served.send("GET", "/healthz");
  CHECK(served.last->answer.body == "a stranger");
}

TEST_CASE("a POST says that it carries JSON") {
  Served served;
  struct Case {
    const char* path;
    const char* type;  // null: no such header
    const char* body;
    int status;
  };
  const std::vector<Case> cases{{"/mcp", "application/json", "{}", 200},
                                {"/mcp", "application/json", "", 200},
                                {"/mcp", "application/json; charset=utf-8", "{}", 200},
                                {"/mcp", "application/json;charset=utf-8", "{}", 200},
                                {"/mcp", "APPLICATION/Json ; x=y", "{}", 200},
                                {"/mcp", "application/jsonx", "{}", 415},
                                {"/mcp", "application/jsonx", "", 415},
                                {"/mcp", "application/json-rpc", "{}", 415},
                                {"/mcp", "application", "{}", 415},
                                {"/mcp", "text/plain", "{}", 415},
                                {"/mcp", "text/plain; application/json", "{}", 415},
                                {"/mcp", "text/plain, application/json", "{}", 415},
                                {"/mcp", "", "{}", 415},
                                {"/mcp", nullptr, "{}", 415},
                                {"/mcp", nullptr, "", 415},
                                {"/schedule", nullptr, "", 415},
                                {"/cancel/j-1", nullptr, "", 200},
                                {"/cancel/j-1", "text/plain", "", 200},
                                {"/cancel/j-1", "text/plain", "{}", 415},
                                {"/.well-known/x", "text/plain", "{}", 200}};
  for (const auto& [path, type, body, status] : cases) {
    INFO(path << " " << (type == nullptr ? "(none)" : type) << " \"" << body << "\"");
    decltype(HttpRequest::headers) headers{{"authorization", owner}};
    if (type != nullptr) headers["content-type"] = type;
    CHECK(served.send("POST", path, headers, body) == status);
  }
}

TEST_CASE("Host and Origin are checked before the login, and of a GET that anybody may make not") {
  Served served;
  const decltype(HttpRequest::headers) evil_host{{"host", "evil.example"}};
  const decltype(HttpRequest::headers) evil_origin{{"origin", "http://evil.example"}};
  const decltype(HttpRequest::headers) null_origin{{"origin", "null"}};
  for (const auto& headers : {evil_host, evil_origin, null_origin}) {
    INFO(dump_json(Json(headers)));
    CHECK(served.send("GET", "/healthz", headers) == 200);
    CHECK(served.send("GET", "/.well-known/x", headers) == 200);
    CHECK(served.send("POST", "/api/login", headers) == 403);
    for (const char* method : {"GET", "POST", "DELETE", "PUT", "OPTIONS"}) {
      CHECK(served.send(method, "/mcp", headers) == 403);
    }
    CHECK(served.send("GET", "/jobs", headers) == 403);
    CHECK(served.send("GET", "/download/j-1", headers) == 403);
  }
}

TEST_CASE("the answer to a HEAD has no body, and 405 names what is served") {
  Served served;
  CHECK(served.send("HEAD", "/mcp") == 401);
  CHECK(served.last->answer.body == "");
  CHECK(served.send("PUT", "/mcp", {{"authorization", owner}}) == 405);
  CHECK(served.last->header("Allow") == "POST, GET, DELETE");
}

TEST_CASE("an error that a handler throws on the network thread is its answer") {
  Served served;
  CHECK(served.send("GET", "/fails", {{"authorization", owner}}) == 409);
  CHECK(served.last->answer.body == R"({"error":{"code":"conflict","message":"it is so"}})");
}

TEST_CASE("tickets are for the paths whose routes take them") {
  Served served;
  CHECK(served.router.ticket_patterns() == "/download/{id}");
  CHECK(served.router.takes_ticket("/download/j-1"));
  CHECK_FALSE(served.router.takes_ticket("/jobs"));
  CHECK_FALSE(served.router.takes_ticket("/download"));
  CHECK_FALSE(served.router.takes_ticket("/"));
}

}  // namespace selfagent
