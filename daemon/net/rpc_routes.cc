#include "net/rpc_routes.h"

#include <algorithm>

#include "base/random.h"

namespace selfagent {

namespace {

void serve_rpc_post(const HttpRequest& request, const ResponderPtr& responder, ToolCaller& caller,
                    const mcp::ServerIdentity& identity) {
  mcp::Connection::Options options;
  options.tool_methods = true;
  auto connection = std::make_shared<mcp::Connection>(caller, identity, options);
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

void serve_web_socket(const HttpRequest& request, const ResponderPtr& responder, ToolCaller& caller,
                      const mcp::ServerIdentity& identity) {
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
  options.tool_methods = true;
  options.client = random_hex(8);
  options.notify = send;
  auto connection = std::make_shared<mcp::Connection>(caller, identity, options);
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
}

HttpResponse no_stream() {
  auto response = HttpResponse::error(405, "invalid_argument",
                                      "there is no event stream here: POST one JSON-RPC message");
  response.headers.emplace_back("Allow", "POST");
  return response;
}

}  // namespace

void add_rpc_routes(Router& router, ToolCaller& caller, const mcp::ServerIdentity& identity,
                    McpEndpoint& mcp) {
  router.add("POST", "/mcp", Access::tools,
             [&mcp](const HttpRequest& request, const ResponderPtr& responder) {
               mcp.post(request, responder);
             });
  // Claude Code opens its WebSocket at whatever URL it was given, often /mcp.
  router.add("GET", "/mcp", Access::tools,
             [&caller, identity](const HttpRequest& request, const ResponderPtr& responder) {
               if (responder->wants_web_socket()) {
                 return serve_web_socket(request, responder, caller, identity);
               }
               responder->send(no_stream());
             });
  router.add(
      "DELETE", "/mcp", Access::tools,
      [](const HttpRequest&, const ResponderPtr& responder) { responder->send(no_stream()); });
  router.add("POST", "/rpc", Access::tools,
             [&caller, identity](const HttpRequest& request, const ResponderPtr& responder) {
               serve_rpc_post(request, responder, caller, identity);
             });
  router.add("GET", "/ws", Access::tools,
             [&caller, identity](const HttpRequest& request, const ResponderPtr& responder) {
               serve_web_socket(request, responder, caller, identity);
             });
}

}  // namespace selfagent
