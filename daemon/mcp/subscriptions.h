// Who wants to hear of what. Topics are URIs of resources, or methods of list_changed
// notifications.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/worker_pool.h"
#include "mcp/resources.h"

namespace selfagent::mcp {

/// Thread-safe. Must outlive its subscriptions.
class Subscriptions {
 public:
  using Listener = std::function<void()>;

  /// Ends with its destruction; a call of the listener may then still be under way.
  class Subscription {
   public:
    Subscription(Subscriptions& all, std::string topic, uint64_t number)
        : all_(all), topic_(std::move(topic)), number_(number) {}
    ~Subscription() { all_.remove(topic_, number_); }
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    Subscriptions& all_;
    const std::string topic_;
    const uint64_t number_;
  };
  using Handle = std::unique_ptr<Subscription>;

  /// `pool` ends what no longer needs to be watched, which may block.
  explicit Subscriptions(WorkerPool& pool) : pool_(pool) {}
  ~Subscriptions();

  /// Calls `listener` whenever `uri` changes; the first subscriber starts the resource's watch,
  /// whose errors it throws. The listener must be quick; it is called on the watch's thread.
  Handle add(const std::string& uri, const Resources::Found& found, Listener listener);
  /// The same for a topic that only announce() speaks of.
  Handle add(const std::string& topic, Listener listener);

  /// Calls the listeners of `topic`.
  void announce(const std::string& topic);

 private:
  struct Topic {
    std::map<uint64_t, Listener> listeners;
    std::shared_ptr<Watch> watch;
  };
  void remove(const std::string& topic, uint64_t number);

  WorkerPool& pool_;
  std::mutex mutex_;  // protects the members below
  std::map<std::string, Topic> topics_;
  uint64_t next_ = 1;
};

}  // namespace selfagent::mcp
