// One kernel: its process, its sockets and the thread that owns these.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "base/unique_fd.h"
#include "kernel/kernel_folder.h"
#include "kernel/kernel_record.h"
#include "kernel/kernels.h"
#include "kernel/message.h"

namespace selfagent {

/// "30 s"
std::string whole_seconds(milliseconds time);

/// The context of ZeroMQ, whose threads have the sandbox user's rights on files: they connect to
/// paths in a folder of that user, who may put links to other sockets there.
class KernelSockets {
 public:
  explicit KernelSockets(const Sandbox& sandbox);
  zmq::context_t& context() { return context_; }

 private:
  zmq::context_t context_;
};

/// Thread-safe. The sockets belong to its thread alone.
class Kernel {
 public:
  /// Starts the process and returns; see Kernels::run for what it throws. `name` is "python
  /// default".
  Kernel(const Sandbox& sandbox, ProcessTable& processes, KernelSockets& sockets,
         const Kernels::Settings& settings, const KernelCall& call, std::string name);
  /// Goes on with one that an earlier daemon started, and returns at once; until it has answered
  /// its calls wait. One that does not answer is ended.
  Kernel(const Sandbox& sandbox, KernelSockets& sockets, const Kernels::Settings& settings,
         const KernelRecord& record, ProcessPtr process);
  /// Ends the process.
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  /// See Kernels::run.
  KernelAnswer run(const KernelCall& call, const std::stop_token& stop);

  /// Ends the process; whoever waits is told `reason`.
  void end(const std::string& reason);

  /// Waits until it is known whether it lives: a kernel of an earlier daemon may not answer. At
  /// most until `deadline`, or until `stop` is requested.
  void await_return(Deadline deadline, const std::stop_token& stop) const;

  /// How it ended; "" while it lives.
  std::string death() const;
  /// Since when nobody uses it; the latest time there is, if somebody does.
  Clock::time_point idle_since() const;

 private:
  struct Sockets;

  // Callers, with the mutex.
  void take_turn(std::unique_lock<std::mutex>& lock, const KernelCall& call,
                 const std::stop_token& stop);
  void begin(const KernelCall& call);
  void wait(std::unique_lock<std::mutex>& lock, const KernelCall& call,
            const std::stop_token& stop);
  void interrupt(std::unique_lock<std::mutex>& lock);
  void wake() const;

  // The thread.
  void greet(Sockets& sockets);
  void serve(const std::stop_token& stop);
  std::string ask(zmq::socket_t& socket, const std::string& type, const Json& content) const;
  void take_messages(Sockets& sockets);
  void take(const KernelMessage& message, bool published);
  void take_reply(const Json& content);
  void send_what_waits(Sockets& sockets);
  milliseconds next_timer() const;
  void check_timers();
  void check_return(Clock::time_point now);
  bool is_starting() const;
  void finish_run();
  std::string how_it_ended() const;

  const Kernels::Settings& settings_;
  const KernelLanguage language_;
  const std::string name_;
  const KernelFolder folder_;
  const std::string key_;
  const MessageCoder coder_;
  zmq::context_t& context_;
  const bool returned_;  // an earlier daemon started it
  UniqueFd wake_;
  ProcessPtr process_;
  UniqueFd process_end_;  // readable when the program has ended; empty where there is no such thing

  mutable std::mutex mutex_;  // protects the members below
  std::optional<KernelRuns> runs_;
  mutable std::condition_variable_any changed_;
  bool attended_ = false;     // a call waits for it
  bool returning_ = false;    // it has not answered this daemon yet
  bool running_ = false;      // code is to be run, or runs
  bool sent_ = false;         // it runs
  bool interrupted_ = false;  // or is about to be
  bool failed_ = false;       // the last run ended by an error
  bool untold_ = false;       // nobody was told yet how it ended
  bool ended_ = false;
  bool end_told_ = false;
  Clock::time_point interrupt_due_{};
  std::string code_;
  std::string death_;
  int run_ = 0;
  Outputs outputs_;
  Clock::time_point last_use_ = Clock::now();

  // For the thread alone.
  const Clock::time_point started_ = Clock::now();
  std::string request_;  // the id of what runs
  bool alive_ = false;   // a returned one: the control socket has answered
  Clock::time_point alive_at_{};
  bool answered_ = false;   // the shell socket has answered
  bool published_ = false;  // the iopub socket has: both are connected
  bool ready_ = false;
  bool replied_ = false;  // to what runs
  bool quiet_ = false;    // its last output has come
  bool leaving_ = false;  // the code has called exit()
  Clock::time_point replied_at_{};
  std::jthread thread_;  // the last: it uses the others
};

}  // namespace selfagent
