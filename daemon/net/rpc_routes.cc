// MCP Streamable HTTP as served here: every POST is answered with JSON; there is no session id and
// no GET stream (405), which the specification allows and every client copes with. A request needs
// no handshake.
#include "net/rpc_routes.h"

#include <algorithm>

#include "base/random.h"

namespace selfagent {

namespace {

HttpResponse rpc_answer(std::string text) {
  if (text.empty()) return {202, {}, ""};
  return HttpResponse::json_text(200, std::move(text));
}

// The header is optional; if it is there it must name a revision that is served.
std::optional<HttpResponse> refuse_revision(const HttpRequest& request) {
  const std::string& version = request.header("mcp-protocol-version");
  const auto& known = mcp::legacy_revisions();
  if (version.empty() || std::find(known.begin(), known.end(), version) != known.end()) {
    return std::nullopt;
  }
  std::string list;
  for (const auto& revision : known) list += (list.empty() ? "" : ", ") + revision;
  return HttpResponse::json_text(
      400, rpc::error_message(nullptr,
                              rpc::RpcError(-32000, "Bad Request: unsupported protocol version \"" +
                                                        version + "\" (supported: " + list + ")")));
}

void serve_post(const HttpRequest& request, const ResponderPtr& responder, ToolCaller& caller,
                const mcp::ServerIdentity& identity, bool tool_methods) {
  mcp::Connection::Options options;
  options.tool_methods = tool_methods;
  auto connection = std::make_shared<mcp::Connection>(caller, identity, options);
  // A script that hangs up wants its command stopped. An MCP client may hang up and go on: the
  // legacy revisions say that a disconnection is no cancellation.
  if (tool_methods) responder->on_abandoned([connection] { connection->close(); });
  rpc::answer(request.body, connection,
              [responder](std::string text) { responder->send(rpc_answer(std::move(text))); });
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

void add_rpc_routes(Router& router, ToolCaller& caller, const mcp::ServerIdentity& identity) {
  router.add("POST", "/mcp", Access::token,
             [&caller, identity](const HttpRequest& request, const ResponderPtr& responder) {
               if (auto refusal = refuse_revision(request)) return responder->send(*refusal);
               serve_post(request, responder, caller, identity, false);
             });
  // Claude Code opens its WebSocket at whatever URL it was given, often /mcp.
  router.add("GET", "/mcp", Access::token,
             [&caller, identity](const HttpRequest& request, const ResponderPtr& responder) {
               if (responder->wants_web_socket()) {
                 return serve_web_socket(request, responder, caller, identity);
               }
               responder->send(no_stream());
             });
  router.add(
      "DELETE", "/mcp", Access::token,
      [](const HttpRequest&, const ResponderPtr& responder) { responder->send(no_stream()); });
  router.add("POST", "/rpc", Access::token,
             [&caller, identity](const HttpRequest& request, const ResponderPtr& responder) {
               serve_post(request, responder, caller, identity, true);
             });
  router.add("GET", "/ws", Access::token,
             [&caller, identity](const HttpRequest& request, const ResponderPtr& responder) {
               serve_web_socket(request, responder, caller, identity);
             });
}

}  // namespace selfagent
