// HTTP as the routes see it, free of the server library: requests, answers, streams and WebSockets.
//
// Threads: handlers are called on the network thread and must not block. Responder, Stream and
// WebSocket may be used on any thread; what they do happens on the network thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/percent.h"
#include "net/request_headers.h"

namespace selfagent {

struct Principal;  // tool/principal.h

/// A request's body that is taken while it comes (HttpServer::Settings::streams_body). Thread-safe.
class RequestBody {
 public:
  enum class State {
    more,  ///< The client has not sent all of it.
    end,   ///< These bytes are the last.
    gone,  ///< The client went away, was too slow or broke the protocol: nothing more will come.
  };
  using Taker = std::function<void(std::string bytes, State state)>;

  virtual ~RequestBody() = default;
  /// Calls `take` once, on the network thread, with what has come, as soon as there is something,
  /// or the end. About 1 MiB is read ahead, then the client waits. The first call sends "100
  /// Continue" to a client that asked for it. Not again before `take` was called.
  virtual void next(Taker take) = 0;
};

struct HttpRequest {
  std::string method;  ///< upper case
  std::string path;    ///< decoded, without the query
  std::string query;   ///< raw
  std::string target;  ///< raw path and query
  std::string body;
  std::string peer;  ///< address of the client, for FailedLogins
  RequestHeaders headers;
  std::map<std::string, std::string> captures;  ///< parts of the path, e.g. "id"
  /// Who asks, valid for the daemon's life; null for a stranger at an open door. With --no-auth it
  /// is the owner.
  std::shared_ptr<const Principal> principal;
  /// Instead of `body` where bodies are streamed, otherwise null. An answer before its end closes
  /// the connection.
  std::shared_ptr<RequestBody> incoming;

  /// The header `name` (lower case), "" if absent.
  const std::string& header(std::string_view name) const;
  /// True for a page that a browser opens, as far as the browser says so.
  bool is_navigation() const { return header("sec-fetch-mode") == "navigate"; }
  /// The decoded query parameter `name`, or nothing.
  std::optional<std::string> query_value(const std::string& name) const;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpResponse {
  int status = 200;
  Headers headers;
  std::string body;

  static HttpResponse json(int status, const Json& body);
  static HttpResponse json_text(int status, std::string body);
  /// {"error":{"code","message"}}
  static HttpResponse error(int status, const std::string& code, const std::string& message);
  /// 303 with this Location; no cache keeps it.
  static HttpResponse see_other(const std::string& location);
  /// The status that fits the error's code (404 for not_found, ...).
  static HttpResponse error(const Error& error);
};

/// How often an event stream carries a comment, so that no proxy and no client takes it for dead.
inline constexpr std::chrono::seconds event_stream_keep_alive{15};

/// A response whose body is written piece by piece (Server-Sent Events, downloads).
class Stream {
 public:
  virtual ~Stream() = default;
  /// Queues `piece`. A client that lets more than 16 MiB pile up, or takes nothing for 30 s, is
  /// disconnected; open() is then false.
  virtual void write(std::string piece) = 0;
  /// Calls `ready` on the network thread when less than 1 MiB is queued.
  virtual void when_drained(std::function<void()> ready) = 0;
  virtual void end() = 0;
  /// Ends the connection, so that the client sees that something is missing.
  virtual void abort() = 0;
  virtual bool open() const = 0;
  /// Calls `closed` once on the network thread, after end() or when the client went away (at once
  /// if that has happened already).
  virtual void on_closed(std::function<void()> closed) = 0;
};

/// A client that lets more than 32 MiB pile up, or takes nothing for 30 s, is disconnected.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  virtual void send_text(std::string text) = 0;
  virtual void send_binary(std::string bytes) = 0;
  /// Bytes that are queued and not yet written.
  virtual size_t queued() const = 0;
  /// Sends a close frame and ends when the client has ended too; `reason` is cut to 123 bytes.
  virtual void close(int code, const std::string& reason) = 0;
};

struct WebSocketEvents {
  /// A whole message (fragments joined). `binary` tells the frame's kind.
  std::function<void(std::string message, bool binary)> on_message;
  /// Once, after which nothing more comes. Also drops the references that the callbacks hold.
  std::function<void()> on_close;
  size_t max_message = 32u << 20;  ///< bytes; a longer one ends the WebSocket with code 1009
};

/// The bytes of a connection that has been upgraded to what its handler alone understands. Network
/// thread only.
class Tunnel {
 public:
  virtual ~Tunnel() = default;
  virtual void write(std::string bytes) = 0;
  /// Bytes that are written and that the client has not taken.
  virtual size_t queued() const = 0;
  /// While paused nothing is received, and the client's end is not noticed.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  /// Ends when the client has taken everything.
  virtual void end() = 0;
};

struct TunnelEvents {
  std::function<void(std::string_view bytes)> on_bytes;
  /// Less than `tunnel_low_water` bytes are queued, after there were more.
  std::function<void()> on_drained;
  /// Once, after which nothing more comes. Also drops the references that the callbacks hold.
  std::function<void()> on_close;
};
inline constexpr size_t tunnel_low_water = 1u << 20;

/// Answers one request, exactly once.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual void send(HttpResponse response) = 0;
  /// In chunks, unless `headers` have the Content-Length: then exactly so many bytes must be
  /// written (none in answer to a HEAD).
  virtual std::shared_ptr<Stream> stream(int status, Headers headers) = 0;
  /// Calls `gone` on the network thread if the client goes away before the answer; call on the
  /// network thread.
  virtual void on_abandoned(std::function<void()> gone) = 0;
  /// True if the request asks for a WebSocket.
  virtual bool wants_web_socket() const = 0;
  /// Upgrades; call on the network thread. `subprotocol` is echoed unless empty.
  virtual std::shared_ptr<WebSocket> upgrade(const std::string& subprotocol,
                                             WebSocketEvents events) = 0;
  /// Answers 101 with `headers`; then the connection carries bytes as they are. Call on the network
  /// thread.
  virtual std::shared_ptr<Tunnel> tunnel(const Headers& headers, TunnelEvents events) = 0;
};

using ResponderPtr = std::shared_ptr<Responder>;
using HttpHandler = std::function<void(HttpRequest, ResponderPtr)>;

}  // namespace selfagent
