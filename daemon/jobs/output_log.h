// Where the output of a job goes: two files, and events for those who watch.
//
// The files `stdout` and `stderr` hold the raw bytes, at most 64 MiB each: more is a program gone
// wild, and a disk that it fills would take the whole daemon with it. Watchers get `stdout` and
// `stderr` events, {text, offset}: at most 20 a second and stream, each at most 64 kB of whole
// characters, 4 MiB of a job in all. When a program writes faster, an event holds the newest text,
// and its offset (in bytes of the raw file) shows the gap. Beyond the 4 MiB watchers are told that
// there is more, but not what: `log_grew`, {stream, end}, twice a second at most and not stored.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "store/store.h"

namespace selfagent {

/// Thread-safe. Has a thread of its own that sends what is pending.
class OutputLog {
 public:
  struct Limits {
    uint64_t log_bytes = 64 << 20;     ///< per stream
    uint64_t event_bytes = 4 << 20;    ///< per stream, in all events together
    milliseconds interval{50};         ///< between two events of a stream
    milliseconds grown_interval{500};  ///< between two that tell of growth alone
  };

  enum class Start {
    empty,   ///< Whatever is there is overwritten.
    resume,  ///< Goes on where the log of a daemon that was killed ends.
  };

  /// Creates `folder` (mode 0700) and the files in it. Throws Error if that is not possible.
  OutputLog(Store& store, std::string job_id, const std::filesystem::path& folder, Limits limits,
            Start start = Start::empty);
  OutputLog(Store& store, std::string job_id, const std::filesystem::path& folder,
            Start start = Start::empty)
      : OutputLog(store, std::move(job_id), folder, Limits(), start) {}
  ~OutputLog();
  OutputLog(const OutputLog&) = delete;
  OutputLog& operator=(const OutputLog&) = delete;

  /// Adds to stdout, or to stderr if `error`. Never throws: a failure is told by problem().
  void write(std::string_view piece, bool error);

  /// Bytes of stdout, or of stderr if `error`, that are in the file.
  uint64_t logged(bool error) const;

  /// Sends the rest and closes the files; write() does nothing from then on.
  void close();

  /// Why a part of the output is missing in the files or events, "" if nothing is.
  std::string problem() const;

 private:
  struct Stream {
    const char* kind;
    UniqueFd file;
    uint64_t logged = 0;      // bytes in the file, without the note
    std::string pending;      // bytes for the next event
    uint64_t pending_at = 0;  // offset of `pending` in the file
    uint64_t sent = 0;        // bytes in events
    bool full = false;
    bool grown = false;  // and nobody was told: its text is no longer sent
  };

  void resume(Stream& stream) const;
  void log_piece(Stream& stream, std::string_view piece);
  void add_pending(Stream& stream, std::string_view piece, uint64_t offset) const;
  void send_all(const std::stop_token& stop);
  void send(std::unique_lock<std::mutex>& lock, Stream& stream, bool last);
  void tell_growth(std::unique_lock<std::mutex>& lock, Stream& stream);
  bool anything_pending() const {
    return !out_.pending.empty() || !err_.pending.empty() || out_.grown || err_.grown;
  }

  Store& store_;
  const std::string job_id_;
  const Limits limits_;
  mutable std::mutex mutex_;  // protects everything below but the thread
  std::condition_variable_any wake_;
  Stream out_{"stdout", {}, 0, {}, 0, 0, false, false};
  Stream err_{"stderr", {}, 0, {}, 0, 0, false, false};
  std::string problem_;
  bool closed_ = false;
  std::jthread sender_;
};

/// The last `limit` bytes of a file as UTF-8, beginning with a whole character; "" if there is no
/// such file.
std::string log_tail(const std::filesystem::path& file, size_t limit);

}  // namespace selfagent
