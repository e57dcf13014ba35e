#include "net/auth.h"

#include <algorithm>

#include "base/log.h"
#include "base/lower.h"
#include "base/random.h"
#include "base/trim.h"
#include "net/host.h"

namespace selfagent {

namespace {

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
                         " and opens /mcp, /rpc, /metrics" +
                         (principal.profile == Profile::code ? ", /files" : "") +
                         (principal.profile == Profile::desktop ? ", /lease" : "") +
                         " and /ws alone: " + what);
}

constexpr const char* needs_full = " needs a token of the profile full";

constexpr const char* cookie_attributes = "; HttpOnly; SameSite=Strict; Path=/; Max-Age=";
constexpr const char* lab_cookie_attributes = "; HttpOnly; SameSite=Strict; Path=/lab/; Max-Age=";

// A ticket for the page of that path alone.
std::string lab_key(const std::string& path) { return "lab " + path; }

}  // namespace

Auth::Auth(Settings settings, const Now& now)
    : settings_(std::move(settings)), failures_(now), tickets_(now), lab_tickets_(now) {
  if (settings_.token.empty()) return;
  const std::string seed = "selfagent cookie " + settings_.token;
  const std::string lab_seed = "selfagent lab cookie " + settings_.token;
  known_.push_back(
      {{sha256_hex(settings_.token), settings_.owner}, sha256_hex(seed), sha256_hex(lab_seed)});
  for (const Token& token : settings_.others) {
    // The owner's token is in it, because the file may hold nothing secret: only hashes.
    const bool full = token.principal->profile == Profile::full;
    known_.push_back({token, full ? sha256_hex(seed + " " + token.sha256) : "",
                      full ? sha256_hex(lab_seed + " " + token.sha256) : ""});
  }
}

bool Auth::host_allowed(const std::string& host) const {
  const std::string name = host_name(host);
  return name == "localhost" || name == "127.0.0.1" || name == "::1" ||
         (!name.empty() && settings_.allowed_hosts.contains(name));
}

std::optional<HttpResponse> Auth::refuse_origin(HttpRequest& request) const {
  if (auto refusal = refuse_host(request, "")) return refusal;
  const std::string& origin = request.header("origin");
  if (is_own_origin(request) || settings_.allowed_origins.contains(origin)) return std::nullopt;
  return denied(403, "the Origin \"" + origin.substr(0, 200) +
                         "\" is not allowed: start the daemon with --allowed-origin ORIGIN");
}

std::optional<HttpResponse> Auth::refuse_lab_origin(HttpRequest& request,
                                                    const std::string& own) const {
  if (auto refusal = refuse_host(request, host_name(origin_host(own)))) return refusal;
  const std::string& origin = request.header("origin");
  if (is_own_origin(request) || (!own.empty() && origin == own)) return std::nullopt;
  return denied(403, "the Origin \"" + origin.substr(0, 200) +
                         "\" is not JupyterLab's own, and no other may use it");
}

// Sets request.principal if the request has a token. `also`: a host name beside the allowed ones.
std::optional<HttpResponse> Auth::refuse_host(HttpRequest& request, const std::string& also) const {
  const Known* holder = holder_of(bearer_token(request));
  if (holder != nullptr) request.principal = holder->token.principal;
  const std::string& host = request.header("host");
  // A script with a token may come by any name: a rebinding page cannot know the token.
  if (host_allowed(host) || holder != nullptr) return std::nullopt;
  if (!also.empty() && host_name(host) == also) return std::nullopt;
  return denied(403, "the Host \"" + host.substr(0, 200) +
                         "\" is not allowed: start the daemon with --allowed-host " +
                         host.substr(0, std::min<size_t>(host.rfind(':'), 200)) +
                         ", or use localhost");
}

// True without an Origin, too: what sends none is no page's script.
bool Auth::is_own_origin(const HttpRequest& request) const {
  const auto origin = request.headers.find("origin");
  if (origin == request.headers.end()) return true;
  const std::string from = origin_host(origin->second);
  const std::string& host = request.header("host");
  return !from.empty() && from == lower(host) && host_allowed(host);
}

