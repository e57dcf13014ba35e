#include "net/router.h"

#include "base/log.h"
#include "tool/principal.h"

namespace selfagent {

namespace {

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> segments;
  size_t start = 0;
  while (start < path.size()) {
    const size_t end = std::min(path.find('/', start), path.size());
    if (end > start) segments.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  return segments;
}

bool has_json_body(const HttpRequest& request) {
  const std::string& type = request.header("content-type");
  return request.body.empty() || type.starts_with("application/json");
}

}  // namespace

Router::Router(Auth& auth, WorkerPool& pool) : auth_(auth), pool_(pool) {}

void Router::add(const std::string& method, const std::string& pattern, Access access,
                 HttpHandler handler) {
  routes_.push_back({method, split(pattern), access, std::move(handler)});
}

void Router::add_blocking(const std::string& method, const std::string& pattern, Access access,
                          Blocking handler) {
  add_streaming(method, pattern, access,
                [handler](const HttpRequest& request, const ResponderPtr& responder) {
                  responder->send(handler(request));
                });
}

void Router::add_streaming(const std::string& method, const std::string& pattern, Access access,
                           HttpHandler handler) {
  add(method, pattern, access, [this, handler](HttpRequest request, ResponderPtr responder) {
    try {
      pool_.submit([handler, request = std::move(request), responder] {
        try {
          handler(request, responder);
        } catch (const Error& error) {
          responder->send(HttpResponse::error(error));
        } catch (const std::exception& error) {
          log::error("{} {} threw: {}", request.method, request.path, error.what());
          responder->send(HttpResponse::error(500, "internal", error.what()));
        }
      });
    } catch (const Error& error) {
      responder->send(HttpResponse::error(error));
    }
  });
}

bool Router::match(const Route& route, const std::vector<std::string>& segments,
                   std::map<std::string, std::string>& captures) {
  if (route.segments.size() != segments.size()) return false;
  for (size_t i = 0; i < segments.size(); ++i) {
    const std::string& pattern = route.segments[i];
    if (pattern.starts_with('{')) {
      captures[pattern.substr(1, pattern.size() - 2)] = segments[i];
    } else if (pattern != segments[i]) {
      return false;
    }
  }
  return true;
}

void Router::handle(HttpRequest request, const ResponderPtr& responder) {
  const auto segments = split(request.path);
  const Route* found = nullptr;
  std::string allowed;
  for (const Route& route : routes_) {
    std::map<std::string, std::string> captures;
    if (!match(route, segments, captures)) continue;
    if (route.method == request.method) {
      found = &route;
      request.captures = std::move(captures);
      break;
    }
    allowed += (allowed.empty() ? "" : ", ") + route.method;
  }
  const bool open = found != nullptr ? found->access == Access::open : allowed.empty();
  if (!open || request.method == "POST") {
    if (auto refusal = auth_.refuse_origin(request)) return responder->send(std::move(*refusal));
  }
  if (found == nullptr && allowed.empty()) {
    if ((request.method == "GET" || request.method == "HEAD") && fallback_) {
      return fallback_(std::move(request), responder);
    }
    return responder->send(HttpResponse::error(
        404, "not_found", "there is nothing at " + request.method + " " + request.path));
  }
  if (!open) {
    if (auto refusal = auth_.refuse_stranger(request)) return responder->send(std::move(*refusal));
    static const auto owner = std::make_shared<const Principal>();
    request.principal = owner;
  }
  if (found == nullptr) {
    auto response = HttpResponse::error(
        405, "invalid_argument", request.method + " is not served here, but " + allowed + " is");
    response.headers.emplace_back("Allow", allowed);
    return responder->send(std::move(response));
  }
  if (request.method == "POST" && !has_json_body(request)) {
    return responder->send(
        HttpResponse::error(415, "invalid_argument",
                            "the Content-Type is \"" + request.header("content-type") +
                                "\": send JSON with \"Content-Type: application/json\""));
  }
  found->handler(std::move(request), responder);
}

}  // namespace selfagent
