// What a server behind a unix socket can do wrong. Its answers are tested in tests/e2e/lab.
#include "net/proxy.h"

#include <sys/un.h>

#include <asio.hpp>
#include <filesystem>

#include "base/random.h"
#include "catch.h"
#include "test_server.h"

namespace selfagent {

namespace {

/// Listens, takes connections, and never reads.
class DeafServer {
 public:
  DeafServer()
      : path_(std::filesystem::temp_directory_path() / ("selfagent-test-" + random_hex(6))),
        fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.string().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd_.get(), 8) == 0);
  }
  ~DeafServer() { std::filesystem::remove(path_); }

  std::string path() const { return path_; }

  /// What has arrived on the first connection, whose other end is closed.
  std::string arrived() const {
    const UniqueFd connection(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(connection);
    std::string all;
    char buffer[4096];
    for (ssize_t count = 0; (count = ::read(connection.get(), buffer, sizeof buffer)) > 0;) {
      all.append(buffer, static_cast<size_t>(count));
    }
    return all;
  }

 private:
  const std::filesystem::path path_;
  const UniqueFd fd_;
};

/// A port whose every request is passed on.
class ProxyServer {
 public:
  explicit ProxyServer(const Upstream& upstream) {
    HttpServer::Settings settings;
    settings.streams_body = [](const HttpRequest&) { return true; };
    server_ = std::make_unique<HttpServer>(
        io_, std::move(settings),
        [this, upstream](HttpRequest request, const ResponderPtr& responder) {
          pass_on(io_, upstream, std::move(request), responder);
        });
    thread_ = std::jthread([this] { io_.run(); });
  }
  ~ProxyServer() {
    asio::post(io_, [this] {
      server_->stop();
      io_.stop();
    });
    thread_.join();
  }

  std::string answer(const std::string& request) const {
    Client client(server_->port());
    client.send(request);
    return client.read_to_end();
  }

 private:
  asio::io_context io_;
  std::unique_ptr<HttpServer> server_;
  std::jthread thread_;
};

const std::string ask = "GET /lab/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";

}  // namespace

TEST_CASE("nothing is sent to a socket that somebody else has opened") {
  const DeafServer other;
  const ProxyServer proxy({other.path(), "JupyterLab", ::getuid() + 1});
  const std::string answer = proxy.answer(ask + "Cookie: secret\r\n\r\n");
  CHECK_THAT(answer, ContainsSubstring(" 502 "));
  CHECK_THAT(answer, ContainsSubstring("was not opened by the user of the sandbox"));
  CHECK(other.arrived().empty());
}

TEST_CASE("a server behind that takes nothing is given up") {
  const DeafServer deaf;
  const ProxyServer proxy({deaf.path(), "JupyterLab", ::getuid(), milliseconds(100)});
  const std::string body(32u << 20, 'x');
  const std::string answer =
      proxy.answer("POST /lab/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                   std::to_string(body.size()) + "\r\n\r\n" + body);
  CHECK_THAT(answer, ContainsSubstring(" 502 "));
  CHECK_THAT(answer, ContainsSubstring("takes nothing of the request"));
}

TEST_CASE("a browser gets a page that tries again until the server is there") {
  const ProxyServer proxy({"/nowhere/<lab>&.sock", "JupyterLab", ::getuid()});
  const std::string page = proxy.answer(ask + "Sec-Fetch-Mode: navigate\r\n\r\n");
  CHECK_THAT(page, ContainsSubstring(" 502 "));
  CHECK_THAT(page, ContainsSubstring("Refresh: 2\r\n"));
  CHECK_THAT(page, ContainsSubstring("Content-Security-Policy: default-src 'none'\r\n"));
  CHECK_THAT(page, ContainsSubstring("<h1>JupyterLab is not there yet</h1>"));
  CHECK_THAT(page, ContainsSubstring("/nowhere/&lt;lab>&amp;.sock does not answer: No such file"));
  const std::string plain = proxy.answer(ask + "\r\n");
  CHECK_THAT(plain, ContainsSubstring("\"code\":\"unavailable\""));
}

}  // namespace selfagent
