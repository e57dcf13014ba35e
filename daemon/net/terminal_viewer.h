// One open terminal of a page: a process's output to a WebSocket, and its input back.
//
// It has a thread of its own, because the log is read from a disk and the keeper is written to, and
// both may block: neither the network thread nor another viewer waits for that. The thread waits
// for whatever comes first of new output, input and the client's word that it has shown what it
// got. Only so much is sent ahead of that word: a browser that draws slowly, or not at all, costs
// `window_bytes`, and reads on from the log where it was.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "net/http.h"
#include "net/terminal_messages.h"
#include "process/process.h"

namespace selfagent {

class TerminalViewer {
 public:
  /// Sent and not yet taken by the client.
  static constexpr uint64_t window_bytes = 1 << 20;
  /// Typed and not yet taken by the program; what is more is refused.
  static constexpr size_t most_input_bytes = 4 << 20;

  using Resized = std::function<void(const TerminalViewer&, TerminalSize)>;

  /// Shows `process` from the byte `from` on. `resized` is called on the viewer's thread when this
  /// client has given the terminal another size.
  TerminalViewer(ProcessPtr process, uint64_t from, Resized resized);

  const Process& process() const { return *process_; }

  /// The work: returns when the client has gone, or when it has taken all output of a process of
  /// which nothing runs any more. Does not throw.
  void run(std::shared_ptr<WebSocket> socket);
  /// True when run() has nothing left to do.
  bool is_done() const { return done_; }

  // Any thread:
  void receive(std::string message, bool binary);
  void close();
  /// Tells the client that another one has given the terminal this size.
  void tell(TerminalSize size);

 private:
  std::stop_token next_orders();
  void serve(WebSocket& socket);
  void resize(WebSocket& socket);
  void give_input(WebSocket& socket);
  void send_output(WebSocket& socket, const ProcessState& state);
  bool may_send(const ProcessState& state) const;
  bool may_give(const ProcessState& state) const;
  bool has_news(const ProcessState& state) const;

  const ProcessPtr process_;
  const Resized resized_;

  std::mutex mutex_;  // protects what the client wants, until the thread has taken it
  std::stop_source wake_;
  bool closed_ = false;
  std::deque<std::string> typed_;
  std::optional<TerminalSize> wanted_size_;
  std::optional<TerminalSize> others_size_;
  std::optional<Error> refused_;
  uint64_t taken_offset_;

  std::atomic<size_t> input_bytes_ = 0;  // in typed_ and input_
  std::atomic<bool> done_ = false;

  // The viewer's thread only:
  std::deque<std::string> input_;
  std::optional<TerminalSize> new_size_;
  std::optional<TerminalSize> told_size_;
  std::optional<Error> refusal_;
  uint64_t sent_;
  uint64_t taken_;
  ProcessPhase told_phase_ = ProcessPhase::running;
  bool over_ = false;
};

/// What GET /api/terminals says of a process.
Json terminal_json(const Process& process, const ProcessState& state);

}  // namespace selfagent
