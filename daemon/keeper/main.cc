// Keeps one program: reads what it writes, gives it what it is to read, waits for its end. See
// keeper/protocol.h.
//
// One thread, one poll loop, a few hundred kB of memory: there may be a thousand of these. It ends
// when the program and everything that descends from it have ended and their output is on the disk.
// Nothing that a client does or fails to do stops it: clients get reports when their socket takes
// them.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "keeper/child.h"
#include "keeper/clock.h"
#include "keeper/exec.h"
#include "keeper/guest.h"
#include "keeper/jail.h"
#include "keeper/log.h"
#include "keeper/means.h"
#include "keeper/protocol.h"
#include "keeper/tree.h"

namespace selfagent::keeper {
namespace {

constexpr int64_t report_interval_ms = 5;  // between two reports of nothing but output
constexpr int64_t kill_interval_ms = 20;   // between two looks for what has survived
constexpr int64_t last_output_ms = 1000;   // for the rest of the output when nothing runs any more
constexpr int reads_per_turn = 16;
constexpr int64_t begin_within_ms = 8000;       // that a shell must take up a guest
constexpr int64_t interrupt_interval_ms = 100;  // between two interrupts of a guest that is to end
constexpr int64_t shell_grace_ms = 1000;        // after KILL to a guest, before KILL to its shell

class Keeper {
 public:
  Keeper(Plan& plan, const Means& means)
      : plan_(plan),
        means_(means),
        log_(folder_fd, plan.config.chunk_bytes, plan.config.log_bytes),
        exit_file_(means.exit_file) {
    for (int& client : clients_) client = -1;
    clients_[0] = client_fd;
    report_.magic = magic;
    report_.exit_code = -1;
  }

  int run() {
    if (!is_known()) {
      leave_nothing();
      return 1;
    }
    if (!means_.complete) return fail(Step::exec, means_.error);
    family_.elder = ::getpid();
    const bool guest = plan_.config.guest != 0;
    if (guest && !guest_.enter(plan_)) return fail(Step::host, errno);
    const Started started = start(plan_, means_.supplies);
    if (started.pid < 0) return fail(started.step, started.error);
    pid_ = started.pid;
    report_.pid = guest ? guest_.shell() : pid_;
    out_ = started.out;
    err_ = started.err;
    input_ = started.input;
    if (guest) {
      give_up_ms_ = steady_ms() + begin_within_ms;
      guest_.ask(pid_);
      while (report_.state == State::starting) turn();
      if (report_.state == State::failed) return 1;
      give_up_ms_ = 0;
    } else {
      report_.state = State::running;
      send_all();
    }
    while (report_.state != State::gone) turn();
    ::sched_yield();  // to the daemon, which somebody waits for
    write_exit();
    // `control` stays, though nobody answers there: to remove an inode makes the next ones dearer
    // (ext4 passes over those that were freed in the last seconds one by one).
    return 0;
  }

 private:
  int fail(Step step, int error) {
    report_.state = State::failed;
    report_.step = step;
    report_.error = error;
    send_all();
    return 1;
  }

  // A daemon that was killed before it heard of this one has told nobody of it. One that begins
  // later finds the socket: so from here on somebody knows of the program.
  static bool is_known() {
    pollfd client{client_fd, POLLRDHUP, 0};
    return ::poll(&client, 1, 0) == 0;
  }

