// TLS with raw clients; certificates are made here. What the files say wrong is tested end to end.
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "catch.h"
#include "test_server.h"

namespace selfagent {
namespace {

using namespace std::chrono_literals;

// A self-signed certificate and its key in a folder of their own, which goes with it.
class Certificate {
 public:
  Certificate() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "selfagent-tls-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    write(cert(), [&](FILE* file) { PEM_write_X509(file, certificate); });
    write(this->key(), [&](FILE* file) {
      PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    });
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~Certificate() { std::filesystem::remove_all(folder_); }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  std::string cert() const { return folder_ / "cert.pem"; }
  std::string key() const { return folder_ / "key.pem"; }

 private:
  template <class Write>
  static void write(const std::string& path, Write body) {
    FILE* file = std::fopen(path.c_str(), "w");
    body(file);
    std::fclose(file);
  }
  std::filesystem::path folder_;
};

// A blocking TLS client on a raw one.
class TlsClient {
 public:
  explicit TlsClient(uint16_t port, int receive_buffer = 0)
      : socket_(port, receive_buffer),
        context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free),
        tls_(SSL_new(context_.get()), SSL_free) {
    SSL_set_fd(tls_.get(), socket_.fd());
    REQUIRE(SSL_connect(tls_.get()) == 1);
  }
  bool send(const std::string& bytes) {
    size_t written = 0;
    return SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &written) == 1;
  }
  std::string read(size_t count) {
    std::string out;
    char buffer[5000];
    size_t got = 0;
    while (out.size() < count &&
           SSL_read_ex(tls_.get(), buffer, std::min(sizeof buffer, count - out.size()), &got) ==
               1) {
      out.append(buffer, got);
    }
    return out;
  }
  std::string read_head() {
    std::string out;
    while (!out.ends_with("\r\n\r\n")) {
      const std::string next = read(1);
      if (next.empty()) break;
      out += next;
    }
    return out;
  }
  Client& socket() { return socket_; }

 private:
  Client socket_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
};

HttpServer::Settings settings_with(const Certificate& certificate) {
  std::signal(SIGPIPE, SIG_IGN);  // as the daemon does: OpenSSL writes without MSG_NOSIGNAL
  HttpServer::Settings settings;
  settings.tls_cert = certificate.cert();
  settings.tls_key = certificate.key();
  return settings;
}

}  // namespace

TEST_CASE("large bodies and answers pass through TLS unchanged") {
  const Certificate certificate;
  TestServer server(settings_with(certificate));
  TlsClient client(server.port());
  std::string body;
  for (uint32_t i = 0, x = 1; i < 3'000'000; ++i, x = x * 1664525 + 1013904223) {
    body += static_cast<char>(x >> 24);
  }
  for (int round = 0; round < 2; ++round) {
    REQUIRE(
        client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n" + body));
    CHECK_THAT(client.read_head(), ContainsSubstring("Content-Length: 3000000\r\n"));
    CHECK(client.read(body.size()) == body);
  }
}

TEST_CASE("a client that does not shake hands is disconnected") {
  const Certificate certificate;
  auto settings = settings_with(certificate);
  settings.periods.head = 200ms;
  TestServer server(settings);
  Client silent(server.port());
  CHECK(silent.read_to_end().empty());
  Client half(server.port());
  half.send(std::string("\x16\x03\x01\x02\x00\x01\x00", 7));
  CHECK(half.read_to_end().empty());
}

TEST_CASE("a TLS client that asks for much and reads nothing is disconnected") {
  const Certificate certificate;
  auto settings = settings_with(certificate);
  settings.periods.stall = 300ms;
  TestServer server(settings);
  TlsClient slow(server.port(), 4096);
  for (int i = 0; i < 20; ++i) slow.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(slow.socket().dropped_by_server(10s));
  CHECK(server.big_answers() < 10);
}

TEST_CASE("plain HTTP on the TLS port is told what to do") {
  const Certificate certificate;
  TestServer server(settings_with(certificate));
  Client client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK_THAT(client.read_to_end(), ContainsSubstring("This port speaks TLS: use https://"));
}

TEST_CASE("a cookie that is set over TLS is Secure") {
  const Certificate certificate;
  TestServer server(settings_with(certificate));
  TlsClient client(server.port());
  client.send("GET /cookie HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK_THAT(client.read_head(), ContainsSubstring("Set-Cookie: a=b; HttpOnly; Secure\r\n"));
}

}  // namespace selfagent
