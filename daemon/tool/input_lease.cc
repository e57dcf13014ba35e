#include "tool/input_lease.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "tool/principal.h"
#include "tool/tool.h"

namespace selfagent {
namespace {

int64_t ms(Clock::duration time) { return std::chrono::duration_cast<milliseconds>(time).count(); }

std::string seconds(Clock::duration time) {
  const int64_t tenths = ms(time) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

constexpr const char* next_step =
    ". Look with screenshot meanwhile, wait, then look again at what they did and go on; they can "
    "also hand the input back at once (POST /lease/release)";

constexpr const char* hold_ended =
    "which ended your hold of them: POST /lease/take again if you need them for several actions";

/// Puts back the stop token of a context.
class OwnStop {
 public:
  OwnStop(ToolContext& context, std::stop_source& source)
      : context_(context), outer_(std::exchange(context.stop, source.get_token())) {}
  ~OwnStop() { context_.stop = outer_; }
  OwnStop(const OwnStop&) = delete;
  OwnStop& operator=(const OwnStop&) = delete;
  const std::stop_token& outer() const { return outer_; }

 private:
  ToolContext& context_;
  const std::stop_token outer_;
};

}  // namespace

bool InputLease::person_has_it() const {
  return !viewer_.empty() && Clock::now() - last_event_ < idle_;
}

bool InputLease::lasts(const Hold& hold) const {
  const auto now = Clock::now();
  if (hold.until && now >= *hold.until) return false;
  // It is in use: an action may take longer than the time of idleness.
  return (action_ != nullptr && client_ == hold.token) || now - hold.last_use < hold_idle_;
}

Clock::time_point InputLease::end_of(const Hold& hold) const {
  const auto idle = hold.last_use + hold_idle_;
  return hold.until ? std::min(idle, *hold.until) : idle;
}

void InputLease::person_acts(const std::string& viewer) {
  {
    const std::lock_guard lock(mutex_);
    const bool had_it = person_has_it();
    viewer_ = viewer;
    last_event_ = Clock::now();
    if (had_it) return;
    person_since_ = last_event_;
    ++times_taken_;
    if (hold_) hold_->lost = true;
    if (action_ != nullptr) action_->request_stop();
    turn_over_.notify_all();
  }
  if (taken_) taken_();
}

uint64_t InputLease::times_taken() const {
  const std::lock_guard lock(mutex_);
  return times_taken_;
}

bool InputLease::release() {
  const std::lock_guard lock(mutex_);
  const bool had_it = person_has_it();
  viewer_.clear();
  return had_it;
}

void InputLease::take(const Principal& client, const std::string& name,
                      std::optional<milliseconds> limit) {
  {
    const std::lock_guard lock(mutex_);
    if (person_has_it()) throw Error(ErrorCode::conflict, person_text() + next_step);
    if (held_by_another(client.name)) {
      throw Error(ErrorCode::conflict, hold_text() + ": try again then");
    }
    const auto now = Clock::now();
    const bool renewed = held();
    std::optional<Clock::time_point> until;
    if (limit) until = now + *limit;
    hold_ = Hold{.token = client.name,
                 .name = name.empty() ? client.name : name,
                 .since = renewed ? hold_->since : now,
                 .last_use = now,
                 .until = until};
    turn_over_.notify_all();  // who waits for a turn will not get one
    // What an action under way keeps down is let go when it ends.
    if (renewed || action_ != nullptr) return;
  }
  if (taken_) taken_();
}

bool InputLease::give_back(const Principal& client) {
  const std::lock_guard lock(mutex_);
  if (held_by_another(client.name)) {
    throw Error(ErrorCode::conflict, hold_text() + "; only that token can give it back before");
  }
  const bool person = person_has_it();
  if (person && client.profile != Profile::full) {
    throw Error(ErrorCode::permission_denied,
                person_text() + "; only a token of the profile full can hand it back before");
  }
  const bool held_it = held();
  if (hold_ && hold_->token == client.name) hold_.reset();
  viewer_.clear();
  return person || held_it;
}

Json InputLease::state() const {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (person_has_it()) {
    return {{"holder", "person"},
            {"name", viewer_},
            {"held_ms", ms(now - person_since_)},
            {"idle_ms", ms(now - last_event_)},
            {"returns_in_ms", std::max<int64_t>(0, ms(last_event_ + idle_ - now))}};
  }
  if (held()) {
    return {{"holder", "client"},
            {"name", hold_->name},
            {"token", hold_->token},
            {"held_ms", ms(now - hold_->since)},
            {"idle_ms", ms(now - hold_->last_use)},
            {"returns_in_ms", std::max<int64_t>(0, ms(end_of(*hold_) - now))}};
  }
  if (client_kind_.empty()) return {{"holder", nullptr}};
  return {{"holder", client_kind_}, {"name", client_}, {"held_ms", ms(now - client_since_)}};
}

std::string InputLease::person_text() const {
  const auto now = Clock::now();
  return "a person has been using the mouse and keyboard through the live view (" + viewer_ +
         ") for " + seconds(now - person_since_) + ", last " + seconds(now - last_event_) +
         " ago; the input comes back " + seconds(idle_) + " after their last use";
}

std::string InputLease::hold_text() const {
  const auto now = Clock::now();
  const std::string name = hold_->name == hold_->token ? "" : "\"" + hold_->name + "\", ";
  return "the client " + name + "token \"" + hold_->token +
         "\", has held the mouse and keyboard for " + seconds(now - hold_->since) +
         "; they come free when it gives them back, at the latest " +
         seconds(std::max(Clock::duration::zero(), end_of(*hold_) - now)) +
         " from now if it does nothing more";
}

std::string InputLease::describe() const {
  const std::lock_guard lock(mutex_);
  if (person_has_it()) return person_text();
  if (held()) return hold_text();
  if (client_kind_.empty()) return "free";
  return "used by an action of " + client_;
}

// Tells the client of a hold that a person ended, once.
void InputLease::refuse(const std::string& caller) {
  const bool lost = hold_ && hold_->lost && hold_->token == caller && lasts(*hold_);
  if (lost) hold_.reset();
  if (person_has_it()) {
    throw Error(ErrorCode::conflict, "nothing was done: " + person_text() +
                                         (lost ? std::string(", ") + hold_ended : "") + next_step);
  }
  if (lost) {
    throw Error(ErrorCode::conflict,
                std::string("nothing was done: a person took the mouse and keyboard through the "
                            "live view, ") +
                    hold_ended +
                    ". They are given back: look with screenshot at what the person "
                    "did, then go on");
  }
  if (held_by_another(caller)) {
    throw Error(ErrorCode::conflict,
                "nothing was done: " + hold_text() +
                    ". Look with screenshot meanwhile, wait, then look again at what it did and "
                    "go on");
  }
}

void InputLease::require_free(const ToolContext& context) {
  const std::lock_guard lock(mutex_);
  refuse(caller_name(context));
}

void InputLease::enter(const std::string& kind, const std::string& name, std::stop_source& action,
                       const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  turn_over_.wait(lock, stop,
                  [&] { return client_kind_.empty() || person_has_it() || held_by_another(name); });
  if (stop.stop_requested()) {
    throw Error(ErrorCode::cancelled, "cancelled while another client's action was under way");
  }
  refuse(name);
  client_kind_ = kind;
  client_ = name;
  client_since_ = Clock::now();
  action_ = &action;
}

void InputLease::leave() {
  bool taken = false;
  {
    const std::lock_guard lock(mutex_);
    taken = held_by_another(client_);
    if (hold_ && hold_->token == client_) hold_->last_use = Clock::now();
    client_kind_.clear();
    client_.clear();
    action_ = nullptr;
    turn_over_.notify_all();
  }
  if (taken && taken_) taken_();
}

void with_input(ToolContext& context, const std::function<void()>& action) {
  if (context.lease == nullptr) return action();
  InputLease& lease = *context.lease;
  std::stop_source source;
  const bool agent = context.principal == nullptr;
  lease.enter(agent ? "agent" : "client", caller_name(context), source, context.stop);
  struct Leave {
    InputLease& lease;
    ~Leave() { lease.leave(); }
  } const leave{lease};
  const OwnStop stop(context, source);
  const std::stop_callback joined(stop.outer(), [&source] { source.request_stop(); });
  try {
    action();
  } catch (const Error& error) {
    const bool by_person = error.code() == ErrorCode::cancelled && source.stop_requested() &&
                           !stop.outer().stop_requested();
    if (!by_person) throw;
    throw Error(ErrorCode::conflict, "stopped in the middle, with every key and button released: " +
                                         lease.describe() + next_step);
  }
}

}  // namespace selfagent
