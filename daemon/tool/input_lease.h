// Who may use the mouse and the keyboard: one holder at a time.
//
// A person on the live view takes the input at once, by moving the mouse or pressing a key, and has
// it until they give it back or have sent nothing for a while. Until then every action of a client
// is refused, with a text that tells a planner what to do, and one that is under way is stopped
// with its keys and buttons released. Among clients the input belongs to an action: it has it from
// its first event to its last, others wait for their turn. What a person types is not seen here:
// only that they do.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/json.h"

namespace selfagent {

struct ToolContext;  // tool/tool.h

/// Thread-safe.
class InputLease {
 public:
  static constexpr milliseconds default_idle{5000};

  /// A person has the input until `idle` after their last event.
  explicit InputLease(milliseconds idle = default_idle) : idle_(idle) {}

  /// `taken` is called when a person takes the input, on the thread of person_acts(): it must not
  /// block. Set before the first use.
  void on_taken(std::function<void()> taken) { taken_ = std::move(taken); }

  /// A person used the mouse or the keyboard through `viewer`. Does not block.
  void person_acts(const std::string& viewer);

  /// The person gives the input back. False if no person had it.
  bool release();

  /// {"holder": "person", "client", "agent" or null, "name", "held_ms", and for a person
  /// "idle_ms" (since the last event) and "returns_in_ms"}.
  Json state() const;

  /// How often a person took the input who did not have it.
  uint64_t times_taken() const;

  /// One sentence about the holder, for models.
  std::string describe() const;

  /// Throws Error(conflict) with the reason and the next step if a person has the input.
  void require_free() const;

 private:
  friend void with_input(ToolContext& context, const std::function<void()>& action);

  /// Waits for the turn; throws Error(conflict), Error(cancelled).
  void enter(const std::string& kind, const std::string& name, std::stop_source& action,
             const std::stop_token& stop);
  void leave();
  bool person_has_it() const;
  std::string person_text() const;

  const milliseconds idle_;
  std::function<void()> taken_;

  mutable std::mutex mutex_;  // protects everything below
  std::condition_variable_any turn_over_;
  std::string viewer_;  // "" until a person acts, and after they gave the input back
  Clock::time_point person_since_{};
  Clock::time_point last_event_{};
  uint64_t times_taken_ = 0;
  std::string client_kind_;  // "" while no action is under way
  std::string client_;
  Clock::time_point client_since_{};
  std::stop_source* action_ = nullptr;  // of the action under way
};

/// Runs `action`, which uses the input, while its caller holds the lease of `context` (if there is
/// one); `context.stop` ends it when a person takes the input, too. Throws what `action` throws,
/// Error(conflict) if a person has the input or takes it meanwhile, Error(cancelled).
void with_input(ToolContext& context, const std::function<void()>& action);

}  // namespace selfagent
