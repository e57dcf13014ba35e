#include "tool/calls.h"

#include <set>

#include "base/error.h"
#include "base/random.h"

namespace selfagent {

namespace {

constexpr milliseconds interval{250};
constexpr milliseconds between_progress{1000};
constexpr std::chrono::hours kept_for{1};
constexpr size_t most_kept = 64;
// The watcher goes on looking for a while after the last call, so that a client that makes one
// quick call after the other does not wake it every time.
constexpr int rounds_before_sleep = 20;

std::string seconds(Clock::duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

std::string how_to_read_on(const std::string& id) {
  return "Call call_result with id \"" + id +
         "\" to wait for the result, with cancel: true to stop it. The result is kept for an hour.";
}

}  // namespace

RunningCall::RunningCall(const Tool& tool, std::string principal, milliseconds foreground,
                         ProgressSink progress, Answer answer)
    : tool_(tool),
      principal_(std::move(principal)),
      foreground_(foreground),
      progress_(std::move(progress)),
      answer_(std::move(answer)) {}

void RunningCall::emit(double value, const std::string& message) {
  last_value_ = value;
  last_progress_ = Clock::now();
  if (progress_) progress_(value, message);
}

void RunningCall::progress(double value, const std::string& message) {
  const std::lock_guard lock(mutex_);
  last_message_ = message;
  if (!over_) emit(value, message);
}

void RunningCall::finish(ToolResult result) {
  Answer answer;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    over_at_ = Clock::now();
    progress_ = nullptr;
    answer = std::exchange(answer_, nullptr);
    if (!answer) result_ = result;
  }
  ended_.notify_all();
  if (answer) answer(std::move(result));
}

bool RunningCall::abandon() {
  const std::lock_guard lock(mutex_);
  over_ = true;
  over_at_ = Clock::now();
  progress_ = nullptr;
  return std::exchange(answer_, nullptr) != nullptr;
}

std::string RunningCall::describe(Clock::time_point now) const {
  return tool_.name +
         (over_ ? " ended after " + seconds(over_at_ - started_)
                : " is still running after " + seconds(now - started_)) +
         (over_ || last_message_.empty() ? "" : " (" + last_message_ + ")");
}

void RunningCall::tick(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (over_ || !progress_ || now - last_progress_ < between_progress) return;
  emit(last_value_,
       last_message_.empty() ? "running for " + seconds(now - started_) : last_message_);
}

std::function<void()> RunningCall::detach(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (over_ || foreground_.count() == 0 || now - started_ < foreground_) return nullptr;
  id_ = random_hex(8);
  progress_ = nullptr;
  return [answer = std::exchange(answer_, nullptr), result = still_running(now)] {
    if (answer) answer(result);
  };
}

ToolResult RunningCall::still_running(Clock::time_point now) const {
  ToolResult result = ToolResult::text(describe(now) + ". " + how_to_read_on(id_));
  if (tool_.output_schema.is_null()) return result;
  // Clients refuse a result that does not fit the schema, unless it is an error. Tools that may be
  // long have room for this one in theirs, see mcp/server.cc.
  result.is_error = !tool_.long_running;
  if (tool_.long_running) result.structured = {{"still_running", true}, {"call_id", id_}};
  return result;
}

bool RunningCall::over() const {
  const std::lock_guard lock(mutex_);
  return over_;
}

Calls::~Calls() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void Calls::watch(const CallPtr& call) {
  const std::lock_guard lock(mutex_);
  watched_.push_back(call);
  if (!thread_.joinable()) {
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  } else if (asleep_) {
    wake_.notify_one();
  }
}

void Calls::work(const std::stop_token& stop) {
  int idle_rounds = 0;
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (watched_.empty() && ++idle_rounds > rounds_before_sleep) {
      asleep_ = true;
      wake_.wait(lock, stop, [this] { return !watched_.empty(); });
      asleep_ = false;
    }
    wake_.wait_for(lock, stop, interval, [] { return false; });
    if (watched_.empty()) continue;
    idle_rounds = 0;
    const std::vector<CallPtr> calls = watched_;
    lock.unlock();
    const auto now = Clock::now();
    std::set<CallPtr> left;
    for (const auto& call : calls) {
      call->tick(now);
      const auto tell = call->detach(now);
      if (tell) {
        keep(call);  // before the client learns the id
        tell();
      }
      if (tell || call->over()) left.insert(call);
    }
    lock.lock();
    std::erase_if(watched_, [&](const CallPtr& call) { return left.contains(call); });
  }
}

void Calls::keep(const CallPtr& call) {
  const std::lock_guard lock(mutex_);
  background_.push_back(call);
  const auto now = Clock::now();
  const auto droppable = [&](const CallPtr& other) {
    if (other == call) return false;
    const std::lock_guard other_lock(other->mutex_);
    return other->over_ && (background_.size() > most_kept || now - other->over_at_ > kept_for);
  };
  for (auto at = background_.begin(); at != background_.end();) {
    at = droppable(*at) ? background_.erase(at) : at + 1;
  }
}

Calls::CallPtr Calls::find(const std::string& id, const std::string& principal) const {
  const std::lock_guard lock(mutex_);
  for (const auto& call : background_) {
    const std::lock_guard call_lock(call->mutex_);
    if (call->id_ == id && call->principal_ == principal) return call;
  }
  throw Error(
      ErrorCode::not_found,
      "there is no running or kept call \"" + id +
          "\": results are kept for an hour; call_result without an id lists what there is");
}

ToolResult Calls::result(const std::string& id, const std::string& principal, milliseconds wait,
                         const std::stop_token& stop) {
  const CallPtr call = find(id, principal);
  std::unique_lock lock(call->mutex_);
  call->ended_.wait_for(lock, stop, wait, [&] { return call->over_; });
  if (call->over_) return call->result_;
  if (stop.stop_requested()) {
    throw Error(ErrorCode::cancelled, "no longer waiting; the call \"" + id + "\" goes on");
  }
  return call->still_running(Clock::now());
}

void Calls::cancel(const std::string& id, const std::string& principal) {
  find(id, principal)->stop_.request_stop();
}

std::string Calls::list(const std::string& principal) const {
  const std::lock_guard lock(mutex_);
  std::string text;
  const auto now = Clock::now();
  for (const auto& call : background_) {
    const std::lock_guard call_lock(call->mutex_);
    if (call->principal_ == principal) text += "\n" + call->id_ + ": " + call->describe(now);
  }
  return text;
}

}  // namespace selfagent
