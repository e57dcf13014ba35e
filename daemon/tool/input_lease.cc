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

void InputLease::person_acts(const std::string& viewer) {
  {
    const std::lock_guard lock(mutex_);
    const bool had_it = person_has_it();
    viewer_ = viewer;
    last_event_ = Clock::now();
    if (had_it) return;
    person_since_ = last_event_;
    ++times_taken_;
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
  if (client_kind_.empty()) return {{"holder", nullptr}};
  return {{"holder", client_kind_}, {"name", client_}, {"held_ms", ms(now - client_since_)}};
}

std::string InputLease::person_text() const {
  const auto now = Clock::now();
  return "a person has been using the mouse and keyboard through the live view (" + viewer_ +
         ") for " + seconds(now - person_since_) + ", last " + seconds(now - last_event_) +
         " ago; the input comes back " + seconds(idle_) + " after their last use";
}

std::string InputLease::describe() const {
  const std::lock_guard lock(mutex_);
  if (person_has_it()) return person_text();
  if (client_kind_.empty()) return "free";
  return "used by an action of " + client_;
}

void InputLease::require_free() const {
  const std::lock_guard lock(mutex_);
  if (!person_has_it()) return;
  throw Error(ErrorCode::conflict, "nothing was done: " + person_text() + next_step);
}

void InputLease::enter(const std::string& kind, const std::string& name, std::stop_source& action,
                       const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  turn_over_.wait(lock, stop, [this] { return client_kind_.empty() || person_has_it(); });
  if (stop.stop_requested()) {
    throw Error(ErrorCode::cancelled, "cancelled while another client's action was under way");
  }
  if (person_has_it()) {
    throw Error(ErrorCode::conflict, "nothing was done: " + person_text() + next_step);
  }
  client_kind_ = kind;
  client_ = name;
  client_since_ = Clock::now();
  action_ = &action;
}

void InputLease::leave() {
  const std::lock_guard lock(mutex_);
  client_kind_.clear();
  client_.clear();
  action_ = nullptr;
  turn_over_.notify_all();
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