std::optional<HttpResponse> Auth::refuse_stranger(HttpRequest& request, Access access) {
  if (access == Access::open) return std::nullopt;
  recognise(request, "selfagent=", &Known::cookie);
  const bool by_ticket =
      access == Access::ticket || (access == Access::files && request.method == "GET");
  const auto ticket = by_ticket ? request.query_value("ticket") : std::nullopt;
  if (!request.principal && ticket) {
    request.principal = tickets_.redeem(*ticket, request.path);
    if (!request.principal) {
      return unauthorized(
          "the ticket was used, is older than a minute or is for another address: POST /api/ticket "
          "{\"path\"} gives a new one, POST /files/PATH?ticket=1 one for a file");
    }
  }
  if (!request.principal) {
    if (access == Access::page && request.is_navigation()) return HttpResponse::see_other("/");
    return refuse_unknown(request);
  }
  const Profile profile = request.principal->profile;
  if (access == Access::tools || profile == Profile::full) return std::nullopt;
  if (access == Access::files && profile == Profile::code) return std::nullopt;
  if (access == Access::hands) {
    if (profile == Profile::desktop) return std::nullopt;
    return not_full(*request.principal,
                    "holding the mouse and keyboard needs one of the profile desktop-only or full");
  }
  return not_full(*request.principal, std::string("this address") + needs_full);
}

// Who asks, by the token that was found already or by the cookie.
void Auth::recognise(HttpRequest& request, std::string_view name, std::string Known::* cookie) {
  if (known_.empty()) {
    request.principal = settings_.owner;
  } else if (request.principal) {
    failures_.succeeded(request.peer);
  } else {
    request.principal = by_cookie(request, name, cookie);
  }
}

HttpResponse Auth::refuse_unknown(const HttpRequest& request) {
  const std::string message =
      "the token is missing or wrong: send \"Authorization: Bearer TOKEN\" (`selfagent token` "
      "prints it), or log in on the page";
  if (bearer_token(request).empty()) return unauthorized(message);
  return wrong_token(request, message);
}

std::optional<HttpResponse> Auth::refuse_lab_stranger(HttpRequest& request) {
  recognise(request, "selfagent-lab=", &Known::lab_cookie);
  if (!request.principal) return refuse_unknown(request);
  if (request.principal->profile == Profile::full) return std::nullopt;
  return not_full(*request.principal, std::string("JupyterLab") + needs_full);
}

std::optional<std::string> Auth::issue_lab_ticket(const HttpRequest& request,
                                                  const std::string& path) {
  return lab_tickets_.issue(lab_key(path), request.principal);
}

std::optional<std::string> Auth::redeem_lab_ticket(std::string_view ticket,
                                                   const std::string& path) {
  const auto principal = lab_tickets_.redeem(ticket, lab_key(path));
  if (!principal) return std::nullopt;
  std::string cookie;
  for (const Known& known : known_) {
    if (known.token.principal == principal) cookie = known.lab_cookie;
  }
  return "selfagent-lab=" + cookie + lab_cookie_attributes + "31536000";
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
    if (holder->cookie.empty())
      return not_full(*holder->token.principal, std::string("the page") + needs_full);
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
  // Browsers keep cookies by host, whatever the port.
  response.headers.emplace_back("Set-Cookie",
                                std::string("selfagent-lab=") + lab_cookie_attributes + "0");
  return response;
}

HttpResponse Auth::issue_ticket(const HttpRequest& request, const std::string& path,
                                std::chrono::seconds lifetime) {
  const auto ticket = tickets_.issue(path, request.principal, lifetime);
  if (!ticket) {
    return too_many(lifetime, std::to_string(Tickets::most) +
                                  " tickets wait to be used: use them, or wait until they expire");
  }
  HttpResponse response =
      HttpResponse::json(200, {{"ticket", *ticket},
                               {"url", percent_encode(path, "/") + "?ticket=" + *ticket},
                               {"expires_in_s", lifetime.count()}});
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

const Auth::Known* Auth::holder_of(std::string_view token) const {
  if (token.empty()) return nullptr;
  // The owner's calls are the many: no hash for them.
  if (equal_secrets(token, settings_.token)) return &known_.front();
  const std::string hash = sha256_hex(token);
  const Known* holder = nullptr;
  // No early end: the time must not tell which token was right.
  for (const Known& known : known_) {
    if (equal_secrets(hash, known.token.sha256)) holder = &known;
  }
  return holder;
}

std::shared_ptr<const Principal> Auth::by_cookie(const HttpRequest& request, std::string_view name,
                                                 std::string Known::* cookie) const {
  std::shared_ptr<const Principal> principal;
  std::string_view rest = request.header("cookie");
  while (!rest.empty()) {
    const auto end = rest.find(';');
    const std::string_view pair = trim(rest.substr(0, end));
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    if (!pair.starts_with(name)) continue;
    for (const Known& known : known_) {
      const std::string& right = known.*cookie;
      if (!right.empty() && equal_secrets(pair.substr(name.size()), right)) {
        principal = known.token.principal;
      }
    }
  }
  return principal;
}

}  // namespace selfagent
