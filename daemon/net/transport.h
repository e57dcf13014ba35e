// The bytes of one accepted connection, plain or TLS: reading, a write queue, an orderly end.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "net/readiness.h"
#include "net/server_core.h"

struct ssl_st;

namespace selfagent {

/// Network thread only, but for queued() and open().
class Transport : public Readiness::Watcher, public std::enable_shared_from_this<Transport> {
 public:
  static constexpr size_t low_water = 1u << 20;

  /// Takes over the connected, non-blocking socket `fd`.
  Transport(std::shared_ptr<ServerCore> core, int fd, std::string peer);
  ~Transport() override;

  /// Shakes hands if the port speaks TLS, then reads. `user` is kept until the end.
  void start(std::shared_ptr<ClientConnection> user);
  void hand_over(std::shared_ptr<ClientConnection> user) { user_ = std::move(user); }
  /// While paused nothing is received and the client's end is not noticed.
  void pause_reading() { paused_ = true; }
  void resume_reading();

  /// Queues both pieces and sends what the socket takes at once. Ignored after an end.
  void write(std::string first, std::string second = {});
  /// Bytes written and not yet taken by the socket; any thread.
  size_t queued() const { return queued_; }

  /// Ends after the queue was sent: tells the client, drops what still comes (closing at once could
  /// destroy the answer on its way), and closes when the client has ended too or lingered too long.
  void close_after_writing();
  /// Ends at once; the user's closed() is called before this returns.
  void close();
  bool open() const { return open_; }  ///< any thread

  /// Closes a client that takes too long to shake hands, to take bytes, or to end.
  void tick(Clock::time_point now);

  const std::string& peer() const { return peer_; }
  bool secure() const { return tls_ != nullptr; }

 private:
  struct TlsDeleter {
    void operator()(ssl_st* tls) const;
  };
  enum class Want { nothing, read, write, end };
  using Then = void (Transport::*)();
  using Waits = std::array<Then, 2>;  // one of reading, one of writing

  void ready(Readiness::Event event) override;
  void readable();
  void call(Waits& waits);
  void wait_for(Want want, Then then);
  void shake_hands();
  void refuse_plain_http();
  void wait_to_read();
  void read_now();
  Want read_some(size_t& count);
  void flush();
  void on_writable();
  Want write_some(size_t& count);
  Want want_of(int result) const;
  void drop_written(size_t count);
  void begin_linger();
  void close_soon();

  const std::shared_ptr<ServerCore> core_;
  const std::string peer_;
  UniqueFd socket_;  // none when closed
  uint64_t watch_ = 0;
  Waits for_readable_{};
  Waits for_writable_{};
  bool came_ = false;   // there may be something to read of which no event will tell
  bool ended_ = false;  // the client's end is among what can be read
  std::atomic<bool> open_ = true;
  std::unique_ptr<ssl_st, TlsDeleter> tls_;
  std::shared_ptr<ClientConnection> user_;
  bool ready_ = false;    // hands are shaken
  bool reading_ = false;  // a wait for bytes is under way, or a turn of reading
  bool paused_ = false;
  bool waiting_to_write_ = false;
  bool closing_ = false;    // close_after_writing was called
  bool lingering_ = false;  // everything is sent, the client's end is awaited
  std::deque<std::string> queue_;
  size_t offset_ = 0;  // bytes of the first piece that are sent
  std::atomic<size_t> queued_ = 0;
  Clock::time_point since_;  // of the connection, then of the last progress in writing
};

}  // namespace selfagent
