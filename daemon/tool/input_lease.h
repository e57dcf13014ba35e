// Who may use the mouse and the keyboard: one holder at a time.
//
// A person on the live view takes the input at once, by moving the mouse or pressing a key, and has
// it until they give it back or have sent nothing for a while. Until then every action of a client
// is refused, with a text that tells a planner what to do, and one that is under way is stopped
// with its keys and buttons released. Among clients the input belongs to an action: it has it from
// its first event to its last, others wait for their turn. A client may hold it over several
// actions: then those of all others are refused. Clients are told apart by their tokens
// (docs/decisions/lease.md). What a person types is not seen here: only that they do.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/json.h"

namespace selfagent {

struct Principal;    // tool/principal.h
struct ToolContext;  // tool/tool.h

/// Thread-safe.
class InputLease {
 public:
  static constexpr milliseconds default_idle{5000};
  /// A model may think for a while between two actions.
  static constexpr milliseconds default_hold_idle{60'000};
  static constexpr milliseconds longest_hold{600'000};

  /// A person has the input until `idle` after their last event, a client that holds it until
  /// `hold_idle` after its last action.
  explicit InputLease(milliseconds idle = default_idle, milliseconds hold_idle = default_hold_idle)
      : idle_(idle), hold_idle_(hold_idle) {}

  /// `taken` is called when a person takes the input or a client begins to hold it, and what others
  /// keep down has to go; on any thread, so it must not block. Set before the first use.
  void on_taken(std::function<void()> taken) { taken_ = std::move(taken); }

  /// A person used the mouse or the keyboard through `viewer`. Does not block.
  void person_acts(const std::string& viewer);

  /// The person gives the input back. False if no person had it.
  bool release();

  /// From now on only actions of `client`'s token are let through, until it gives the input back,
  /// was idle for long, `limit` is over or a person comes. An action of another that is under way
  /// ends first. Again by the same token: begins anew. `name` is shown to others. Does not block.
  /// Throws Error(conflict) if a person or another token has the input.
  void take(const Principal& client, const std::string& name, std::optional<milliseconds> limit);

  /// `client` gives back what its token holds, or, if its profile is full, what a person has. False
  /// if nobody had the input. Throws Error(conflict) if another token holds it,
  /// Error(permission_denied) if it is a person's and not `client`'s to give back.
  bool give_back(const Principal& client);

  /// {"holder": "person", "client", "agent" or null, "name", "held_ms"}; for a person and a client
  /// that holds the input also "idle_ms" (since the last event or action) and "returns_in_ms" (if
  /// nothing more comes), for the latter "token" as well.
  Json state() const;

  /// How often a person took the input who did not have it.
  uint64_t times_taken() const;

  /// One sentence about the holder, for models.
  std::string describe() const;

  /// Throws Error(conflict) with the reason and the next step if the caller of `context` may not
  /// act now: a person has the input, or another token holds it.
  void require_free(const ToolContext& context);

 private:
  friend void with_input(ToolContext& context, const std::function<void()>& action);

  /// What a client took.
  struct Hold {
    std::string token;  ///< its name
    std::string name;
    Clock::time_point since;
    Clock::time_point last_use;
    std::optional<Clock::time_point> until;
    /// A person came. Kept for as long as the hold would have lasted, to tell its client.
    bool lost = false;
  };

  /// Waits for the turn; throws Error(conflict), Error(cancelled).
  void enter(const std::string& kind, const std::string& name, std::stop_source& action,
             const std::stop_token& stop);
  void leave();
  // All of these need mutex_.
  bool person_has_it() const;
  bool lasts(const Hold& hold) const;
  bool held() const { return hold_ && !hold_->lost && lasts(*hold_); }
  bool held_by_another(const std::string& caller) const { return held() && hold_->token != caller; }
  Clock::time_point end_of(const Hold& hold) const;
  void refuse(const std::string& caller);
  std::string person_text() const;
  std::string hold_text() const;

  const milliseconds idle_;
  const milliseconds hold_idle_;
  std::function<void()> taken_;

  mutable std::mutex mutex_;  // protects everything below
  std::condition_variable_any turn_over_;
  std::string viewer_;  // "" until a person acts, and after they gave the input back
  Clock::time_point person_since_{};
  Clock::time_point last_event_{};
  uint64_t times_taken_ = 0;
  std::optional<Hold> hold_;
  std::string client_kind_;  // "" while no action is under way
  std::string client_;
  Clock::time_point client_since_{};
  std::stop_source* action_ = nullptr;  // of the action under way
};

/// Runs `action`, which uses the input, while its caller holds the lease of `context` (if there is
/// one); `context.stop` ends it when a person takes the input, too. Throws what `action` throws,
/// Error(conflict) if a person has the input or takes it meanwhile or another token holds it,
/// Error(cancelled).
void with_input(ToolContext& context, const std::function<void()>& action);

}  // namespace selfagent
