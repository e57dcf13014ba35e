#include "mcp/subscriptions.h"

#include <vector>

#include "base/error.h"

namespace selfagent::mcp {

Subscriptions::~Subscriptions() {
  std::map<std::string, Topic> topics;
  {
    const std::lock_guard lock(mutex_);
    topics.swap(topics_);
  }
  // The watches end here, outside the lock that their last announcements need.
}

Subscriptions::Handle Subscriptions::add(const std::string& topic, Listener listener) {
  const std::lock_guard lock(mutex_);
  const uint64_t number = next_++;
  topics_[topic].listeners.emplace(number, std::move(listener));
  return std::make_unique<Subscription>(*this, topic, number);
}

Subscriptions::Handle Subscriptions::add(const std::string& uri, const Resources::Found& found,
                                         Listener listener) {
  auto handle = add(uri, std::move(listener));
  const std::lock_guard lock(mutex_);
  Topic& topic = topics_[uri];
  if (!topic.watch) {
    topic.watch = found.resource->watch(found.variables, [this, uri] { announce(uri); });
  }
  return handle;
}

void Subscriptions::announce(const std::string& topic) {
  std::vector<Listener> listeners;
  {
    const std::lock_guard lock(mutex_);
    const auto at = topics_.find(topic);
    if (at == topics_.end()) return;
    for (const auto& [number, listener] : at->second.listeners) listeners.push_back(listener);
  }
  for (const auto& listener : listeners) listener();
}

void Subscriptions::remove(const std::string& topic, uint64_t number) {
  std::shared_ptr<Watch> watch;
  {
    const std::lock_guard lock(mutex_);
    const auto at = topics_.find(topic);
    if (at == topics_.end()) return;
    at->second.listeners.erase(number);
    if (!at->second.listeners.empty()) return;
    watch = std::move(at->second.watch);
    topics_.erase(at);
  }
  if (!watch) return;
  try {
    pool_.submit([watch = std::move(watch)] {});
  } catch (const Error&) {
    // The pool is closed, or full: the watch ends on this thread.
  }
}

}  // namespace selfagent::mcp
