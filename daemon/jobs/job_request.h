// What a client asks for, and what of it is refused.
#pragma once

#include <cstdint>
#include <string>

#include "store/store.h"

namespace selfagent {

struct JobRequest {
  std::string kind;             ///< prompt, shell, python, typescript or gui
  std::string text;             ///< The prompt or the code, at most 1 MiB.
  std::string conversation_id;  ///< Of a prompt; "" makes a new conversation.
  int timeout_s = 0;    ///< 0: the planner's own limit; for the other kinds 24 hours, the most.
  bool network = true;  ///< Of shell, python and typescript; a prompt and a gui script need it on.
  JobPlan plan = {};
  /// A run of the same conversation that is going on takes the prompt up with its next step; if
  /// none does, it is a run of its own. A daemon that starts anew has forgotten this.
  bool joins_run = false;
  /// off, risky or always, for the run of a prompt; "": the daemon's setting. Stricter ones only.
  std::string approvals = {};
};

/// The longest that a job may run, and how long code without a limit of its own does.
inline constexpr int most_timeout_s = 24 * 3600;

inline constexpr int most_retries = 20;
/// The longest delay before a retry.
inline constexpr int longest_retry_delay_s = 3600;

/// True for shell, python and typescript; the other kinds use the desktop, and have no program of
/// their own.
bool is_code(const std::string& kind);

/// Throws Error(invalid_argument) for a wrong kind, text, timeout, network, retries or webhook.
void check_request(const JobRequest& request);

/// The same for a wrong priority or time, which depends on the time of day.
void check_plan(const JobPlan& plan, int64_t now_ms);

}  // namespace selfagent
