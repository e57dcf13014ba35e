// Which handler answers which path, and what every request passes first: Host, Origin, login, body
// type.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/worker_pool.h"
#include "net/auth.h"
#include "net/http.h"

namespace selfagent {

enum class Access {
  open,   ///< No login, any Host: static page files, health.
  token,  ///< Token or cookie, good Host and Origin.
};

/// Filled at start; handle() on the network thread only.
class Router {
 public:
  using Blocking = std::function<HttpResponse(const HttpRequest&)>;

  Router(Auth& auth, WorkerPool& pool);

  /// `pattern` is a path such as "/status/{id}"; a name in braces captures one segment.
  void add(const std::string& method, const std::string& pattern, Access access,
           HttpHandler handler);

  /// Like add, for work that blocks (database, display): runs on the worker pool; errors become
  /// their response.
  void add_blocking(const std::string& method, const std::string& pattern, Access access,
                    Blocking handler);

  /// Like add_blocking for handlers that answer the responder themselves, now or later.
  void add_streaming(const std::string& method, const std::string& pattern, Access access,
                     HttpHandler handler);

  /// Answers every GET that no other route takes, without a login: static files.
  void set_fallback(HttpHandler handler) { fallback_ = std::move(handler); }

  void handle(HttpRequest request, const ResponderPtr& responder);

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    Access access;
    HttpHandler handler;
  };
  static bool match(const Route& route, const std::vector<std::string>& segments,
                    std::map<std::string, std::string>& captures);

  Auth& auth_;
  WorkerPool& pool_;
  std::vector<Route> routes_;
  HttpHandler fallback_;
};

}  // namespace selfagent
