// Who may talk to the daemon: tokens, the page's cookie, one-time tickets, and the Host and Origin
// of every request.
//
// The cookie is not the token but a hash derived from it: it stays valid across restarts and cannot
// be turned back. A foreign page cannot read answers (no CORS headers), but it could send requests
// or open WebSockets with the cookie, and DNS rebinding could make its origin look like ours: only
// checks of Origin and Host stop that.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "net/failed_logins.h"
#include "net/http.h"
#include "net/tickets.h"
#include "net/token_file.h"

namespace selfagent {

/// Who may use a route.
enum class Access {
  open,   ///< Anybody; a GET by any Host: static page files, health.
  tools,  ///< Any token or the cookie; what its holder may call is decided where tools are called.
  files,  ///< A token of the profile full or code-only, the cookie, or for a GET a one-time ticket.
  hands,  ///< A token of the profile full or desktop-only, or the cookie.
  full,   ///< A token of the profile full, or the cookie.
  ticket,  ///< The same, or a one-time ticket: what a browser opens without headers.
  page,    ///< Like full; a stranger's browser that opens it as a page is sent to the login.
};

/// Network thread only.
class Auth {
 public:
  struct Settings {
    std::string token;  ///< the owner's; "" with --no-auth: then everybody is the owner
    std::set<std::string> allowed_hosts;    ///< host names beside localhost and loopback addresses
    std::set<std::string> allowed_origins;  ///< whole origins, e.g. "https://desk.example.org"
    std::shared_ptr<const Principal> owner = std::make_shared<Principal>();
    std::vector<Token> others = {};  ///< see read_token_file
  };
  explicit Auth(Settings settings, const Now& now = &Clock::now);

  /// The answer to a request with a foreign Host or Origin (403), or nothing. Sets
  /// request.principal if the request has a token: such a request may come by any Host.
  std::optional<HttpResponse> refuse_origin(HttpRequest& request) const;

  /// The answer to a request that `access` does not let in, or nothing. Call after refuse_origin;
  /// sets request.principal. A stranger gets 401, a token of a smaller profile 403. Whoever goes on
  /// sending wrong tokens gets 429 (see FailedLogins); a right one passes always, so that nobody
  /// can lock others out. A ticket is used up.
  std::optional<HttpResponse> refuse_stranger(HttpRequest& request, Access access);

  /// The same two for the port of JupyterLab, whose pages are the sandbox's and not ours: its own
  /// origin alone may send requests there, `own` if its public one is known, and its cookie is
  /// another one. Neither cookie opens the other's door.
  std::optional<HttpResponse> refuse_lab_origin(HttpRequest& request, const std::string& own) const;
  std::optional<HttpResponse> refuse_lab_stranger(HttpRequest& request);

  /// A ticket for JupyterLab's `path` (decoded) in the name of `request`; nothing when too many
  /// wait to be used.
  std::optional<std::string> issue_lab_ticket(const HttpRequest& request, const std::string& path);
  /// Uses it up: the value of the Set-Cookie that opens JupyterLab, or nothing if it is not good.
  std::optional<std::string> redeem_lab_ticket(std::string_view ticket, const std::string& path);

  /// POST /api/login {"token"}: sets the cookie for a token of the profile full. Wrong tokens count
  /// as in refuse_stranger.
  HttpResponse login(const HttpRequest& request);
  /// Ends both cookies.
  HttpResponse logout() const;

  /// The answer with a ticket for a GET of `path` (decoded), in the name of `request`.
  HttpResponse issue_ticket(const HttpRequest& request, const std::string& path,
                            std::chrono::seconds lifetime = Tickets::lifetime);

  /// Who comes in by other doors: the control socket.
  const std::shared_ptr<const Principal>& owner() const { return settings_.owner; }

 private:
  struct Known {
    Token token;
    std::string cookie;      // "" if the page is closed to it
    std::string lab_cookie;  // the same
  };
  const Known* holder_of(std::string_view token) const;
  /// `name` with its "=".
  std::shared_ptr<const Principal> by_cookie(const HttpRequest& request, std::string_view name,
                                             std::string Known::* cookie) const;
  void recognise(HttpRequest& request, std::string_view name, std::string Known::* cookie);
  std::optional<HttpResponse> refuse_host(HttpRequest& request, const std::string& also) const;
  bool is_own_origin(const HttpRequest& request) const;
  HttpResponse refuse_unknown(const HttpRequest& request);
  bool host_allowed(const std::string& host) const;
  HttpResponse wrong_token(const HttpRequest& request, const std::string& message);

  const Settings settings_;
  std::vector<Known> known_;  // constant after construction; empty with --no-auth
  FailedLogins failures_;
  Tickets tickets_;
  Tickets lab_tickets_;  // of their own: pages of the sandbox can use them all up
};

}  // namespace selfagent
