// Splits a stream of Server-Sent Events into the data of its events, however the bytes are cut.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace selfagent {

/// Lines end in LF, CRLF or CR; several `data:` lines of one event are joined by "\n"; comments,
/// `event:`, `id:` and `retry:` are skipped. Works on bytes, so a character that is cut between two
/// reads comes out whole. Used by one thread. Source: WHATWG HTML, 9.2.6 "Interpreting an event
/// stream".
class SseSplitter {
 public:
  using Sink = std::function<void(std::string_view data)>;

  /// `sink` is called from feed() and finish(), and may throw.
  explicit SseSplitter(Sink sink) : sink_(std::move(sink)) {}

  /// Throws Error(resource_exhausted) for an event of more than 64 MiB.
  void feed(std::string_view bytes);

  /// The stream ended: hands over an event whose blank line never came (servers forget it).
  void finish();

 private:
  void end_line();
  void dispatch();

  Sink sink_;
  std::string line_;  ///< the line so far
  std::string data_;  ///< the data of the event so far
  bool has_data_ = false;
  bool after_cr_ = false;  ///< an LF that comes next belongs to the CR before it
  bool first_line_ = true;
};

}  // namespace selfagent
