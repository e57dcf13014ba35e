// Sessions of legacy clients over HTTP: what initialize began and DELETE ends.
//
// The id is random and no login: every request needs the token as well, and a session is found by
// the holder of the token that began it alone. Source: MCP 2025-11-25, Session Management.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "mcp/connection.h"
#include "net/mcp_answer.h"

namespace selfagent {

/// One client. Thread-safe.
class McpSession : public std::enable_shared_from_this<McpSession> {
 public:
  McpSession(mcp::Server& server, const Principal* principal);

  const std::string& id() const { return id_; }
  const Principal& principal() const { return *principal_; }
  /// What the requests of this session go to.
  std::shared_ptr<mcp::Connection> connection();

  /// Answers a GET: the stream for what belongs to no request, or, with Last-Event-ID, the rest of
  /// an answer's stream. A second GET stream replaces the first.
  void listen(const HttpRequest& request, const ResponderPtr& responder);

  /// The id for the stream of a new answer, which keep() then takes; "" if the client's revision
  /// does not know resumption.
  std::string new_stream_id();
  void keep(const std::string& stream_id, const McpAnswerPtr& answer);

  void touch();
  Clock::time_point used() const;
  bool idle_since(Clock::time_point time) const;
  void tick(Clock::time_point now);
  void close();

 private:
  void send(const std::string& message);

  mcp::Server& server_;
  const Principal* const principal_;
  const std::string id_;
  mutable std::mutex mutex_;  // protects the members below
  std::shared_ptr<mcp::Connection> connection_;
  std::shared_ptr<Stream> stream_;
  Clock::time_point written_;
  Clock::time_point used_ = Clock::now();
  std::map<uint64_t, McpAnswerPtr> answers_;  // by stream number
  uint64_t next_stream_ = 1;
};

using McpSessionPtr = std::shared_ptr<McpSession>;

/// All sessions. One that nobody used for an hour ends; a principal has at most 200, the one unused
/// for longest ends for a new one. Thread-safe.
class McpSessions {
 public:
  explicit McpSessions(mcp::Server& server) : server_(server) {}

  McpSessionPtr create(const Principal* principal);
  /// The session `id` if it is `principal`'s, otherwise null.
  McpSessionPtr find(const std::string& id, const Principal& principal);
  /// Ends the session. False if there is none, or it is another principal's.
  bool end(const std::string& id, const Principal& principal);
  void tick(Clock::time_point now);
  void end_all();

 private:
  mcp::Server& server_;
  std::mutex mutex_;  // protects sessions_
  std::map<std::string, McpSessionPtr> sessions_;
};

}  // namespace selfagent
