// The thread of a kernel: what is sent to it and what comes from it.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "kernel/kernel.h"
#include "kernel/programs.h"
#include "process/output_files.h"

namespace selfagent {
namespace {

constexpr milliseconds interrupt_again{1000};
constexpr milliseconds starting_tick{20};
constexpr milliseconds busy_tick{100};
constexpr milliseconds without_pidfd_tick{250};
constexpr milliseconds longest_sleep{60'000};
// After the reply the last output is on its way; it is lost if it was larger than a message may be.
constexpr milliseconds last_output{2000};
// What it said last before its end may still be on its way through ZeroMQ's thread.
constexpr milliseconds last_messages{250};
constexpr milliseconds leave{3000};  // from the call of exit() to the end of the program
// From the answer of a returned kernel's control socket to that of a shell socket that is not busy.
constexpr milliseconds answer_of_idle{500};
constexpr int reconnect_ms = 10;
// Python sends what a cell prints at once as one message.
constexpr int64_t most_message_bytes = int64_t{256} << 20;
constexpr int queued_messages = 10'000;
constexpr size_t last_words = 1500;  // characters of stderr in the report of an end

std::vector<std::string> receive(zmq::socket_t& socket) {
  std::vector<std::string> frames;
  do {
    zmq::message_t frame;
    if (!socket.recv(frame, frames.empty() ? zmq::recv_flags::dontwait : zmq::recv_flags::none)) {
      break;
    }
    frames.push_back(frame.to_string());
  } while (socket.get(zmq::sockopt::rcvmore) != 0);
  return frames;
}

void transmit(zmq::socket_t& socket, const std::vector<std::string>& frames) {
  for (size_t i = 0; i < frames.size(); ++i) {
    const bool last = i + 1 == frames.size();
    socket.send(zmq::buffer(frames[i]), last
                                            ? zmq::send_flags::dontwait
                                            : zmq::send_flags::dontwait | zmq::send_flags::sndmore);
  }
}

}  // namespace

struct Kernel::Sockets {
  Sockets(zmq::context_t& context, const std::string& folder)
      : shell(context, zmq::socket_type::dealer),
        iopub(context, zmq::socket_type::sub),
        control(context, zmq::socket_type::dealer) {
    iopub.set(zmq::sockopt::subscribe, "");
    iopub.set(zmq::sockopt::rcvhwm, queued_messages);
    for (auto* socket : {&shell, &iopub, &control}) {
      socket->set(zmq::sockopt::linger, 0);
      socket->set(zmq::sockopt::reconnect_ivl, reconnect_ms);
      socket->set(zmq::sockopt::maxmsgsize, most_message_bytes);
    }
    shell.connect(kernel_address(folder, shell_port));
    iopub.connect(kernel_address(folder, iopub_port));
    control.connect(kernel_address(folder, control_port));
  }

