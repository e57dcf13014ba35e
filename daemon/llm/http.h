// One HTTP request at a time to a model server, over a connection that is kept, and that can be
// stopped at any moment.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "llm/client.h"

namespace selfagent {

struct HttpPost {
  std::string url;
  std::vector<std::string> headers;  ///< "Name: value"
  std::string body;
  bool get = false;  ///< a GET, without the body
};

struct HttpAnswer {
  int status = 0;
  std::string location;                     ///< of a redirect, "" if none
  std::optional<milliseconds> retry_after;  ///< Retry-After or retry-after-ms
  std::string error_body;  ///< the first 64 KiB of an answer with another status than 200
};

/// True for addresses of this machine and of private networks (loopback, RFC 1918, link-local, RFC
/// 4193, RFC 6598).
bool is_local_address(const std::string& ip);

/// The wait that a Retry-After header asks for: seconds, or a date. Nothing if `value` is neither.
std::optional<milliseconds> parse_retry_after(const std::string& value);

/// Not thread-safe; blocking.
class HttpConnection {
 public:
  HttpConnection();
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Sends `post` and gives the body of an answer with status 200 to `on_body`, piece by piece;
  /// what `on_body` throws ends the exchange and comes out here. After `on_body` has returned false
  /// the rest is read and dropped, for at most 100 ms. Throws Error(cancelled) at once at `stop`,
  /// ModelFailure for everything that goes wrong below HTTP.
  HttpAnswer post(const HttpPost& post, const LlmTimeouts& timeouts, const std::stop_token& stop,
                  const std::function<bool(std::string_view)>& on_body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace selfagent
