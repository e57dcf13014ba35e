// Writes the events of one run, and shows each one to the run's own view of the conversation.
#pragma once

#include <functional>
#include <string>

#include "store/store.h"

namespace selfagent {

/// Used by the run's thread alone.
class RunLog {
 public:
  RunLog(Store& store, std::string conversation_id, std::string job_id)
      : store_(store), conversation_id_(std::move(conversation_id)), job_id_(std::move(job_id)) {}

  /// Durable when this returns.
  Event append(const std::string& kind, Json data) {
    Event event = store_.append(conversation_id_, job_id_, kind, std::move(data));
    hear(event);
    return event;
  }
  /// Shows the run an event that somebody else has appended.
  void hear(const Event& event) {
    if (on_event) on_event(event);
  }
  /// Told to those who watch now, and forgotten.
  void announce(const std::string& kind, Json data) {
    store_.announce(conversation_id_, job_id_, kind, std::move(data));
  }
  void notice(const std::string& text) { append("notice", {{"text", text}}); }

  Store& store() const { return store_; }
  const std::string& conversation_id() const { return conversation_id_; }
  const std::string& job_id() const { return job_id_; }

  std::function<void(const Event&)> on_event;  ///< may be empty

 private:
  Store& store_;
  const std::string conversation_id_;
  const std::string job_id_;
};

}  // namespace selfagent
