// Who may talk to the daemon: the bearer token, the page's cookie, and the Host and Origin of every
// request.
//
// The cookie is not the token but a hash derived from it: it stays valid across restarts and cannot
// be turned back. A foreign page cannot read answers (no CORS headers), but it could send requests
// or open WebSockets with the cookie, and DNS rebinding could make its origin look like ours: only
// checks of Origin and Host stop that.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "net/http.h"

namespace selfagent {

/// Network thread only.
class Auth {
 public:
  struct Settings {
    std::string
        token;  ///< "" with --no-auth: then every request with a good Host and Origin passes
    std::set<std::string> allowed_hosts;    ///< host names beside localhost and loopback addresses
    std::set<std::string> allowed_origins;  ///< whole origins, e.g. "https://desk.example.org"
  };
  explicit Auth(Settings settings);

  /// The answer to a request with a foreign Host or Origin (403), or nothing. Sets
  /// request.by_token.
  std::optional<HttpResponse> refuse_origin(HttpRequest& request) const;

  /// The answer to a request without the token or cookie (401), or nothing.
  std::optional<HttpResponse> refuse_stranger(const HttpRequest& request) const;

  /// POST /api/login {"token"}: sets the cookie. Wrong tokens are slowed down: after 5 in a row
  /// from one address, that address waits (429) for 1 s, doubling up to 60 s.
  HttpResponse login(const HttpRequest& request);
  HttpResponse logout() const;

 private:
  struct Failures {
    int count = 0;
    Clock::time_point blocked_until{};
  };
  bool bearer(const HttpRequest& request) const;
  bool cookie(const HttpRequest& request) const;
  bool host_allowed(const std::string& host) const;

  const Settings settings_;
  const std::string cookie_;
  std::map<std::string, Failures> failures_;  // by peer address, at most 1,000
};

}  // namespace selfagent
