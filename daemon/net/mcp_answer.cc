#include "net/mcp_answer.h"

namespace selfagent {

namespace {

constexpr auto patience = std::chrono::seconds(1);
// A picture or two; a client that lost more asks again.
constexpr size_t most_kept_bytes = 16 << 20;
// How soon the client comes back for the rest, in milliseconds.
constexpr const char* retry = "500";

}  // namespace

Headers event_stream_headers() {
  return {{"Content-Type", "text/event-stream"},
          {"Cache-Control", "no-store"},
          {"X-Accel-Buffering", "no"}};
}

McpAnswer::McpAnswer(ResponderPtr responder, Options options)
    : options_(std::move(options)), responder_(std::move(responder)) {}

void McpAnswer::start() {
  if (!options_.may_stream || !options_.at_once) return;
  const std::lock_guard lock(mutex_);
  if (!done_ && !opened_) open(responder_);
}

std::string McpAnswer::event(size_t number, const std::string& message) const {
  std::string out;
  out.reserve(message.size() + 64);
  if (!options_.stream_id.empty()) {
    out = "id: " + options_.stream_id + "-" + std::to_string(number) + "\n";
  }
  out += "event: message\ndata: ";
  out += message;
  out += "\n\n";
  return out;
}

void McpAnswer::open(const ResponderPtr& responder) {
  stream_ = responder->stream(200, event_stream_headers());
  if (options_.gone) stream_->on_closed(options_.gone);
  // Sends the head: a client waits a minute for it.
  if (options_.stream_id.empty()) {
    write(":\n\n");
  } else if (!opened_) {
    write("id: " + options_.stream_id + "-0\nretry: " + retry + "\ndata: \n\n");
  }
  opened_ = true;
  responder_ = nullptr;
}

void McpAnswer::write(std::string piece) {
  if (stream_) stream_->write(std::move(piece));
  written_ = Clock::now();
}

void McpAnswer::write_event(const std::string& message) {
  if (!options_.stream_id.empty() && !too_large_) {
    kept_bytes_ += message.size();
    kept_.push_back(message);
    if (kept_bytes_ > most_kept_bytes) {
      too_large_ = true;
      const size_t count = kept_.size();
      kept_.clear();
      return write(event(count, message));
    }
  }
  write(event(kept_.size(), message));
}

void McpAnswer::notify(const std::string& message) {
  const std::lock_guard lock(mutex_);
  if (done_ || !options_.may_stream) return;
  if (!opened_) open(responder_);
  write_event(message);
}

void McpAnswer::finish(HttpResponse response) {
  const std::lock_guard lock(mutex_);
  done_ = true;
  done_at_ = Clock::now();
  if (!opened_) return std::exchange(responder_, nullptr)->send(std::move(response));
  if (!response.body.empty()) write_event(response.body);
  if (stream_) std::exchange(stream_, nullptr)->end();
}

void McpAnswer::tick(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (done_ || !options_.may_stream) return;
  if (!opened_ && now - started_ >= patience) open(responder_);
  if (stream_ && now - written_ >= event_stream_keep_alive) write(":\n\n");
}

void McpAnswer::release() {
  const std::lock_guard lock(mutex_);
  if (options_.stream_id.empty() || too_large_ || !stream_) return;
  std::exchange(stream_, nullptr)->end();
}

bool McpAnswer::resume(const ResponderPtr& responder, size_t event_number) {
  const std::lock_guard lock(mutex_);
  if (options_.stream_id.empty() || too_large_ || !opened_ || event_number > kept_.size()) {
    return false;
  }
  if (stream_) stream_->end();
  open(responder);
  write(":\n\n");
  for (size_t i = event_number; i < kept_.size(); ++i) write(event(i + 1, kept_[i]));
  if (done_) std::exchange(stream_, nullptr)->end();
  return true;
}

bool McpAnswer::over(Clock::time_point time) const {
  const std::lock_guard lock(mutex_);
  return done_ && (!opened_ || too_large_ || done_at_ < time);
}

}  // namespace selfagent
