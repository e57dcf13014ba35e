#include "net/auth.h"

#include <algorithm>

#include "base/log.h"
#include "base/random.h"

namespace selfagent {

namespace {

// "localhost:8080" -> "localhost", "[::1]:8080" -> "::1"
std::string host_name(const std::string& host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

// "http://localhost:8080" -> "localhost:8080", "" if it is no web origin
std::string origin_host(const std::string& origin) {
  for (const char* scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return origin.substr(std::string(scheme).size());
  }
  return "";
}

HttpResponse forbidden(const std::string& message) {
  return HttpResponse::error(403, "permission_denied", message);
}

}  // namespace

Auth::Auth(Settings settings)
    : settings_(std::move(settings)), cookie_(sha256_hex("selfagent cookie " + settings_.token)) {}

bool Auth::host_allowed(const std::string& host) const {
  const std::string name = host_name(host);
  return name == "localhost" || name == "127.0.0.1" || name == "::1" ||
         settings_.allowed_hosts.contains(name);
}

std::optional<HttpResponse> Auth::refuse_origin(HttpRequest& request) const {
  request.by_token = bearer(request);
  const std::string& host = request.header("host");
  // A script with the token may come by any name: a rebinding page cannot know the token.
  if (!host_allowed(host) && !request.by_token) {
    return forbidden("the Host \"" + host.substr(0, 200) +
                     "\" is not allowed: start the daemon with --allowed-host " +
                     host_name(host).substr(0, 200) + ", or use localhost");
  }
  const auto origin = request.headers.find("origin");
  if (origin == request.headers.end()) return std::nullopt;
  if (settings_.allowed_origins.contains(origin->second)) return std::nullopt;
  const std::string from = origin_host(origin->second);
  if (!from.empty() && from == host && host_allowed(host)) return std::nullopt;
  return forbidden("the Origin \"" + origin->second.substr(0, 200) +
                   "\" is not allowed: start the daemon with --allowed-origin ORIGIN");
}

std::optional<HttpResponse> Auth::refuse_stranger(const HttpRequest& request) const {
  if (settings_.token.empty() || request.by_token || cookie(request)) return std::nullopt;
  HttpResponse response = HttpResponse::error(
      401, "permission_denied",
      "the token is missing or wrong: send \"Authorization: Bearer TOKEN\" (`selfagent token` "
      "prints it), or log in on the page");
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

HttpResponse Auth::login(const HttpRequest& request) {
  if (failures_.size() > 1000) failures_.clear();
  Failures& failures = failures_[request.peer];
  if (Clock::now() < failures.blocked_until) {
    return HttpResponse::error(429, "resource_exhausted",
                               "too many wrong tokens: wait a minute, then try again");
  }
  std::string token;
  try {
    const Json body = parse_json(request.body);
    if (body.is_object() && body.contains("token") && body["token"].is_string()) {
      token = body["token"].get<std::string>();
    }
  } catch (const Error& error) {
    return HttpResponse::error(error);
  }
  if (!settings_.token.empty() && !equal_secrets(token, settings_.token)) {
    if (++failures.count >= 5) {
      const int doublings = std::min(failures.count - 5, 6);
      failures.blocked_until =
          Clock::now() + std::min(std::chrono::seconds(1 << doublings), std::chrono::seconds(60));
    }
    log::warn("a login from {} had a wrong token ({} in a row)", request.peer, failures.count);
    return HttpResponse::error(401, "permission_denied",
                               "this token is wrong: `selfagent token` prints the right one");
  }
  failures_.erase(request.peer);
  HttpResponse response = HttpResponse::json(200, {{"ok", true}});
  response.headers.emplace_back(
      "Set-Cookie",
      "selfagent=" + cookie_ + "; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000");
  return response;
}

HttpResponse Auth::logout() const {
  HttpResponse response = HttpResponse::json(200, {{"ok", true}});
  response.headers.emplace_back("Set-Cookie",
                                "selfagent=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
  return response;
}

bool Auth::bearer(const HttpRequest& request) const {
  const std::string& value = request.header("authorization");
  return !settings_.token.empty() && value.size() > 7 &&
         (value.starts_with("Bearer ") || value.starts_with("bearer ")) &&
         equal_secrets(std::string_view(value).substr(7), settings_.token);
}

bool Auth::cookie(const HttpRequest& request) const {
  std::string_view rest = request.header("cookie");
  while (!rest.empty()) {
    const auto end = rest.find(';');
    std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.starts_with("selfagent=") && equal_secrets(pair.substr(10), cookie_)) return true;
  }
  return false;
}

}  // namespace selfagent