  void turn() {
    pollfd polled[7 + most_clients];
    polled[0] = {means_.signals, POLLIN, 0};
    polled[1] = {means_.listener, POLLIN, 0};
    polled[2] = {out_, POLLIN, 0};
    polled[3] = {err_, POLLIN, 0};
    // A terminal tells its end where it is read.
    const bool watch_input = input_size_ > 0 || plan_.config.terminal == 0;
    polled[4] = {watch_input ? input_ : -1, static_cast<short>(input_size_ > 0 ? POLLOUT : 0), 0};
    for (int i = 0; i < most_clients; ++i) {
      const bool waits = behind_[i] && steady_ms() >= next_report_ms_;
      polled[5 + i] = {clients_[i], static_cast<short>(POLLIN | (waits ? POLLOUT : 0)), 0};
    }
    polled[5 + most_clients] = {guest_.news(), POLLIN, 0};
    polled[6 + most_clients] = {guest_.host(), POLLIN, 0};
    ::poll(polled, 7 + most_clients, timeout());
    // The signals first: what the program had written before its end is then in the pipes for sure.
    bool ended = polled[0].revents != 0 && take_signals();
    if (guest_.host() >= 0 && look_at_guest()) ended = true;
    if (polled[2].revents != 0 || ended) take(out_, false);
    if (polled[3].revents != 0 || ended) take(err_, true);
    if (ended) note_end();
    if ((polled[4].revents & (POLLERR | POLLNVAL)) != 0) close_input();
    if (polled[4].revents != 0) give_input();
    for (int i = 0; i < most_clients; ++i) {
      if ((polled[5 + i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) serve(i);
    }
    if (polled[1].revents != 0) accept();
    go_on_interrupting();
    go_on_killing();
    look_for_the_end();
    if (steady_ms() >= next_report_ms_) send_behind();
  }

  int timeout() const {
    int64_t next = -1;
    const auto sooner = [&](int64_t at) { next = next < 0 || at < next ? at : next; };
    if (kill_at_ms_ > 0) sooner(kill_at_ms_);
    if (give_up_ms_ > 0) sooner(give_up_ms_);
    if (interrupt_at_ms_ > 0) sooner(interrupt_at_ms_);
    for (int i = 0; i < most_clients; ++i) {
      if (clients_[i] >= 0 && behind_[i] && !full_[i]) sooner(next_report_ms_);
    }
    if (next < 0) return -1;
    const int64_t left = next - steady_ms();
    return left < 0 ? 0 : static_cast<int>(left < 60'000 ? left : 60'000);
  }

  // True if the command in the shell has ended.
  bool look_at_guest() {
    const Guest::State state = guest_.look();
    if (report_.state == State::starting) {
      if (!guest_.has_begun()) {
        if (state == Guest::State::host_ended) {
          fail(Step::host, ESRCH);
        } else if (steady_ms() >= give_up_ms_) {
          fail(Step::host, ETIMEDOUT);
        }
        return false;
      }
      report_.state = State::running;
      send_all();
    }
    if (state == Guest::State::begun) {
      if (!childless_ || shell_killed_) return false;
      // Somebody has killed the stand-in: nobody is left to whom the shell could tell the end.
      guest_.kill_shell();
      shell_killed_ = true;
      return false;
    }
    report_.exit_code = guest_.exit_code();
    report_.signal = guest_.signal();
    report_.host_ended = state == Guest::State::host_ended ? 1 : 0;
    guest_.leave();
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    childless_ = true;
    return true;
  }

  // True if the program itself has ended.
  bool take_signals() {
    signalfd_siginfo info;
    while (::read(means_.signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      // Asked to end by whoever stops the machine: with everything.
      if (info.ssi_signo == SIGTERM) end_everything(2000);
    }
    bool ended = false;
    while (true) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid < 0) {
        childless_ = true;
        return ended;
      }
      if (pid == 0) return ended;
      if (pid != pid_ || plan_.config.guest != 0) continue;
      report_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      report_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
      ended = true;
    }
  }

  // What the program itself wrote is read already; when nobody else is left, this is the end of
  // all.
  void note_end() {
    report_.state = State::exited;
    report_.ended_ms = unix_ms();
    look_for_the_end();
    if (report_.state == State::gone) return;
    write_exit();
    send_all();
  }

  void look_for_the_end() {
    if (report_.state != State::exited || !childless_) return;
    // Nobody is left to write: the end of file comes, unless a descriptor was given to a stranger.
    take(out_, false);
    take(err_, true);
    const bool open = out_ >= 0 || err_ >= 0;
    // What a guest has left in the background descends from its shell.
    const bool kept = plan_.config.guest != 0 && (kill_at_ms_ == 0 || anybody());
    if (open && kept) return;
    if (open && give_up_ms_ == 0) give_up_ms_ = steady_ms() + last_output_ms;
    if (open && steady_ms() < give_up_ms_) return;
    report_.state = State::gone;
    send_all();
  }

  void take(int& stream, bool error) {
    static char buffer[131072];
    for (int i = 0; i < reads_per_turn && stream >= 0; ++i) {
      const ssize_t count = ::read(stream, buffer, sizeof buffer);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
      // A terminal whose last program is gone says EIO.
      if (count <= 0) {
        if (stream == input_) input_ = -1;
        ::close(stream);
        stream = -1;
        return;
      }
      log_.append(buffer, static_cast<size_t>(count), error);
      (error ? report_.err_bytes : report_.out_bytes) += static_cast<uint64_t>(count);
      for (bool& behind : behind_) behind = true;
      // Both streams have their turn after each piece, so that their order is nearly that of
      // writing.
      if (err_ >= 0 && static_cast<size_t>(count) < sizeof buffer) return;
    }
  }

  void give_input() {
    while (input_ >= 0 && input_size_ > 0) {
      const ssize_t count = ::write(input_, pending_ + input_at_, input_size_);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (count <= 0) return close_input();
      input_at_ += static_cast<size_t>(count);
      input_size_ -= static_cast<size_t>(count);
      for (bool& behind : behind_) behind = true;
    }
    if (input_size_ == 0) {
      std::free(pending_);
      pending_ = nullptr;
      input_at_ = 0;
      if (input_ends_ && plan_.config.terminal == 0) close_input();
    }
  }

  void close_input() {
    input_size_ = input_at_ = 0;
    std::free(pending_);
    pending_ = nullptr;
    if (input_ >= 0 && input_ != out_) ::close(input_);
    input_ = -1;
  }

  void add_input(const char* bytes, size_t size) {
    if (input_ < 0 || input_ends_ || input_size_ + size > most_pending_input) return;
    auto* all = static_cast<char*>(std::malloc(input_size_ + size));
    if (all == nullptr) return;
    if (input_size_ > 0) std::memcpy(all, pending_ + input_at_, input_size_);
    std::memcpy(all + input_size_, bytes, size);
    std::free(pending_);
    pending_ = all;
    input_at_ = 0;
    input_size_ += size;
    give_input();
  }

  void end_input() {
    if (plan_.config.terminal != 0) {
      const char end_of_file = 4;
      add_input(&end_of_file, 1);
      return;
    }
    input_ends_ = true;
    give_input();
    if (input_size_ == 0) close_input();
  }

  void accept() {
    while (true) {
      const int client = ::accept4(means_.listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (client < 0) return;
      int place = 0;
      while (place < most_clients && clients_[place] >= 0) ++place;
      if (place == most_clients) {
        ::close(client);
        continue;
      }
      clients_[place] = client;
      send(place);
    }
  }

  void serve(int place) {
    static char message[sizeof(Order) + most_input];
    while (clients_[place] >= 0) {
      const ssize_t count = ::recv(clients_[place], message, sizeof message, MSG_DONTWAIT);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (count <= 0) {
        ::close(clients_[place]);
        clients_[place] = -1;
        behind_[place] = full_[place] = false;
        return;
      }
      if (static_cast<size_t>(count) < sizeof(Order)) continue;
      Order order;
      std::memcpy(&order, message, sizeof order);
      carry_out(order, message + sizeof order, static_cast<size_t>(count) - sizeof order);
      send(place);
      // The answer is no news: what the program makes of the order is, and somebody waits for it.
      next_report_ms_ = 0;
    }
  }

  void carry_out(const Order& order, const char* bytes, size_t size) {
    switch (order.kind) {
      case OrderKind::write:
        add_input(bytes, size);
        break;
      case OrderKind::end_input:
        end_input();
        break;
      case OrderKind::signal:
        signal(order.number);
        break;
      case OrderKind::end:
        end_everything(order.number);
        break;
      case OrderKind::resize: {
        const winsize wanted{static_cast<unsigned short>(order.rows),
                             static_cast<unsigned short>(order.columns), 0, 0};
        if (plan_.config.terminal != 0 && out_ >= 0) ::ioctl(out_, TIOCSWINSZ, &wanted);
        break;
      }
    }
  }

  void signal(int number) {
    if (number <= 0 || number >= NSIG) return;
    if (plan_.config.guest != 0 && report_.state == State::running && number == SIGINT) {
      guest_.interrupt();
      return;
    }
    if (plan_.config.guest != 0 || report_.state != State::running) {
      signal_family(family(), number);
      return;
    }
    const pid_t front = plan_.config.terminal != 0 && out_ >= 0 ? ::tcgetpgrp(out_) : -1;
    ::kill(-(front > 0 ? front : pid_), number);
  }

  const Family& family() const { return plan_.config.guest != 0 ? guest_.family() : family_; }

  bool anybody() const { return signal_family(family(), 0) > 0; }

  void end_everything(int64_t grace_ms) {
    if (plan_.config.guest != 0 && report_.state == State::running) interrupt_at_ms_ = steady_ms();
    if (grace_ms > 0 && kill_at_ms_ == 0) {
      if (interrupt_at_ms_ == 0) signal_family_at_once(family(), SIGTERM);
      kill_at_ms_ = steady_ms() + grace_ms;
    } else {
      kill_at_ms_ = steady_ms();
    }
    // An interactive shell ignores TERM, and ends with its input.
    if (plan_.config.guest == 0 && plan_.config.terminal == 0) close_input();
    if (kill_shell_at_ms_ == 0) kill_shell_at_ms_ = kill_at_ms_ + shell_grace_ms;
    go_on_interrupting();
    go_on_killing();
  }

  // A shell takes an interrupt when what it waits for has ended by one: so interrupts and TERM take
  // turns.
  void go_on_interrupting() {
    if (interrupt_at_ms_ == 0 || steady_ms() < interrupt_at_ms_) return;
    if (report_.state != State::running) {
      interrupt_at_ms_ = 0;
      if (kill_at_ms_ > 0) signal_family(family(), SIGTERM);
      return;
    }
    if (interrupts_++ % 2 == 0) {
      guest_.interrupt();
    } else {
      signal_family_at_once(family(), SIGTERM);
    }
    if (steady_ms() >= kill_shell_at_ms_) guest_.kill_shell();
    interrupt_at_ms_ = steady_ms() + interrupt_interval_ms;
  }

  void go_on_killing() {
    const bool over = plan_.config.guest != 0 ? report_.state == State::gone : childless_;
    if (kill_at_ms_ == 0 || over || steady_ms() < kill_at_ms_) return;
    kill_family(family());
    kill_at_ms_ = steady_ms() + kill_interval_ms;
  }

  void update() {
    report_.log_end = log_.end();
    report_.lost_bytes = log_.lost();
    report_.input_left = input_size_;
  }

  void send_all() {
    for (bool& behind : behind_) behind = true;
    send_behind();
  }

  void send_behind() {
    for (int i = 0; i < most_clients; ++i) {
      if (clients_[i] >= 0 && behind_[i]) send(i);
    }
  }

  void send(int place) {
    update();
    const ssize_t count =
        ::send(clients_[place], &report_, sizeof report_, MSG_DONTWAIT | MSG_NOSIGNAL);
    full_[place] = count < 0 && errno == EAGAIN;
    behind_[place] = full_[place];
    next_report_ms_ = steady_ms() + report_interval_ms;
  }

  // One line of NAME=NUMBER, replaced as a whole: what is known of the end when nobody can be
  // asked.
  void write_exit() {
    update();
    if (exit_file_ < 0) exit_file_ = create_exit_file();
    if (exit_file_ < 0) return;
    char text[440];
    const int size = std::snprintf(
        text, sizeof text,
        "pid=%d exit_code=%d signal=%d ended_ms=%" PRId64 " log_end=%" PRIu64 " out_bytes=%" PRIu64
        " err_bytes=%" PRIu64 " lost_bytes=%" PRIu64 " host_ended=%" PRIu32 "\n",
        report_.pid, report_.exit_code, report_.signal, report_.ended_ms, report_.log_end,
        report_.out_bytes, report_.err_bytes, report_.lost_bytes, report_.host_ended);
    const bool whole = ::write(exit_file_, text, static_cast<size_t>(size)) == size;
    ::close(exit_file_);
    exit_file_ = -1;
    if (whole) ::renameat(folder_fd, "exit.new", folder_fd, "exit");
  }

  Plan& plan_;
  const Means means_;
  Log log_;
  Report report_{};
  pid_t pid_ = -1;
  int exit_file_;  // -1 if it is to be made when it is needed
  int out_ = -1;
  int err_ = -1;
  int input_ = -1;
  int clients_[most_clients];
  bool behind_[most_clients] = {};  // something changed since the last report
  bool full_[most_clients] = {};    // and the socket did not take it
  int64_t next_report_ms_ = 0;
  bool childless_ = false;
  bool input_ends_ = false;
  char* pending_ = nullptr;
  size_t input_at_ = 0;
  size_t input_size_ = 0;
  int64_t kill_at_ms_ = 0;  // everything is killed then, and again until nothing is left
  int64_t give_up_ms_ = 0;  // neither a guest's begin nor the end of the output is awaited longer
  Family family_;           // what the program has started
  Guest guest_;
  bool shell_killed_ = false;
  int64_t interrupt_at_ms_ = 0;  // a guest that is to end is interrupted then
  int64_t kill_shell_at_ms_ = 0;
  int interrupts_ = 0;
};

}  // namespace
}  // namespace selfagent::keeper

int main(int count, char** arguments) {
  using namespace selfagent::keeper;
  if (count > 1 && std::strcmp(arguments[1], "jail") == 0) {
    return jail_main(count - 2, arguments + 2);
  }
  default_signals();  // for the program: it inherits those that are ignored
  ::setsid();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const bool spare = count > 1 && std::strcmp(arguments[1], spare_argument) == 0;
  if (spare) ::prctl(PR_SET_NAME, "selfagent-spare");
  for (int fd = config_fd; fd <= client_fd; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  const Means means(spare);
  const Text text = spare ? take_work() : map_text(config_fd);
  if (spare && text.bytes == nullptr) {
    leave_nothing();
    return 0;
  }
  Plan plan{};
  if (!read_plan(text.bytes, text.size, plan)) {
    std::fputs("selfagent-keeper is started by selfagent alone\n", stderr);
    return 2;
  }
  ::prctl(PR_SET_NAME, "selfagent-keep");
  static Keeper keeper(plan, means);
  return keeper.run();
}
