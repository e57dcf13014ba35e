// Searching the conversations.
#include <algorithm>
#include <limits>
#include <set>

#include "store/search_text.h"
#include "store/upkeep.h"

namespace selfagent {

namespace {

// Hits of one conversation come again and again: after so many the search has seen enough.
constexpr size_t places_at_once = 2'000;
constexpr size_t most_places = 50'000;

class ConversationFinder {
 public:
  ConversationFinder(const Store& store, const EventIndex& index, const std::string& query,
                     size_t limit)
      : store_(store), index_(index), query_(query), match_(match_of(query)), limit_(limit) {}

  std::vector<FoundConversation> find(const std::vector<Conversation>& titled) {
    for (const auto& conversation : titled) {
      if (seen_.insert(conversation.id).second) {
        found_.push_back({conversation, 0, "", conversation.title});
      }
    }
    int64_t before = std::numeric_limits<int64_t>::max();
    for (size_t looked = 0; looked < most_places; looked += places_at_once) {
      const auto places = index_.find(match_, before, places_at_once);
      for (const auto& place : places) {
        if (found_.size() >= limit_) return std::move(found_);
        look(place);
      }
      if (places.size() < places_at_once) break;
      before = places.back().seq;
    }
    return std::move(found_);
  }

 private:
  void look(const EventIndex::Place& place) {
    if (!seen_.insert(place.conversation_id).second) return;
    const auto conversation = store_.conversation(place.conversation_id);
    const auto events = store_.events(place.conversation_id, "", place.seq - 1, 1);
    // Both may have been deleted meanwhile.
    if (!conversation || events.empty() || events[0].seq != place.seq) return;
    found_.push_back(
        {*conversation, place.seq, events[0].kind, excerpt_of(searched_text(events[0]), query_)});
  }

  const Store& store_;
  const EventIndex& index_;
  const std::string& query_;
  const std::string match_;
  const size_t limit_;
  std::set<std::string> seen_;
  std::vector<FoundConversation> found_;
};

}  // namespace

bool Store::catch_up(milliseconds longest) const {
  return state_->upkeep->catch_up(Deadline::after(longest));
}

ConversationSearch Store::search(const std::string& query, size_t limit,
                                 milliseconds longest) const {
  const std::string match = match_of(query);
  if (match.empty()) {
    throw Error(ErrorCode::invalid_argument,
                "query=\"" + query.substr(0, 200) + "\" has no word: give letters or digits");
  }
  catch_up(longest);
  const auto index = state_->upkeep->index();
  if (!index) {
    throw Error(ErrorCode::unavailable,
                "the index of the conversations is not open: the daemon's log says why");
  }
  try {
    std::vector<Conversation> titled;
    for (const int64_t number : index->titled(match, limit)) {
      if (auto conversation = state_->conversation_with(number)) titled.push_back(*conversation);
    }
    ConversationSearch result;
    result.found = ConversationFinder(*this, *index, query, limit).find(titled);
    const int64_t newest = state_->locked([&] {
      return state_->database.execAndGet("SELECT COALESCE(MAX(seq), 0) FROM events").getInt64();
    });
    result.unread = std::max<int64_t>(newest - index->upto(), 0);
    return result;
  } catch (const SQLite::Exception& error) {
    throw state_->translated(error);
  }
}

FoundEvents Store::search_events(const std::string& conversation_id, int64_t first, int64_t last,
                                 const std::string& query, size_t limit,
                                 milliseconds longest) const {
  const std::string match = ranked_match_of(query);
  if (match.empty()) return {};
  catch_up(longest);
  const auto index = state_->upkeep->index();
  if (!index) return {};
  // Before the search: what is read meanwhile may be missing in it.
  const int64_t through = index->upto();
  try {
    return {index->ranked(match, conversation_id, first, last, limit), through};
  } catch (const SQLite::Exception& error) {
    throw state_->translated(error);
  }
}

}  // namespace selfagent
