#include "net/event_stream.h"

#include <asio.hpp>
#include <charconv>

#include "base/clock.h"
#include "base/log.h"

namespace selfagent {

namespace {

constexpr size_t page = 500;

std::string format(const Event& event) {
  std::string out;
  if (event.seq > 0) out += "id: " + std::to_string(event.seq) + "\n";
  Json data = {{"seq", event.seq},
               {"ts_ms", event.ts_ms},
               {"kind", event.kind},
               {"conversation_id", event.conversation_id},
               {"job_id", event.job_id}};
  if (event.data.is_object()) data.update(event.data);
  return out + "event: " + event.kind + "\ndata: " + dump_json(data) + "\n\n";
}

}  // namespace

// One client. The listener runs on appending threads, the replay on a worker, the end on the
// network thread.
class EventStreams::Feed : public std::enable_shared_from_this<Feed> {
 public:
  Feed(Store& store, EventQuery query, std::shared_ptr<Stream> stream)
      : store_(store), query_(std::move(query)), stream_(std::move(stream)) {}

  // Subscribes before anything is read, so that no event can fall between the replay and the live
  // ones.
  void subscribe() {
    stream_->on_closed([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->release();
    });
    auto subscription = store_.subscribe([weak = weak_from_this()](const Event& event) {
      if (const auto self = weak.lock()) self->live(event);
    });
    const std::lock_guard lock(mutex_);
    subscription_ = std::move(subscription);
    keep_ = shared_from_this();
  }

  void replay() {
    int64_t after = query_.after;
    while (stream_->open()) {
      const auto events = store_.events(query_.conversation_id, query_.job_id, after, page);
      for (const auto& event : events) {
        after = event.seq;
        if (matches(event) && send(event)) return;
      }
      if (events.size() < page) break;
    }
    const std::lock_guard lock(mutex_);
    for (const auto& event : pending_) {
      if (event.seq != 0 && event.seq <= after) continue;
      if (send(event)) return;
    }
    pending_.clear();
    stream_->write("event: caught_up\ndata: {\"ts_ms\":" + std::to_string(unix_ms()) + "}\n\n");
    live_ = true;
  }

  void keep_alive() { stream_->write(":\n\n"); }
  void end() { stream_->end(); }

 private:
  bool matches(const Event& event) const {
    if (query_.conversation_id.empty()) return event.job_id == query_.job_id;
    return event.conversation_id == query_.conversation_id &&
           (query_.job_id.empty() || event.job_id == query_.job_id);
  }

  // Returns true if this was the last one.
  bool send(const Event& event) {
    if (ended_) return true;
    stream_->write(format(event));
    if (!query_.last || !query_.last(event)) return false;
    ended_ = true;
    stream_->end();
    return true;
  }

  void live(const Event& event) {
    if (!matches(event)) return;
    const std::lock_guard lock(mutex_);
    if (live_) {
      send(event);
    } else {
      pending_.push_back(event);
    }
  }

  void release() {
    std::unique_ptr<Store::Subscription> subscription;
    std::shared_ptr<Feed> keep;
    {
      const std::lock_guard lock(mutex_);
      subscription = std::move(subscription_);
      keep = std::move(keep_);
    }
  }

  Store& store_;
  const EventQuery query_;
  const std::shared_ptr<Stream> stream_;
  std::mutex mutex_;  // protects the members below
  std::unique_ptr<Store::Subscription> subscription_;
  std::shared_ptr<Feed> keep_;  // a feed lives until its stream is closed
  std::vector<Event> pending_;
  bool live_ = false;
  bool ended_ = false;
};

struct EventStreams::Ticker {
  explicit Ticker(asio::io_context& io) : timer(io) {}
  asio::steady_timer timer;
};

EventStreams::EventStreams(asio::io_context& io, WorkerPool& pool, Store& store)
    : pool_(pool), store_(store), ticker_(std::make_unique<Ticker>(io)) {
  tick();
}

EventStreams::~EventStreams() = default;

void EventStreams::tick() {
  ticker_->timer.expires_after(event_stream_keep_alive);
  ticker_->timer.async_wait([this](const std::error_code& error) {
    if (error) return;
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(feeds_, [](const auto& weak) { return weak.expired(); });
      for (const auto& weak : feeds_) {
        if (const auto feed = weak.lock()) feed->keep_alive();
      }
    }
    tick();
  });
}

void EventStreams::serve(const ResponderPtr& responder, EventQuery query) {
  auto stream = responder->stream(200, {{"Content-Type", "text/event-stream"},
                                        {"Cache-Control", "no-store"},
                                        {"X-Accel-Buffering", "no"}});
  if (!query.greeting.empty()) stream->write(query.greeting);
  auto feed = std::make_shared<Feed>(store_, std::move(query), std::move(stream));
  feed->subscribe();
  {
    const std::lock_guard lock(mutex_);
    feeds_.push_back(feed);
  }
  try {
    pool_.submit([feed] {
      try {
        feed->replay();
      } catch (const std::exception& error) {
        log::error("an event stream ended: {}", error.what());
        feed->end();
      }
    });
  } catch (const Error&) {
    feed->end();
  }
}

void EventStreams::stop() {
  ticker_->timer.cancel();
  const std::lock_guard lock(mutex_);
  for (const auto& weak : feeds_) {
    if (const auto feed = weak.lock()) feed->end();
  }
}

int64_t resume_position(const HttpRequest& request) {
  std::string text = request.header("last-event-id");
  if (text.empty()) text = request.query_value("after").value_or("");
  if (text.empty()) return 0;
  int64_t position = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), position);
  if (error != std::errc() || end != text.data() + text.size() || position < 0) {
    throw Error(ErrorCode::invalid_argument,
                "Last-Event-ID \"" + text.substr(0, 40) +
                    "\" is not the id of an event: it is a whole number");
  }
  return position;
}

}  // namespace selfagent
