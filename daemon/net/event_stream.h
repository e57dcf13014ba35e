// Server-Sent Events: the stored events of a conversation or a job, then the live ones, without a
// gap.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/worker_pool.h"
#include "net/http.h"
#include "store/store.h"

namespace asio {
class io_context;
}

namespace selfagent {

/// Which events a stream carries and when it ends.
struct EventQuery {
  std::string conversation_id;  ///< "": all events of job_id
  std::string job_id;           ///< with conversation_id: only this job's events
  int64_t after = 0;            ///< events with a larger seq
  /// The stream ends after the first stored or live event for which this is true; empty: never.
  std::function<bool(const Event&)> last;
  std::string greeting;  ///< text sent first, e.g. an event of its own
};

/// Makes streams and keeps them alive with a comment every 15 s, so that proxies do not cut them.
/// Thread-safe.
class EventStreams {
 public:
  EventStreams(asio::io_context& io, WorkerPool& pool, Store& store);
  ~EventStreams();

  /// Answers `responder` with the stream.
  void serve(const ResponderPtr& responder, EventQuery query);

  /// Ends every stream; network thread.
  void stop();

 private:
  class Feed;
  struct Ticker;
  void tick();

  WorkerPool& pool_;
  Store& store_;
  std::unique_ptr<Ticker> ticker_;
  std::mutex mutex_;  // protects feeds_
  std::vector<std::weak_ptr<Feed>> feeds_;
};

/// The position from which a client wants to go on: Last-Event-ID, or ?after=, or 0.
/// Throws Error(invalid_argument) if it is no number.
int64_t resume_position(const HttpRequest& request);

}  // namespace selfagent
