// Which of many sockets can be read or written, with one wake-up of the event loop for all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

namespace asio {
class io_context;
}

namespace selfagent {

/// A wait of asio costs a system call for each socket each time; here a socket is registered once,
/// and what happens to it is told as it happens (edge-triggered, epoll(7)). Network thread only.
class Readiness : public std::enable_shared_from_this<Readiness> {
 public:
  struct Event {
    bool readable = false;  ///< Bytes, the end or an error came since the last event.
    bool writable = false;
    bool ended = false;  ///< The end or an error is among it: read on until it shows.
  };

  class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual void ready(Event event) = 0;
  };

  /// Throws Error if the kernel gives no epoll descriptor.
  static std::shared_ptr<Readiness> create(asio::io_context& io);
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  /// From now on `watcher` hears of `fd`, until remove() of the returned key; so long the event
  /// loop has work. Throws Error.
  uint64_t add(int fd, std::weak_ptr<Watcher> watcher);
  /// Before `fd` is closed. An unknown key is ignored.
  void remove(uint64_t key);

 private:
  struct Descriptor;
  explicit Readiness(asio::io_context& io);
  void wait();
  void tell();

  const std::unique_ptr<Descriptor> descriptor_;
  std::unordered_map<uint64_t, std::weak_ptr<Watcher>> watchers_;
  uint64_t last_key_ = 0;
  bool waiting_ = false;
};

}  // namespace selfagent
