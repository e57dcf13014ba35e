// The append-only log and those who listen to it.
#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "store/search_text.h"
#include "store/upkeep.h"

namespace selfagent {

void StoreListeners::tell(const Event& event) const {
  for (const auto& [id, listener] : calls) {
    try {
      listener(event);
    } catch (const std::exception& error) {
      // The event is confirmed already: a listener's failure must not look like a failed append.
      log::error("a listener of the store threw {}", error.what());
    }
  }
}

Event Store::State::insert(const std::string& conversation_id, const std::string& job_id,
                           const std::string& kind, Json data) {
  Event event{0, unix_ms(), conversation_id, job_id, kind, std::move(data)};
  const ResetAtEnd reset(insert_event);
  insert_event.bind(1, event.ts_ms);
  insert_event.bind(2, event.conversation_id);
  insert_event.bind(3, event.job_id);
  insert_event.bind(4, event.kind);
  insert_event.bind(5, dump_json(event.data));
  insert_event.exec();
  event.seq = database.getLastInsertRowid();
  for (const auto& picture : pictures_of(event.data)) fresh_pictures.erase(picture);
  upkeep->note_event();
  return event;
}

Event Store::append(const std::string& conversation_id, const std::string& job_id,
                    const std::string& kind, Json data) {
  return state_
      ->publish([&] {
        return std::vector{state_->insert(conversation_id, job_id, kind, std::move(data))};
      })
      .front();
}

void Store::announce(const std::string& conversation_id, const std::string& job_id,
                     const std::string& kind, Json data) {
  const Event event{0, unix_ms(), conversation_id, job_id, kind, std::move(data)};
  const std::lock_guard guard(state_->listeners->order);
  state_->listeners->tell(event);
}

namespace {

std::vector<Event> events_of(SQLite::Statement& rows) {
  std::vector<Event> found;
  while (rows.executeStep()) {
    Event event{rows.getColumn(0).getInt64(),  rows.getColumn(1).getInt64(),
                rows.getColumn(2).getString(), rows.getColumn(3).getString(),
                rows.getColumn(4).getString(), {}};
    const std::string data = rows.getColumn(5).getString();
    event.data = Json::parse(data, nullptr, false);
    if (event.data.is_discarded()) event.data = {{"unreadable", to_utf8(data)}};
    found.push_back(std::move(event));
  }
  return found;
}

}  // namespace

std::vector<Event> Store::events(const std::string& conversation_id, const std::string& job_id,
                                 int64_t after, size_t limit) const {
  // The inequalities let SQLite see that the partial indexes fit.
  std::string query =
      "SELECT seq, ts_ms, conversation_id, job_id, kind, data FROM events "
      "WHERE seq > ?1";
  if (!conversation_id.empty()) query += " AND conversation_id <> '' AND conversation_id = ?2";
  if (!job_id.empty()) query += " AND job_id <> '' AND job_id = ?3";
  query += " ORDER BY seq LIMIT ?4";
  return state_->locked([&] {
    SQLite::Statement rows(state_->database, query);
    rows.bind(1, after);
    if (!conversation_id.empty()) rows.bind(2, conversation_id);
    if (!job_id.empty()) rows.bind(3, job_id);
    rows.bind(4,
              static_cast<int64_t>(std::min<size_t>(limit, std::numeric_limits<int32_t>::max())));
    return events_of(rows);
  });
}

std::vector<Event> Store::newest_requests() const {
  return state_->locked([&] {
    SQLite::Statement rows(
        state_->database,
        "SELECT seq, ts_ms, conversation_id, job_id, kind, data FROM events WHERE seq IN (SELECT "
        "MAX(seq) FROM events WHERE kind = 'approval_request' AND conversation_id <> '' GROUP BY "
        "conversation_id) ORDER BY seq");
    return events_of(rows);
  });
}

namespace {

class ListenerSubscription : public Store::Subscription {
 public:
  ListenerSubscription(std::shared_ptr<StoreListeners> listeners, Store::Listener listener)
      : listeners_(std::move(listeners)) {
    const std::lock_guard guard(listeners_->order);
    id_ = listeners_->next_id++;
    listeners_->calls.emplace(id_, std::move(listener));
  }
  ~ListenerSubscription() override {
    const std::lock_guard guard(listeners_->order);
    listeners_->calls.erase(id_);
  }

 private:
  std::shared_ptr<StoreListeners> listeners_;
  uint64_t id_ = 0;
};

}  // namespace

std::unique_ptr<Store::Subscription> Store::subscribe(Listener listener) {
  return std::make_unique<ListenerSubscription>(state_->listeners, std::move(listener));
}

}  // namespace selfagent
