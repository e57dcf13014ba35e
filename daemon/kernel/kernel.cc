#include "kernel/kernel.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "kernel/programs.h"
#include "process/spawn.h"

namespace selfagent {
namespace {

// How often a call that waits hears of it.
constexpr milliseconds tick{1000};
constexpr milliseconds kill_grace{500};

}  // namespace

std::string whole_seconds(milliseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

KernelSockets::KernelSockets(const Sandbox& sandbox) {
  // A thread has the rights that its creator had then, and the first socket starts them all.
  const AsUser rights(sandbox);
  const zmq::socket_t first(context_, zmq::socket_type::pair);
}

Kernel::Kernel(const Sandbox& sandbox, ProcessTable& processes, KernelSockets& sockets,
               const Kernels::Settings& settings, const KernelCall& call, std::string name)
    : settings_(settings),
      language_(call.language),
      name_(std::move(name)),
      folder_(sandbox),
      key_(random_hex(32)),
      coder_(key_),
      context_(sockets.context()),
      returned_(false),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) throw system_error("eventfd", errno);
  KernelProgram program = kernel_program(language_, folder_.path(), key_, settings_.web_folder);
  for (const auto& [file, content] : program.files) folder_.write(file, content);
  ProcessRequest& request = program.request;
  request.command = "kernel " + name_;
  request.env[kernel_mark] = name_;
  request.client = call.client;
  try {
    process_ = processes.start(request);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    throw Error(ErrorCode::unavailable, what_is_missing(language_));
  }
  process_end_ = open_pidfd(process_->state().pid);
  try {
    write_kernel_record(process_->folder(), {language_, call.session, folder_.path(), key_});
    runs_.emplace(process_->folder());
  } catch (const Error& error) {
    log::warn("the kernel {} will not outlive this daemon: {}", name_, error.what());
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

Kernel::Kernel(const Sandbox& sandbox, KernelSockets& sockets, const Kernels::Settings& settings,
               const KernelRecord& record, ProcessPtr process)
    : settings_(settings),
      language_(record.language),
      name_(std::string(to_string(record.language)) + " " + record.session),
      folder_(sandbox, record.folder),
      key_(record.key),
      coder_(key_),
      context_(sockets.context()),
      returned_(true),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      process_(std::move(process)) {
  if (!wake_) throw system_error("eventfd", errno);
  process_end_ = open_pidfd(process_->state().pid);
  runs_.emplace(process_->folder());
  const KernelRuns::State before = runs_->read();
  run_ = before.run;
  untold_ = before.untold;
  // Until it says that it is free.
  returning_ = running_ = sent_ = true;
  if (untold_) {
    outputs_.add_line(
        "[the daemon was restarted before it told how this code ended: what the code had shown "
        "until then, an error too, is lost]");
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

Kernel::~Kernel() {
  end("was ended with the daemon");
  thread_.request_stop();
  wake();
}

void Kernel::end(const std::string& reason) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = true;
    running_ = returning_ = false;
    death_ = reason;
    changed_.notify_all();
  }
  try {
    process_->end(kill_grace);
  } catch (const Error&) {
    // It has ended by itself.
  }
  wake();
}

void Kernel::await_return(Deadline deadline, const std::stop_token& stop) const {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, stop, deadline.at(), [this] { return !returning_ || ended_; });
}

std::string Kernel::death() const {
  const std::lock_guard lock(mutex_);
  return death_;
}

Clock::time_point Kernel::idle_since() const {
  const std::lock_guard lock(mutex_);
  return running_ || attended_ ? Clock::time_point::max() : last_use_;
}

void Kernel::wake() const {
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

KernelAnswer Kernel::run(const KernelCall& call, const std::stop_token& stop) {
  struct Attendance {
    Kernel& kernel;
    explicit Attendance(Kernel& attended) : kernel(attended) { kernel.attended_ = true; }
    ~Attendance() {
      kernel.attended_ = false;
      kernel.last_use_ = Clock::now();
      kernel.changed_.notify_all();
      kernel.wake();  // its thread counts the idle time from now on
    }
  };
  std::unique_lock lock(mutex_);
  take_turn(lock, call, stop);
  const Attendance attendance(*this);  // ends before the lock does
  if (!call.interrupt && !call.code.empty() && !ended_) begin(call);
  KernelAnswer answer;
  answer.process = process_->info().id;
  const bool news = untold_ || (ended_ && !end_told_);
  if (call.interrupt) {
    interrupt(lock);
  } else {
    wait(lock, call, stop);
    if (running_ && stop.stop_requested()) interrupt(lock);
  }
  using End = KernelAnswer::End;
  answer.end = !news          ? End::idle
               : ended_       ? End::ended
               : running_     ? End::still_running
               : interrupted_ ? End::interrupted
               : failed_      ? End::failed
                              : End::done;
  answer.reason = death_;
  answer.run = news ? run_ : 0;
  answer.shown = outputs_.take();
  if (!running_ && untold_) {
    untold_ = false;
    if (runs_) runs_->write({run_, untold_});
  }
  end_told_ = ended_;
  return answer;
}

void Kernel::take_turn(std::unique_lock<std::mutex>& lock, const KernelCall& call,
                       const std::stop_token& stop) {
  // Calls made at the same time run one after the other.
  const bool free = changed_.wait_until(lock, stop, call.until.at(),
                                        [this] { return (!attended_ && !returning_) || ended_; });
  if (stop.stop_requested()) {
    throw Error(ErrorCode::cancelled, "cancelled before the code was run");
  }
  if (returning_) {
    throw Error(ErrorCode::conflict, "the kernel " + name_ +
                                         " has not answered yet since the daemon was restarted, "
                                         "and nothing was run: call again");
  }
  const bool wants_to_run = !call.interrupt && !call.code.empty();
  if (free && (!running_ || !wants_to_run)) return;
  throw Error(ErrorCode::conflict,
              "the session " + name_ +
                  " is busy: it still runs the code of an earlier call, and this code was not run. "
                  "Call run_code with an empty code to wait for it, with interrupt: true to stop "
                  "it, or use another session");
}

void Kernel::begin(const KernelCall& call) {
  ++run_;
  if (!outputs_.empty()) {
    outputs_.add_line("[the lines above were shown since the call before this one]");
  }
  code_ = call.code;
  running_ = true;
  sent_ = false;
  interrupted_ = false;
  failed_ = false;
  untold_ = true;
  if (runs_) runs_->write({run_, untold_});
  wake();
}

void Kernel::wait(std::unique_lock<std::mutex>& lock, const KernelCall& call,
                  const std::stop_token& stop) {
  const auto begun = Clock::now();
  while (running_ && !stop.stop_requested() && !call.until.passed()) {
    const Deadline next = Deadline::after(tick).sooner(call.until);
    if (changed_.wait_until(lock, stop, next.at(), [this] { return !running_; })) return;
    if (!call.on_tick) continue;
    lock.unlock();
    call.on_tick(std::chrono::duration_cast<milliseconds>(Clock::now() - begun));
    lock.lock();
  }
}

void Kernel::interrupt(std::unique_lock<std::mutex>& lock) {
  if (!running_) return;
  interrupted_ = true;
  if (!sent_) {  // the kernel still starts
    running_ = false;
    return;
  }
  interrupt_due_ = Clock::now();
  wake();
  const Deadline grace = Deadline::after(settings_.interrupt_grace);
  if (changed_.wait_until(lock, grace.at(), [this] { return !running_; })) return;
  lock.unlock();
  end("did not stop within " + whole_seconds(settings_.interrupt_grace) +
      " of being interrupted and was ended");
  lock.lock();
}

}  // namespace selfagent
