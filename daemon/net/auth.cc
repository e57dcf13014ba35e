#include "net/auth.h"

#include <algorithm>

#include "base/log.h"
#include "base/lower.h"
#include "base/random.h"
#include "base/trim.h"

namespace selfagent {

namespace {

// "localhost:8080" -> "localhost", "[::1]:8080" -> "::1"; "" if it is no host with or without port
std::string host_name(const std::string& host) {
  const bool bracketed = host.starts_with('[');
  const size_t end = bracketed ? host.find(']') : std::min(host.find(':'), host.size());
  if (end == std::string::npos) return "";
  const std::string_view port = std::string_view(host).substr(bracketed ? end + 1 : end);
  if (!port.empty() && (port[0] != ':' || port.size() > 6 ||
                        port.find_first_not_of("0123456789", 1) != std::string_view::npos)) {
    return "";
  }
  return lower(bracketed ? host.substr(1, end - 1) : host.substr(0, end));
}

// "http://localhost:8080" -> "localhost:8080", "" if it is no web origin
std::string origin_host(const std::string& origin) {
  for (const std::string scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return lower(origin.substr(scheme.size()));
  }
  return "";
}

// What stands behind "Bearer ", "" if there is nothing.
std::string_view bearer_token(const HttpRequest& request) {
  const std::string& value = request.header("authorization");
  if (value.size() < 7 || lower(value.substr(0, 7)) != "bearer ") return {};
  return trim(std::string_view(value).substr(7));
}

HttpResponse denied(int status, const std::string& message) {
  return HttpResponse::error(status, "permission_denied", message);
}

HttpResponse unauthorized(const std::string& message) {
  HttpResponse response = denied(401, message);
  // Without parameters: there is no OAuth to be discovered.
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

HttpResponse too_many(std::chrono::seconds wait, const std::string& message) {
  HttpResponse response = HttpResponse::error(429, "resource_exhausted", message);
  response.headers.emplace_back("Retry-After", std::to_string(wait.count()));
  return response;
}

HttpResponse not_full(const Principal& principal, const std::string& what) {
  return denied(403, "the token \"" + principal.name + "\" is " + to_string(principal.profile) +
                         " and opens /mcp, /rpc and /ws alone: " + what +
                         " needs a token of the profile full");
}

constexpr const char* cookie_attributes = "; HttpOnly; SameSite=Strict; Path=/; Max-Age=";

}  // namespace

Auth::Auth(Settings settings, const Now& now)
    : settings_(std::move(settings)), failures_(now), tickets_(now) {
  if (settings_.token.empty()) return;
  const std::string seed = "selfagent cookie " + settings_.token;
  known_.push_back({{sha256_hex(settings_.token), settings_.owner}, sha256_hex(seed)});
  for (const Token& token : settings_.others) {
    // The owner's token is in it, because the file may hold nothing secret: only hashes.
    const bool full = token.principal->profile == Profile::full;
    known_.push_back({token, full ? sha256_hex(seed + " " + token.sha256) : ""});
  }
}

bool Auth::host_allowed(const std::string& host) const {
  const std::string name = host_name(host);
  return name == "localhost" || name == "127.0.0.1" || name == "::1" ||
         (!name.empty() && settings_.allowed_hosts.contains(name));
}

std::optional<HttpResponse> Auth::refuse_origin(HttpRequest& request) const {
  const Known* holder = holder_of(bearer_token(request));
  if (holder != nullptr) request.principal = holder->token.principal;
  const std::string& host = request.header("host");
  // A script with a token may come by any name: a rebinding page cannot know the token.
  if (!host_allowed(host) && holder == nullptr) {
    return denied(403, "the Host \"" + host.substr(0, 200) +
                           "\" is not allowed: start the daemon with --allowed-host " +
                           host.substr(0, std::min<size_t>(host.rfind(':'), 200)) +
                           ", or use localhost");
  }
  const auto origin = request.headers.find("origin");
  if (origin == request.headers.end()) return std::nullopt;
  if (settings_.allowed_origins.contains(origin->second)) return std::nullopt;
  const std::string from = origin_host(origin->second);
  if (!from.empty() && from == lower(host) && host_allowed(host)) return std::nullopt;
  return denied(403, "the Origin \"" + origin->second.substr(0, 200) +
                         "\" is not allowed: start the daemon with --allowed-origin ORIGIN");
}

std::optional<HttpResponse> Auth::refuse_stranger(HttpRequest& request, Access access) {
  if (access == Access::open) return std::nullopt;
  if (known_.empty()) {
    request.principal = settings_.owner;
  } else if (request.principal) {
    failures_.succeeded(request.peer);
  } else {
    request.principal = by_cookie(request);
  }
  const auto ticket = access == Access::ticket ? request.query_value("ticket") : std::nullopt;
  if (!request.principal && ticket) {
    request.principal = tickets_.redeem(*ticket, request.path);
    if (!request.principal) {
      return unauthorized(
          "the ticket was used, is older than a minute or is for another address: POST /api/ticket "
          "{\"path\"} gives a new one");
    }
  }
  if (!request.principal) {
    const std::string message =
        "the token is missing or wrong: send \"Authorization: Bearer TOKEN\" (`selfagent token` "
        "prints it), or log in on the page";
    if (bearer_token(request).empty()) return unauthorized(message);
    return wrong_token(request, message);
  }
  if (access != Access::tools && request.principal->profile != Profile::full) {
    return not_full(*request.principal, "this address");
  }
  return std::nullopt;
}

HttpResponse Auth::wrong_token(const HttpRequest& request, const std::string& message) {
  if (const auto wait = failures_.wait(request.peer); wait.count() > 0) {
    return too_many(wait, "too many wrong tokens: wait " + std::to_string(wait.count()) +
                              " s before the next try; the right one passes at once");
  }
  const int count = failures_.failed(request.peer);
  log::warn("a request from {} had a wrong token ({} in a row)", request.peer, count);
  return unauthorized(message);
}

HttpResponse Auth::login(const HttpRequest& request) {
  std::string token;
  try {
    token = parse_json(request.body).at("token").get<std::string>();
  } catch (const std::exception&) {
    // The parser's own message quotes the body.
    return HttpResponse::error(400, "invalid_argument",
                               "the body must be a JSON object {\"token\": \"…\"}");
  }
  std::string cookie;
  if (!known_.empty()) {
    const Known* holder = holder_of(token);
    if (holder == nullptr) {
      return wrong_token(request, "this token is wrong: `selfagent token` prints the right one");
    }
    failures_.succeeded(request.peer);
    if (holder->cookie.empty()) return not_full(*holder->token.principal, "the page");
    cookie = holder->cookie;
  }
  HttpResponse response = HttpResponse::json(200, {{"ok", true}});
  response.headers.emplace_back("Set-Cookie",
                                "selfagent=" + cookie + cookie_attributes + "31536000");
  return response;
}

HttpResponse Auth::logout() const {
  HttpResponse response = HttpResponse::json(200, {{"ok", true}});
  response.headers.emplace_back("Set-Cookie", std::string("selfagent=") + cookie_attributes + "0");
  return response;
}

HttpResponse Auth::issue_ticket(const HttpRequest& request, const std::string& path) {
  const auto ticket = tickets_.issue(path, request.principal);
  if (!ticket) {
    return too_many(Tickets::lifetime,
                    std::to_string(Tickets::most) +
                        " tickets wait to be used: use them, or wait until they expire");
  }
  HttpResponse response = HttpResponse::json(200, {{"ticket", *ticket},
                                                   {"url", path + "?ticket=" + *ticket},
                                                   {"expires_in_s", Tickets::lifetime.count()}});
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

const Auth::Known* Auth::holder_of(std::string_view token) const {
  if (token.empty()) return nullptr;
  const std::string hash = sha256_hex(token);
  const Known* holder = nullptr;
  // No early end: the time must not tell which token was right.
  for (const Known& known : known_) {
    if (equal_secrets(hash, known.token.sha256)) holder = &known;
  }
  return holder;
}

std::shared_ptr<const Principal> Auth::by_cookie(const HttpRequest& request) const {
  std::shared_ptr<const Principal> principal;
  std::string_view rest = request.header("cookie");
  while (!rest.empty()) {
    const auto end = rest.find(';');
    const std::string_view pair = trim(rest.substr(0, end));
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    if (!pair.starts_with("selfagent=")) continue;
    for (const Known& known : known_) {
      if (!known.cookie.empty() && equal_secrets(pair.substr(10), known.cookie)) {
        principal = known.token.principal;
      }
    }
  }
  return principal;
}

}  // namespace selfagent
