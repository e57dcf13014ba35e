// The inside of Store, shared by its source files: the connection, its lock, and who listens.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "store/store.h"

namespace selfagent {

struct CutEvent;  // store/cut.h

/// Listeners in the order in which they subscribed. Shared with every Subscription, so that one may
/// outlive the Store.
struct StoreListeners {
  /// Held from the insertion of an event until the last listener has returned: this is what makes
  /// the listeners see events in the order of seq, and what a Subscription waits for when it ends.
  /// Taken before State::mutex.
  std::mutex order;
  std::map<uint64_t, Store::Listener> calls;  // protected by order
  uint64_t next_id = 1;                       // protected by order

  void tell(const Event& event) const;  // REQUIRES: order is held
};

struct Store::State {
  class Upkeep;  // store/upkeep.h

  explicit State(const std::filesystem::path& at);
  ~State();

  const std::filesystem::path folder;
  const UniqueFd lock;  // flock: a second daemon would declare the first one's jobs interrupted
  const std::shared_ptr<StoreListeners> listeners = std::make_shared<StoreListeners>();

  std::mutex mutex;  // protects everything below
  SQLite::Database database;
  SQLite::Statement insert_event;
  std::set<std::string> fresh_pictures;  ///< Were put, and no event names them yet.
  std::set<std::string> forking;         ///< Conversations that are being made.
  std::optional<int64_t> picture_bytes;  ///< Once somebody has asked, kept up to date.

  /// Calls `work` with the connection locked; turns SQLite's exceptions into Error.
  template <class Work>
  auto locked(Work&& work) {
    const std::lock_guard guard(mutex);
    try {
      return work();
    } catch (const SQLite::Exception& error) {
      throw translated(error);
    }
  }

  /// Like locked(); `work` returns the events that it wrote, which the listeners are then told.
  template <class Work>
  std::vector<Event> publish(Work&& work) {
    const std::lock_guard guard(listeners->order);
    std::vector<Event> events = locked(work);
    for (const auto& event : events) listeners->tell(event);
    return events;
  }

  /// Writes one event with the prepared statement. REQUIRES: mutex is held.
  Event insert(const std::string& conversation_id, const std::string& job_id,
               const std::string& kind, Json data);

  /// Ends a job that an earlier process left running. REQUIRES: mutex is held.
  std::vector<Event> end_interrupted(Job job);
  Event insert_interruption(const Job& job);  // REQUIRES: mutex is held

  /// Throws Error(conflict), with what to do, if a run of the conversation is queued or going on.
  /// REQUIRES: mutex is held.
  void check_at_rest(const std::string& conversation_id);
  void remove_blob(const std::string& sha256);  // REQUIRES: mutex is held
  /// Of all pictures.
  uint64_t blob_bytes();
  std::optional<Conversation> conversation_with(int64_t number);

  std::vector<CutEvent> view_of(const std::string& conversation_id);
  std::string prompt_at(int64_t seq);
  /// `jobs`: the new ids by the old ones.
  void copy(const CutEvent* begin, const CutEvent* end, const std::string& conversation_id,
            std::map<std::string, std::string>& jobs);
  Conversation found_fork(Conversation made, const std::string& open_run);

  Error translated(const SQLite::Exception& error) const;

  std::unique_ptr<Upkeep> upkeep;  // last: its thread uses the others
};

/// Returns a statement to its start when the scope ends, also after a failed step, so that its
/// locks are dropped.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(SQLite::Statement& statement) : statement_(statement) {}
  ~ResetAtEnd() { statement_.tryReset(); }
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  SQLite::Statement& statement_;
};

/// Brings the database to the newest schema. Throws Error(conflict) for one that a newer program
/// has written.
void migrate(SQLite::Database& database);

/// The pages of the database that are not free, in bytes.
uint64_t used_pages_bytes(SQLite::Database& database);

/// The row of a query that selects job_columns.
Job job_of_row(SQLite::Statement& row);
extern const char* const job_columns;

}  // namespace selfagent
