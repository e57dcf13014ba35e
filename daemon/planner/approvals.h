// The questions of runs whether a call may be made, and a person's answers to them.
//
// Both are events of the conversation, which is all that a daemon knows of them after a restart:
// `approval_request` before anything runs, `approval_answer` once it is answered. A question is
// open until it is answered, its run is stopped by a person, or the conversation has gone on
// without it. A run that nobody answers in time ends; an answer that comes later is kept, and is
// for a run that the caller starts.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "store/store.h"
#include "tool/registry.h"

namespace selfagent {

struct ApprovalAnswer {
  std::string decision;      ///< once, session, deny or edit
  std::string reason;        ///< of deny
  Json arguments = nullptr;  ///< of edit
  std::string by;            ///< the name of the token
};

struct AnsweredApproval {
  Event request;
  Event answer;
  bool repeated = false;  ///< The same answer had been given before.
  bool late = false;      ///< No run waits for it: a new one is needed to go on.
};

/// Thread-safe.
class Approvals {
 public:
  /// Reads what is open in `store`; both must outlive this.
  Approvals(Store& store, const Registry& registry);

  /// The `approval_request` that is open in the conversation.
  std::optional<Event> open(const std::string& conversation_id) const;

  /// Stores an answer. Throws Error(not_found) for an unknown conversation or call,
  /// Error(conflict) if it was answered in another way or is no longer open,
  /// Error(invalid_argument) for a wrong decision and for arguments that the tool refuses.
  AnsweredApproval answer(const std::string& conversation_id, const std::string& call_id,
                          const ApprovalAnswer& given);

  /// The user has sent a message to the run of the conversation instead of an answer: what it asks
  /// is denied, so that it hears the message.
  void said(const std::string& conversation_id);

  /// Waits until `request` is answered; nothing at `deadline` or `stop`, after which an answer is
  /// late.
  std::optional<Event> wait(const Event& request, const std::stop_token& stop, Deadline deadline);

 private:
  struct Open {
    Event request;
    std::optional<Event> answer;
    bool finished = false;  ///< The run has ended.
    bool left = false;      ///< The run no longer waits.
  };
  struct View;

  void hear(const Event& event);
  void read_open();
  View view_of(const std::string& conversation_id, const std::string& call_id) const;
  Json checked(const Event& request, const ApprovalAnswer& given) const;

  Store& store_;
  const Registry& registry_;
  std::mutex answering_;      // held while an answer is stored, taken before mutex_
  mutable std::mutex mutex_;  // protects open_
  std::condition_variable_any changed_;
  std::map<std::string, Open> open_;  ///< by conversation: the newest, while it may be answered
  std::unique_ptr<Store::Subscription> subscription_;  ///< last: calls hear()
};

/// "tool {arguments}" as it is shown and compared.
std::string call_text(const std::string& tool, const Json& arguments);
/// The same text for the same value, in whatever order its members stand.
std::string canonical(const Json& value);

}  // namespace selfagent
