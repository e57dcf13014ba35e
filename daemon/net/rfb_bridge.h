// /vnc: carries RFB bytes between a WebSocket and the X server's unix socket, as websockify does.
#pragma once

#include <string>

#include "net/router.h"

namespace asio {
class io_context;
}

namespace selfagent {

/// Adds GET /vnc. `socket_path` is Xvnc's -rfbunixpath; "" makes the route answer that there is
/// none.
void add_rfb_route(Router& router, asio::io_context& io, const std::string& socket_path);

}  // namespace selfagent
