#include "net/lease_routes.h"

#include <algorithm>

#include "base/error.h"
#include "net/body.h"
#include "tool/principal.h"

namespace selfagent {

namespace {

constexpr size_t longest_name = 80;

// Others read it in a sentence, within quotes.
std::string name_of_hold(const Json& body) {
  std::string name = text_member(body, "name", false);
  const bool plain = std::none_of(name.begin(), name.end(),
                                  [](unsigned char c) { return c < ' ' || c == 127 || c == '"'; });
  if (name.size() > longest_name || !plain) {
    throw Error(ErrorCode::invalid_argument,
                "\"name\" has " + std::to_string(name.size()) + " bytes: send at most " +
                    std::to_string(longest_name) + ", without quotes and control characters");
  }
  return name;
}

std::optional<milliseconds> time_of_hold(const Json& body) {
  if (!body.contains("for_ms") || body["for_ms"].is_null()) return std::nullopt;
  const Json& given = body["for_ms"];
  const auto longest = static_cast<uint64_t>(InputLease::longest_hold.count());
  if (!given.is_number_unsigned() || given.get<uint64_t>() < 1 || given.get<uint64_t>() > longest) {
    throw Error(ErrorCode::invalid_argument,
                "\"for_ms\" is " + dump_json(given).substr(0, 40) +
                    ": send a whole number from 1 to " + std::to_string(longest) +
                    ", or none to hold the input until nothing is done for a minute");
  }
  return milliseconds(given.get<int64_t>());
}

HttpResponse take(InputLease& lease, const HttpRequest& request) {
  const Json body =
      request.body.empty() ? Json::object() : body_object(request, {"name", "for_ms"});
  lease.take(*request.principal, name_of_hold(body), time_of_hold(body));
  return HttpResponse::json(200, lease.state());
}

HttpResponse release(InputLease& lease, const HttpRequest& request) {
  const bool released = lease.give_back(*request.principal);
  Json body = lease.state();
  body["released"] = released;
  return HttpResponse::json(200, body);
}

}  // namespace

void add_lease_routes(Router& router, InputLease& lease) {
  router.add("GET", "/lease", Access::hands,
             [&lease](const HttpRequest&, const ResponderPtr& responder) {
               responder->send(HttpResponse::json(200, lease.state()));
             });
  router.add(
      "POST", "/lease/take", Access::hands,
      [&lease](const HttpRequest& request, const ResponderPtr& responder) {
        responder->send(take(lease, request));
      },
      Body::optional_json);
  router.add(
      "POST", "/lease/release", Access::hands,
      [&lease](const HttpRequest& request, const ResponderPtr& responder) {
        responder->send(release(lease, request));
      },
      Body::optional_json);
}

}  // namespace selfagent
