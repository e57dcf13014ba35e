// There is no session id and no GET stream (405), which every revision allows and every client
// copes with. A legacy request needs no handshake. Source: MCP 2026-07-28 and 2025-11-25,
// Streamable HTTP.
#include "net/mcp_http.h"

#include <algorithm>
#include <asio.hpp>
#include <chrono>

#include "base/base64.h"
#include "base/clock.h"
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

bool is_one_request(const rpc::Incoming& incoming) {
  return !incoming.batch && incoming.messages.size() == 1 &&
         incoming.messages[0].kind == rpc::Message::Kind::request;
}

// Notifications go to the answer that `answering` will hold.
template <class Answer>
mcp::Notify notify_through(const std::shared_ptr<std::weak_ptr<Answer>>& answering) {
  return [answering](const std::string& message) {
    if (const auto answer = answering->lock()) answer->notify(message);
  };
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

// One answer on its way.
class McpEndpoint::Answer : public std::enable_shared_from_this<Answer> {
 public:
  Answer(ResponderPtr responder, bool may_stream, std::function<void()> gone)
      : responder_(std::move(responder)), may_stream_(may_stream), gone_(std::move(gone)) {}

  void notify(const std::string& message) {
    const std::lock_guard lock(mutex_);
    if (done_ || !may_stream_) return;
    open();
    write(event(message));
  }

  void finish(HttpResponse response) {
    const std::lock_guard lock(mutex_);
    done_ = true;
    if (!stream_) return responder_->send(std::move(response));
    write(event(response.body));
    stream_->end();
  }

  void tick(Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    if (done_ || !may_stream_) return;
    if (!stream_ && now - started_ >= patience) open();
    if (stream_ && now - written_ >= keep_alive) write(":\n\n");
  }

 private:
  static constexpr auto patience = std::chrono::seconds(1);
  static constexpr auto keep_alive = std::chrono::seconds(15);

  static std::string event(const std::string& message) {
    return "event: message\ndata: " + message + "\n\n";
  }

  void open() {
    if (stream_) return;
    stream_ = responder_->stream(200, {{"Content-Type", "text/event-stream"},
                                       {"Cache-Control", "no-store"},
                                       {"X-Accel-Buffering", "no"}});
    if (gone_) stream_->on_closed(gone_);
    write(":\n\n");  // sends the head: a client waits a minute for it
  }

  void write(std::string piece) {
    stream_->write(std::move(piece));
    written_ = Clock::now();
  }

  const ResponderPtr responder_;
  const bool may_stream_;
  const std::function<void()> gone_;
  const Clock::time_point started_ = Clock::now();
  std::mutex mutex_;  // protects the members below and the order of what is written
  std::shared_ptr<Stream> stream_;
  Clock::time_point written_;
  bool done_ = false;
};

struct McpEndpoint::Ticker {
  explicit Ticker(asio::io_context& io) : timer(io) {}
  asio::steady_timer timer;
};

McpEndpoint::McpEndpoint(asio::io_context& io, ToolCaller& caller, mcp::ServerIdentity identity)
    : caller_(caller), identity_(std::move(identity)), ticker_(std::make_unique<Ticker>(io)) {
  tick();
}

McpEndpoint::~McpEndpoint() = default;

void McpEndpoint::stop() { ticker_->timer.cancel(); }

void McpEndpoint::tick() {
  ticker_->timer.expires_after(std::chrono::milliseconds(500));
  ticker_->timer.async_wait([this](const std::error_code& error) {
    if (error) return;
    const Clock::time_point now = Clock::now();
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(answers_, [&](const auto& weak) {
        const auto answer = weak.lock();
        if (answer) answer->tick(now);
        return !answer;
      });
    }
    tick();
  });
}

std::shared_ptr<McpEndpoint::Answer> McpEndpoint::answer(const HttpRequest& request,
                                                         const ResponderPtr& responder,
                                                         const rpc::Request& call,
                                                         std::function<void()> gone) {
  const bool may_stream = call.method == "tools/call" && !call.notification &&
                          request.header("accept").find("text/event-stream") != std::string::npos;
  auto answer = std::make_shared<Answer>(responder, may_stream, std::move(gone));
  if (may_stream) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(answer);
  }
  return answer;
}

void McpEndpoint::post(const HttpRequest& request, const ResponderPtr& responder) {
  rpc::Incoming incoming = rpc::parse(request.body);
  if (is_one_request(incoming)) {
    rpc::Request& only = incoming.messages[0].request;
    const std::string_view version = trim(request.header("mcp-protocol-version"));
    const bool modern_header = contains(mcp::modern_revisions(), std::string(version));
    if (mcp::has_envelope(only.params) || (modern_header && only.method != "initialize")) {
      return post_modern(request, std::move(only), responder);
    }
  }
  post_legacy(request, std::move(incoming), responder);
}

void McpEndpoint::post_modern(const HttpRequest& http, rpc::Request request,
                              const ResponderPtr& responder) {
  const Json id = request.id;
  try {
    if (!request.notification) {
      mcp::check_envelope(request.params);
      check_headers(http, request);
    }
  } catch (const RpcError& error) {
    return responder->send(error_answer(400, id, error));
  }
  // The connection tells its answer of progress, the answer tells the connection of a hang-up.
  auto answering = std::make_shared<std::weak_ptr<Answer>>();
  mcp::Connection::Options options;
  options.era = mcp::Era::modern;
  options.notify = notify_through(answering);
  auto connection = std::make_shared<mcp::Connection>(caller_, identity_, options);
  // In this era a client that hangs up has cancelled.
  const auto gone = [connection] { connection->close(); };
  responder->on_abandoned(gone);
  const auto reply = answer(http, responder, request, gone);
  *answering = reply;
  const bool notification = request.notification;
  connection->handle(std::move(request), [reply, id, notification](rpc::Outcome outcome) {
    if (notification) return reply->finish({202, {}, ""});
    if (const auto* error = std::get_if<RpcError>(&outcome)) {
      const int status = error->code == rpc::method_not_found ? 404 : 200;
      return reply->finish(error_answer(status, id, *error));
    }
    reply->finish(
        HttpResponse::json_text(200, rpc::result_message(id, std::get<std::string>(outcome))));
  });
}

void McpEndpoint::post_legacy(const HttpRequest& http, rpc::Incoming incoming,
                              const ResponderPtr& responder) {
  const std::string version(trim(http.header("mcp-protocol-version")));
  const rpc::Request first =
      is_one_request(incoming) ? incoming.messages[0].request : rpc::Request{};
  for (const auto& message : incoming.messages) {
    if (incoming.batch && mcp::has_envelope(message.request.params)) {
      return responder->send(error_answer(
          400, nullptr,
          RpcError(rpc::invalid_request, "Invalid Request",
                   {{"detail", "revision 2026-07-28 has no batches: POST one message"}})));
    }
  }
  if (const auto problem = legacy_problem(version, incoming)) {
    return responder->send(error_answer(400, first.id, *problem));
  }
  auto answering = std::make_shared<std::weak_ptr<Answer>>();
  mcp::Connection::Options options;
  options.era = mcp::Era::legacy;
  options.notify = notify_through(answering);
  auto connection = std::make_shared<mcp::Connection>(caller_, identity_, options);
  // A legacy client may hang up and go on: for it a disconnection is no cancellation.
  const auto reply = answer(http, responder, first, {});
  *answering = reply;
  rpc::answer(std::move(incoming), connection, [reply](std::string text) {
    if (text.empty()) return reply->finish({202, {}, ""});
    reply->finish(HttpResponse::json_text(200, std::move(text)));
  });
}

}  // namespace selfagent
