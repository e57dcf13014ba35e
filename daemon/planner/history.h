// The conversation as the model sees it: a view of the event log, made anew for each request.
//
// Append-only as far as possible, because servers keep what they computed for an unchanged
// beginning: old pictures leave in steps of ten (of n pictures 3 + n mod 10 stay, the newest and
// the one that the task began with, which costs 1.3 times the fresh tokens of keeping all and
// bounds the request at 12), old text leaves in halves of the budget. In its place stands one note
// that changes only then: facts from the events (facts.h), among them the user's own words, and the
// model's summary (summary.h).
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"
#include "tool/tool.h"

namespace selfagent {

/// Of text; a prompt that is smaller tells the model nothing.
inline constexpr size_t smallest_text_bytes = 4'000;

struct HistoryLimits {
  size_t text_bytes = 300'000;  ///< about 75,000 tokens; older turns are left out beyond
  int keep_pictures = 3;        ///< at least so many of the newest
  int picture_step = 10;        ///< they leave by so many at a time
  bool pictures = true;         ///< false: none at all, the model does not see them

  /// Of the note in place of what is left out; part of text_bytes.
  size_t note_bytes() const;
  /// Of it the model's summary.
  size_t summary_bytes() const { return note_bytes() * 2 / 5; }
  /// Of one result.
  size_t result_bytes() const;
};

/// What fits a context window of `tokens` beside `fixed_bytes` of instructions and tools, with room
/// for an answer; the defaults if `tokens` is 0.
HistoryLimits limits_for(int64_t tokens, size_t fixed_bytes);

/// Used by one thread.
class History {
 public:
  /// Reads what the conversation has so far.
  History(const Store& store, const std::string& conversation_id);

  void add(const Event& event);

  /// Keeps a new picture in memory, so that it is not read back and encoded again.
  void keep(const std::string& sha256, EncodedImagePtr picture);

  /// The messages after the system prompt, in the chat completions format.
  Json messages(const HistoryLimits& limits);

  /// How much of one result the newest messages() showed.
  size_t result_bytes() const { return result_bytes_; }

  /// Up to which event the newest messages() left out what was said; 0: nothing.
  int64_t left_out_through() const { return left_out_through_; }

  /// All of the conversation, oldest first, without what it was rewound over.
  const std::vector<Event>& events() const { return events_; }

  /// That event, null if it is none of events().
  const Event* event(int64_t seq) const;

  /// What the store finds in the conversation; may name events that are none of events().
  FoundEvents find(const std::string& query, size_t limit) const;

  /// Bytes of text in the newest messages().
  size_t text_bytes() const { return text_bytes_; }

  /// True if a call with this id is in the conversation already.
  bool knows_call(const std::string& id) const { return call_ids_.count(id) != 0; }

 private:
  /// A `data:` URL, or "" if the picture is gone.
  std::string picture_url(const std::string& sha256, const std::string& mime);
  std::string left_out_note(size_t messages, const HistoryLimits& limits);

  const Store& store_;
  const std::string conversation_id_;
  std::vector<Event> events_;
  std::set<std::string> call_ids_;
  size_t text_bytes_ = 0;
  size_t result_bytes_ = HistoryLimits().result_bytes();
  int64_t left_out_through_ = 0;
  std::string facts_;  ///< of all that is left out
  std::pair<int64_t, size_t> facts_through_{0, 0};
  std::map<std::string, std::shared_ptr<const std::string>> base64_;  ///< by SHA-256
  std::map<std::string, std::shared_ptr<const std::string>> used_;    ///< by the newest messages()
};

}  // namespace selfagent
