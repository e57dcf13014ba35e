// Passes requests on to a server behind a unix socket, and its answers back.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/clock.h"
#include "net/http.h"

namespace asio {
class io_context;
}

namespace selfagent {

/// The server behind.
struct Upstream {
  std::string socket;  ///< path of its unix socket
  std::string name;    ///< for messages, e.g. "JupyterLab"
  /// Who must have opened the socket: its folder belongs to a user whom a wrong link there could
  /// lead to a socket of somebody else's.
  uid_t owner = 0;
  /// A server that takes nothing for so long is given up: until then its client's end goes
  /// unnoticed, because nothing is read from the client.
  milliseconds stall_limit = std::chrono::minutes(2);
};

/// Answers `request` with what the server behind answers, WebSockets included. Bodies pass in both
/// directions as they come, about 1 MiB at a time: a side that stalls stalls the other. The request
/// must be one whose body is streamed (HttpServer::Settings::streams_body) and admitted; what is
/// left out of the heads is told in net/proxy_heads.h. 502 says why there is no answer; a browser
/// that wanted to show it gets a page that tries again. Network thread.
void pass_on(asio::io_context& io, const Upstream& upstream, HttpRequest request,
             const ResponderPtr& responder);

}  // namespace selfagent
