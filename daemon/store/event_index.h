// Where words and pictures occur in the log: a second database, index.db, beside store.db.
//
// Nothing in it is true by itself: it is made from the log, in the background, and made anew if it
// is missing, damaged or of another version. So a start never waits for it, an append does not
// write it, and store.db needs no migration for it. It lags behind by what came in the last moment.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "store/store.h"

namespace selfagent {

/// Thread-safe: one connection behind one mutex. Throws SQLite::Exception.
class EventIndex {
 public:
  /// Opens the index of the store in `folder`, or begins a new one. `last_seq` is that of the log:
  /// an index that has read further is of another log.
  EventIndex(const std::filesystem::path& folder, int64_t last_seq);

  /// Every event up to this one has been read.
  int64_t upto() const;

  /// Reads events, in one transaction; `read_upto` becomes upto().
  void add(const std::vector<Event>& events, int64_t read_upto);
  /// Forgets events that are about to be deleted; those that it does not know do not matter. Their
  /// pictures become orphans().
  void remove(const std::vector<Event>& events);

  /// "" forgets it.
  void set_title(int64_t number, const std::string& title);

  /// Pictures that have lost an event, and may have lost their last one.
  std::vector<std::string> orphans(size_t limit) const;
  bool is_shown(const std::string& sha256) const;
  void forget_orphan(const std::string& sha256);

  uint64_t used_bytes() const;

  struct Place {
    int64_t seq = 0;
    std::string conversation_id;
  };
  /// Where all of the words occur in one event of a conversation, newest first, before `before`.
  /// `match` is of match_of().
  std::vector<Place> find(const std::string& match, int64_t before, size_t limit) const;
  /// Where all of the words occur in one event of this conversation, from `first` to `last`: the
  /// best first (bm25: rare words count more, and short texts), of equal ones the newest.
  std::vector<int64_t> ranked(const std::string& match, const std::string& conversation_id,
                              int64_t first, int64_t last, size_t limit) const;
  /// The numbers of the conversations in whose title they occur.
  std::vector<int64_t> titled(const std::string& match, size_t limit) const;

 private:
  void add(const Event& event);
  void remove(const Event& event);

  mutable std::mutex mutex_;  // protects everything below
  mutable SQLite::Database database_;
  int64_t upto_ = 0;
};

}  // namespace selfagent