  zmq::socket_t shell;
  zmq::socket_t iopub;
  zmq::socket_t control;
};

// One that was there before may be busy, and answers on its control socket all the same. What its
// shell socket answers comes behind the end of what it runs: that answer is the end of the run.
void Kernel::greet(Sockets& sockets) {
  const std::string asked = ask(sockets.shell, "kernel_info_request", Json::object());
  if (!returned_) return;
  request_ = asked;
  replied_ = quiet_ = false;
  if (!alive_) ask(sockets.control, "kernel_info_request", Json::object());
}

void Kernel::serve(const std::stop_token& stop) {
  try {
    Sockets sockets(context_, folder_.path());
    std::array<zmq::pollitem_t, 4> items{{{sockets.iopub.handle(), 0, ZMQ_POLLIN, 0},
                                          {sockets.shell.handle(), 0, ZMQ_POLLIN, 0},
                                          {nullptr, wake_.get(), ZMQ_POLLIN, 0},
                                          {nullptr, process_end_.get(), ZMQ_POLLIN, 0}}};
    const size_t count = process_end_ ? 4 : 3;
    greet(sockets);
    while (!stop.stop_requested() && death().empty()) {
      try {
        zmq::poll(items.data(), count, next_timer());
      } catch (const zmq::error_t& error) {
        if (error.num() != EINTR) throw;
        continue;
      }
      uint64_t woken = 0;
      [[maybe_unused]] const auto taken = ::read(wake_.get(), &woken, sizeof woken);
      take_messages(sockets);
      const bool gone =
          process_end_ ? (items[3].revents & ZMQ_POLLIN) != 0 : process_->state().has_exited();
      if (gone) {
        while (zmq::poll(items.data(), 2, last_messages) > 0) take_messages(sockets);
        end(how_it_ended());
        return;
      }
      send_what_waits(sockets);
      check_timers();
    }
  } catch (const std::exception& error) {
    log::error("the kernel {}: {}", name_, error.what());
    end(std::string("was ended after a failure of its connection: ") + error.what());
  }
}

std::string Kernel::ask(zmq::socket_t& socket, const std::string& type, const Json& content) const {
  const std::string id = random_hex(16);
  transmit(socket, coder_.encode(type, id, content));
  return id;
}

void Kernel::take_messages(Sockets& sockets) {
  for (auto* socket : {&sockets.iopub, &sockets.shell}) {
    while (true) {
      const std::vector<std::string> frames = receive(*socket);
      if (frames.empty()) break;
      if (const auto message = coder_.decode(frames)) {
        take(*message, socket == &sockets.iopub);
      } else {
        log::debug("the kernel {}: a message that is not signed with its key", name_);
      }
    }
  }
  // What the control socket answers is not needed otherwise, but must not pile up.
  for (auto frames = receive(sockets.control); !frames.empty(); frames = receive(sockets.control)) {
    if (alive_ || !coder_.decode(frames)) continue;
    alive_ = true;
    alive_at_ = Clock::now();
  }
  if (!request_.empty() && replied_ && quiet_ && !leaving_) finish_run();
}

void Kernel::take(const KernelMessage& message, bool published) {
  (published ? published_ : answered_) = true;
  const bool ours = !request_.empty() && message.parent == request_;
  if (!published) {
    if (ours && message.type == "execute_reply") take_reply(message.content);
    if (ours && message.type == "kernel_info_reply") {
      replied_ = true;
      replied_at_ = Clock::now();
    }
  } else if (message.type == "status") {
    const auto state = message.content.find("execution_state");
    if (ours && state != message.content.end() && *state == "idle") quiet_ = true;
  } else {
    const std::lock_guard lock(mutex_);
    outputs_.add(message.type, message.content);
    // Its reply goes to the daemon that asked for it.
    if (message.type == "error" && returned_ && running_) failed_ = true;
  }
}

void Kernel::take_reply(const Json& content) {
  replied_ = true;
  replied_at_ = Clock::now();
  const std::lock_guard lock(mutex_);
  const auto status = content.find("status");
  failed_ = status == content.end() || *status != "ok";
  const auto payloads = content.find("payload");
  if (payloads == content.end() || !payloads->is_array()) return;
  for (const Json& payload : *payloads) {
    if (!payload.is_object()) continue;
    const auto source = payload.find("source");
    if (source == payload.end()) continue;
    if (*source == "ask_exit") leaving_ = true;
    // What `name?` shows.
    if (*source == "page") outputs_.add("display_data", payload);
  }
}

void Kernel::send_what_waits(Sockets& sockets) {
  if (!ready_) {
    ready_ = answered_ && published_;
    // A publication that comes before the subscription is lost: asks until one arrives.
    if (!ready_ && answered_) greet(sockets);
    // What this one publishes about the question tells that what the code shows arrives, too.
    if (alive_ && !published_) ask(sockets.control, "kernel_info_request", Json::object());
    if (!ready_ && !alive_) return;
  }
  bool interrupts = false;
  {
    const std::lock_guard lock(mutex_);
    if (ready_ && running_ && !sent_) {
      sent_ = true;
      replied_ = quiet_ = leaving_ = false;
      request_ = ask(sockets.shell, "execute_request",
                     {{"code", std::move(code_)},
                      {"silent", false},
                      {"store_history", true},
                      {"user_expressions", Json::object()},
                      {"allow_stdin", false},
                      // Would throw away a request that comes right behind one that failed.
                      {"stop_on_error", false}});
    }
    if (running_ && interrupted_ && Clock::now() >= interrupt_due_) {
      interrupts = true;
      // Python ignores an interrupt that comes before it has begun to run the code.
      interrupt_due_ = Clock::now() + interrupt_again;
    }
  }
  if (!interrupts) return;
  if (language_ == KernelLanguage::python) {
    try {
      process_->signal(SIGINT);
    } catch (const Error&) {
      // It has ended meanwhile, which the loop is about to hear.
    }
  } else {
    ask(sockets.control, "interrupt_request", Json::object());
  }
}

bool Kernel::is_starting() const {
  if (ready_) return false;
  const std::lock_guard lock(mutex_);
  return returning_ || !alive_ || answered_;  // otherwise it is busy with what it ran before
}

milliseconds Kernel::next_timer() const {
  if (is_starting()) return starting_tick;
  if (replied_ && !request_.empty()) return busy_tick;
  const std::lock_guard lock(mutex_);
  if (running_ && interrupted_) return busy_tick;
  if (!process_end_) return without_pidfd_tick;
  if (running_ || attended_) return longest_sleep;
  const auto left =
      std::chrono::duration_cast<milliseconds>(last_use_ + settings_.idle - Clock::now());
  return std::clamp(left + milliseconds(1), milliseconds(1), longest_sleep);
}

void Kernel::check_timers() {
  const auto now = Clock::now();
  check_return(now);
  if (!ready_ && !(alive_ && published_) && now > started_ + settings_.start) {
    end(returned_ ? "did not answer within " + whole_seconds(settings_.start) +
                        " after the daemon was restarted, and was ended"
                  : "did not start within " + whole_seconds(settings_.start));
  } else if (leaving_ && now > replied_at_ + leave) {
    end("was ended by the code");
  } else if (!request_.empty() && replied_ && !leaving_ && now > replied_at_ + last_output) {
    finish_run();
  } else if (idle_since() < now - settings_.idle) {
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(settings_.idle).count();
    end("was not used for " +
        (minutes > 0 ? std::to_string(minutes) + " minutes" : whole_seconds(settings_.idle)) +
        " and was ended");
  }
}

void Kernel::check_return(Clock::time_point now) {
  if (!alive_ || !published_ || now < alive_at_ + answer_of_idle) return;
  const std::lock_guard lock(mutex_);
  if (!returning_) return;
  returning_ = false;  // it is there, and busy
  untold_ = true;
  changed_.notify_all();
}

void Kernel::finish_run() {
  request_.clear();
  const std::lock_guard lock(mutex_);
  running_ = returning_ = false;
  last_use_ = Clock::now();
  changed_.notify_all();
}

std::string Kernel::how_it_ended() const {
  const ProcessState state = process_->wait(
      [](const ProcessState& now) { return now.has_exited(); }, Deadline::after(last_output), {});
  const StreamEnds err = read_ends(process_->folder(), true, state.output_end, 4 * last_words);
  std::string said = readable_output(err.head, err.tail, state.err_bytes, last_words);
  if (!ready_ && said.find(missing_sign(language_)) != std::string::npos) {
    return what_is_missing(language_);
  }
  std::string reason = leaving_ ? "was ended by the code" : "ended unexpectedly";
  if (state.signal != 0) {
    reason += ", killed by signal " + std::to_string(state.signal) + " (" +
              ::strsignal(state.signal) + ")";
    if (state.signal == SIGKILL) reason += ": it may have used too much memory";
  } else {
    reason += " with exit code " + std::to_string(state.exit_code);
  }
  if (said.empty() || leaving_) return reason;
  return reason + "; the last that it wrote to stderr:\n" + said;
}

}  // namespace selfagent
