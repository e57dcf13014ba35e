#include "net/mcp_sessions.h"

#include <charconv>
#include <vector>

#include "base/random.h"

namespace selfagent {

namespace {

constexpr auto longest_idle = std::chrono::hours(1);
constexpr size_t most_of_one_principal = 200;
constexpr auto kept_for = std::chrono::minutes(5);
constexpr size_t most_kept_answers = 32;

// "7-2": event 2 of stream 7.
bool parse_event_id(const std::string& id, uint64_t& stream, size_t& event) {
  const char* end = id.data() + id.size();
  const auto [dash, stream_error] = std::from_chars(id.data(), end, stream);
  if (stream_error != std::errc() || dash == end || *dash != '-') return false;
  const auto [stop, event_error] = std::from_chars(dash + 1, end, event);
  return event_error == std::errc() && stop == end;
}

}  // namespace

McpSession::McpSession(mcp::Server& server, const Principal* principal)
    : server_(server), principal_(principal), id_(random_hex(16)) {}

std::shared_ptr<mcp::Connection> McpSession::connection() {
  const std::lock_guard lock(mutex_);
  if (!connection_) {
    mcp::Connection::Options options;
    options.principal = principal_;
    options.era = mcp::Era::legacy;
    options.client = "http-" + id_;
    options.exchange.notify = [weak = weak_from_this()](const std::string& message) {
      if (const auto self = weak.lock()) self->send(message);
    };
    connection_ = std::make_shared<mcp::Connection>(server_, options);
  }
  return connection_;
}

void McpSession::send(const std::string& message) {
  const std::lock_guard lock(mutex_);
  if (!stream_ || !stream_->open()) return;
  stream_->write("event: message\ndata: " + message + "\n\n");
  written_ = Clock::now();
}

void McpSession::listen(const HttpRequest& request, const ResponderPtr& responder) {
  const std::string& last = request.header("last-event-id");
  McpAnswerPtr answer;
  size_t event = 0;
  if (!last.empty()) {
    uint64_t stream = 0;
    const std::lock_guard lock(mutex_);
    if (parse_event_id(last, stream, event) && answers_.contains(stream)) {
      answer = answers_.at(stream);
    }
  }
  if (answer && answer->resume(responder, event)) return;
  auto stream = responder->stream(200, event_stream_headers());
  stream->write(":\n\n");
  {
    const std::lock_guard lock(mutex_);
    written_ = Clock::now();
    std::swap(stream_, stream);
  }
  if (stream) stream->end();
}

std::string McpSession::new_stream_id() {
  if (connection()->revision() < "2025-11-25") return "";
  const std::lock_guard lock(mutex_);
  return std::to_string(next_stream_++);
}

void McpSession::keep(const std::string& stream_id, const McpAnswerPtr& answer) {
  if (stream_id.empty()) return;
  const std::lock_guard lock(mutex_);
  answers_.emplace(std::stoull(stream_id), answer);
}

void McpSession::touch() {
  const std::lock_guard lock(mutex_);
  used_ = Clock::now();
}

Clock::time_point McpSession::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

bool McpSession::idle_since(Clock::time_point time) const {
  const std::lock_guard lock(mutex_);
  return used_ < time && (!stream_ || !stream_->open());
}

void McpSession::tick(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (stream_ && now - written_ >= event_stream_keep_alive) {
    stream_->write(":\n\n");
    written_ = now;
  }
  // The oldest first. Of many, those that are finished go at once.
  for (auto at = answers_.begin(); at != answers_.end();) {
    const auto since = answers_.size() > most_kept_answers ? now : now - kept_for;
    at = at->second->over(since) ? answers_.erase(at) : std::next(at);
  }
}

void McpSession::close() {
  std::shared_ptr<mcp::Connection> connection;
  std::shared_ptr<Stream> stream;
  {
    const std::lock_guard lock(mutex_);
    connection = connection_;
    stream = std::move(stream_);
    answers_.clear();
  }
  if (connection) connection->close();
  if (stream) stream->end();
}

McpSessionPtr McpSessions::create(const Principal* principal) {
  auto session = std::make_shared<McpSession>(server_, principal);
  std::vector<McpSessionPtr> surplus;
  {
    const std::lock_guard lock(mutex_);
    std::vector<McpSessionPtr> own;
    for (const auto& [id, other] : sessions_) {
      if (&other->principal() == principal) own.push_back(other);
    }
    if (own.size() >= most_of_one_principal) {
      McpSessionPtr oldest;
      for (const auto& other : own) {
        if (!oldest || other->used() < oldest->used()) oldest = other;
      }
      sessions_.erase(oldest->id());
      surplus.push_back(oldest);
    }
    sessions_.emplace(session->id(), session);
  }
  for (const auto& old : surplus) old->close();
  return session;
}

McpSessionPtr McpSessions::find(const std::string& id, const Principal& principal) {
  const std::lock_guard lock(mutex_);
  const auto at = sessions_.find(id);
  if (at == sessions_.end() || &at->second->principal() != &principal) return nullptr;
  at->second->touch();
  return at->second;
}

bool McpSessions::end(const std::string& id, const Principal& principal) {
  const McpSessionPtr session = find(id, principal);
  if (!session) return false;
  {
    const std::lock_guard lock(mutex_);
    sessions_.erase(id);
  }
  session->close();
  return true;
}

void McpSessions::tick(Clock::time_point now) {
  std::vector<McpSessionPtr> alive;
  std::vector<McpSessionPtr> over;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = sessions_.begin(); at != sessions_.end();) {
      const bool idle = at->second->idle_since(now - longest_idle);
      (idle ? over : alive).push_back(at->second);
      at = idle ? sessions_.erase(at) : std::next(at);
    }
  }
  for (const auto& session : over) session->close();
  for (const auto& session : alive) session->tick(now);
}

void McpSessions::end_all() {
  std::map<std::string, McpSessionPtr> sessions;
  {
    const std::lock_guard lock(mutex_);
    sessions.swap(sessions_);
  }
  for (const auto& [id, session] : sessions) session->close();
}

}  // namespace selfagent
