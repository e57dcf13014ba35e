// The answer to one POST of MCP's Streamable HTTP: JSON when it is quick, an event stream when it
// is not.
//
// The stream opens at once for tools that may be long, otherwise when the first notification comes
// or after a second. A comment every 15 s keeps it alive. In a legacy session of revision
// 2025-11-25 it survives its connection: every event has an id, and a GET with Last-Event-ID goes
// on after it. Source: MCP 2025-11-25 and 2026-07-28, Streamable HTTP.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/http.h"

namespace selfagent {

/// Thread-safe.
class McpAnswer : public std::enable_shared_from_this<McpAnswer> {
 public:
  struct Options {
    bool may_stream = false;  ///< the client accepts an event stream
    bool at_once = false;     ///< opens it without waiting for a reason
    /// Names the stream in event ids; "": it cannot be resumed.
    std::string stream_id;
    /// Called when the client hangs up on the stream; may be empty.
    std::function<void()> gone;
  };
  McpAnswer(ResponderPtr responder, Options options);

  /// Opens the stream if it shall open at once; call once, before anything else.
  void start();
  /// Sends a message before the answer; dropped if the client does not accept a stream.
  void notify(const std::string& message);
  /// The answer. The body of `response` is a JSON-RPC message, or empty.
  void finish(HttpResponse response);
  /// Opens the stream of a slow call, keeps an open one alive.
  void tick(Clock::time_point now);

  /// Closes the stream if the client can resume it.
  void release();
  /// Answers a GET with the events after `event`, and with what follows. False if that is not
  /// possible: the events are not kept, or there was none with this number.
  bool resume(const ResponderPtr& responder, size_t event);

  /// True if it is finished and nobody can come back for it after `time`.
  bool over(Clock::time_point time) const;

 private:
  void open(const ResponderPtr& responder);
  void write(std::string piece);
  void write_event(const std::string& message);
  std::string event(size_t number, const std::string& message) const;

  const Options options_;
  const Clock::time_point started_ = Clock::now();
  mutable std::mutex mutex_;  // protects the members below and the order of what is written
  ResponderPtr responder_;    // until it is used
  std::shared_ptr<Stream> stream_;
  Clock::time_point written_;
  std::vector<std::string> kept_;  // events 1, 2, … of a resumable stream
  size_t kept_bytes_ = 0;
  bool opened_ = false;
  bool too_large_ = false;  // too much to keep: not resumable any more
  bool done_ = false;
  Clock::time_point done_at_;
};

using McpAnswerPtr = std::shared_ptr<McpAnswer>;

/// The headers of an event stream.
Headers event_stream_headers();

}  // namespace selfagent
