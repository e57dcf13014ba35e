// Every POST is answered with JSON; there is no session id and no GET stream (405), which every
// revision allows and every client copes with. A legacy request needs no handshake. Source: MCP
// 2026-07-28 and 2025-11-25, Streamable HTTP.
#include "net/mcp_http.h"

#include <algorithm>

#include "base/base64.h"
#include "base/trim.h"
#include "mcp/envelope.h"

namespace selfagent {

namespace {

using rpc::RpcError;

bool contains(const std::vector<std::string>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

HttpResponse error_answer(int status, const Json& id, const RpcError& error) {
  return HttpResponse::json_text(status, rpc::error_message(id, error));
}

// A header value; one that ASCII cannot carry comes as =?base64?…?=.
std::string decoded(const std::string& value) {
  constexpr std::string_view begin = "=?base64?";
  constexpr std::string_view end = "?=";
  const std::string_view text = trim(value);
  if (text.size() < begin.size() + end.size() || !text.starts_with(begin) || !text.ends_with(end)) {
    return std::string(text);
  }
  return base64_decode(text.substr(begin.size(), text.size() - begin.size() - end.size()));
}

// The header says what the body says, or RpcError(header_mismatch).
void compare(const HttpRequest& http, const std::string& header, const std::string& body) {
  std::string said;
  try {
    said = decoded(http.header(header));
  } catch (const Error& error) {
    throw RpcError(mcp::header_mismatch, "Header mismatch: " + header + ": " + error.what());
  }
  if (said == body) return;
  throw RpcError(mcp::header_mismatch, "Header mismatch: " + header +
                                           (said.empty() ? " is missing" : " is \"" + said + "\"") +
                                           ", the body says \"" + body + "\"");
}

// What the headers of a modern request repeat.
void check_headers(const HttpRequest& http, const rpc::Request& request) {
  const std::string revision = mcp::named_revision(request.params);
  compare(http, "mcp-protocol-version", revision);
  mcp::check_revision(revision);
  compare(http, "mcp-method", request.method);
  for (const auto& [method, member] :
       {std::pair{"tools/call", "name"}, {"prompts/get", "name"}, {"resources/read", "uri"}}) {
    if (request.method != method || !request.params.contains(member)) continue;
    const Json& value = request.params[member];
    if (value.is_string()) compare(http, "mcp-name", value.get<std::string>());
  }
}

void serve_modern(const HttpRequest& http, rpc::Request request, const ResponderPtr& responder,
                  ToolCaller& caller, const mcp::ServerIdentity& identity) {
  const Json id = request.id;
  try {
    if (!request.notification) {
      mcp::check_envelope(request.params);
      check_headers(http, request);
    }
  } catch (const RpcError& error) {
    return responder->send(error_answer(400, id, error));
  }
  mcp::Connection::Options options;
  options.era = mcp::Era::modern;
  auto connection = std::make_shared<mcp::Connection>(caller, identity, options);
  // In this era a client that hangs up has cancelled.
  responder->on_abandoned([connection] { connection->close(); });
  const bool notification = request.notification;
  connection->handle(std::move(request), [responder, id, notification](rpc::Outcome outcome) {
    if (notification) return responder->send({202, {}, ""});
    if (const auto* error = std::get_if<RpcError>(&outcome)) {
      const int status = error->code == rpc::method_not_found ? 404 : 200;
      return responder->send(error_answer(status, id, *error));
    }
    responder->send(
        HttpResponse::json_text(200, rpc::result_message(id, std::get<std::string>(outcome))));
  });
}

std::string all_revisions() {
  std::string list;
  for (const auto* revisions : {&mcp::modern_revisions(), &mcp::legacy_revisions()}) {
    for (const auto& revision : *revisions) list += (list.empty() ? "" : ", ") + revision;
  }
  return list;
}

// The header of a legacy request is optional; if it is there it must fit the body.
std::optional<RpcError> legacy_problem(const std::string& version, const rpc::Incoming& incoming) {
  if (contains(mcp::modern_revisions(), version)) {
    return RpcError(mcp::header_mismatch,
                    "Header mismatch: mcp-protocol-version is \"" + version +
                        "\", but initialize and batches belong to older revisions");
  }
  if (!version.empty() && !contains(mcp::legacy_revisions(), version)) {
    return RpcError(-32000, "Bad Request: unsupported protocol version \"" + version +
                                "\" (supported: " + all_revisions() + ")");
  }
  if (incoming.batch && version >= "2025-06-18") {
    return RpcError(rpc::invalid_request, "Invalid Request",
                    {{"detail", "revision " + version + " has no batches: POST one message"}});
  }
  return std::nullopt;
}

}  // namespace

void serve_mcp_post(const HttpRequest& request, const ResponderPtr& responder, ToolCaller& caller,
                    const mcp::ServerIdentity& identity) {
  rpc::Incoming incoming = rpc::parse(request.body);
  const std::string version(trim(request.header("mcp-protocol-version")));
  const bool one_request = !incoming.batch && incoming.messages.size() == 1 &&
                           incoming.messages[0].kind == rpc::Message::Kind::request;
  if (one_request) {
    rpc::Request& only = incoming.messages[0].request;
    const bool enveloped = mcp::has_envelope(only.params);
    const bool modern_header = contains(mcp::modern_revisions(), version);
    if (enveloped || (modern_header && only.method != "initialize")) {
      return serve_modern(request, std::move(only), responder, caller, identity);
    }
  }
  for (const auto& message : incoming.messages) {
    if (incoming.batch && mcp::has_envelope(message.request.params)) {
      return responder->send(error_answer(
          400, nullptr,
          RpcError(rpc::invalid_request, "Invalid Request",
                   {{"detail", "revision 2026-07-28 has no batches: POST one message"}})));
    }
  }
  if (const auto problem = legacy_problem(version, incoming)) {
    return responder->send(
        error_answer(400, one_request ? incoming.messages[0].request.id : Json(), *problem));
  }
  mcp::Connection::Options options;
  options.era = mcp::Era::legacy;
  auto connection = std::make_shared<mcp::Connection>(caller, identity, options);
  // A legacy client may hang up and go on: for it a disconnection is no cancellation.
  rpc::answer(std::move(incoming), connection, [responder](std::string text) {
    if (text.empty()) return responder->send({202, {}, ""});
    responder->send(HttpResponse::json_text(200, std::move(text)));
  });
}

}  // namespace selfagent
