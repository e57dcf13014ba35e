// Owns the selections CLIPBOARD and PRIMARY and hands the text to every program that asks.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "x11/connection.h"

namespace selfagent {

/// Serves on a thread of its own while it owns a selection. Thread-safe.
class SelectionOwner {
 public:
  explicit SelectionOwner(const std::string& display);
  ~SelectionOwner();
  SelectionOwner(const SelectionOwner&) = delete;
  SelectionOwner& operator=(const SelectionOwner&) = delete;

  /// Takes both selections with `text` (UTF-8). Throws Error(unavailable).
  void own(const std::string& text);

 private:
  struct Atoms {
    unsigned long clipboard, targets, timestamp, utf8_string, text, text_plain, text_plain_utf8,
        incr;
  };
  /// A text on its way in pieces: the requestor deletes the property when it wants the next one.
  struct Transfer {
    unsigned long requestor;
    unsigned long property;
    unsigned long type;
    std::string bytes;
    size_t sent;
  };

  void prepare(_XDisplay* display);
  void serve(const std::stop_token& stop);
  void handle_events(const Connection::Use& use);
  void answer(const Connection::Use& use, const void* request_event);
  bool give(const Connection::Use& use, unsigned long requestor, unsigned long target,
            unsigned long property);
  void give_bytes(const Connection::Use& use, unsigned long requestor, unsigned long property,
                  unsigned long type, const std::string& bytes);
  void give_next_piece(const Connection::Use& use, unsigned long requestor, unsigned long property);
  unsigned long server_time(const Connection::Use& use) const;

  // Protected by the Use of connection_.
  Atoms atoms_{};
  unsigned long window_ = 0;
  std::string text_;
  unsigned long owned_since_ = 0;  // server time
  uint64_t owned_generation_ = 0;  // 0: nothing is owned
  std::deque<Transfer> transfers_;
  Connection connection_;

  std::mutex mutex_;  // protects serving_
  std::condition_variable_any wake_;
  bool serving_ = false;
  std::jthread thread_;  // last: stops before the rest ends
};

}  // namespace selfagent
