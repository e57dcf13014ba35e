#include "net/rpc_routes.h"

#include <algorithm>

#include "base/random.h"

namespace selfagent {

namespace {

void serve_rpc_post(const HttpRequest& request, const ResponderPtr& responder,
                    mcp::Server& server) {
  mcp::Connection::Options options;
  options.principal = request.principal.get();
  options.tool_methods = true;
  auto connection = std::make_shared<mcp::Connection>(server, options);
  // A script that hangs up wants its command stopped.
  responder->on_abandoned([connection] { connection->close(); });
  rpc::answer(request.body, connection, [responder](std::string text) {
    if (text.empty()) return responder->send({202, {}, ""});
    responder->send(HttpResponse::json_text(200, std::move(text)));
  });
}

bool offers_mcp(const HttpRequest& request) {
  std::string offered = "," + request.header("sec-websocket-protocol") + ",";
  offered.erase(std::remove(offered.begin(), offered.end(), ' '), offered.end());
  return offered.find(",mcp,") != std::string::npos;
}

void serve_web_socket(const HttpRequest& request, const ResponderPtr& responder,
                      mcp::Server& server, McpEndpoint& mcp) {
  if (!responder->wants_web_socket()) {
    return responder->send(
        HttpResponse::error(400, "invalid_argument",
                            "this is a WebSocket endpoint: connect with ws://, or POST to /rpc"));
  }
  // The socket exists only after the upgrade, the callbacks before: they meet in this box.
  auto socket = std::make_shared<std::weak_ptr<WebSocket>>();
  const auto send = [socket](std::string text) {
    if (const auto open = socket->lock(); open && !text.empty()) open->send_text(std::move(text));
  };
  mcp::Connection::Options options;
  options.principal = request.principal.get();
  options.tool_methods = true;
  options.client = random_hex(8);
  options.exchange = {send, true};
  auto connection = std::make_shared<mcp::Connection>(server, options);
  WebSocketEvents events;
  events.on_message = [connection, socket, send](const std::string& message, bool binary) {
    if (binary) {
      send(rpc::error_message(
          nullptr,
          rpc::RpcError(rpc::invalid_request, "Invalid Request",
                        {{"detail", "binary frames are not served: send JSON as text frames"}})));
      return;
    }
    rpc::answer(message, connection, send);
  };
  events.on_close = [connection] { connection->close(); };
  *socket = responder->upgrade(offers_mcp(request) ? "mcp" : "", std::move(events));
  mcp.track(connection);
}

}  // namespace

void add_rpc_routes(Router& router, mcp::Server& server, McpEndpoint& mcp) {
  router.add("POST", "/mcp", Access::tools,
             [&mcp](const HttpRequest& request, const ResponderPtr& responder) {
               mcp.post(request, responder);
             });
  // Claude Code opens its WebSocket at whatever URL it was given, often /mcp.
  router.add("GET", "/mcp", Access::tools,
             [&mcp, &server](const HttpRequest& request, const ResponderPtr& responder) {
               if (responder->wants_web_socket()) {
                 return serve_web_socket(request, responder, server, mcp);
               }
               mcp.get(request, responder);
             });
  router.add("DELETE", "/mcp", Access::tools,
             [&mcp](const HttpRequest& request, const ResponderPtr& responder) {
               mcp.end_session(request, responder);
             });
  router.add("POST", "/rpc", Access::tools,
             [&server](const HttpRequest& request, const ResponderPtr& responder) {
               serve_rpc_post(request, responder, server);
             });
  router.add("GET", "/ws", Access::tools,
             [&server, &mcp](const HttpRequest& request, const ResponderPtr& responder) {
               serve_web_socket(request, responder, server, mcp);
             });
}

}  // namespace selfagent
