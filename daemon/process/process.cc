#include "process/process.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/wait.h"
#include "keeper/protocol.h"

namespace selfagent {
namespace {

// What a keeper is given to hold, of the most that it holds: the rest is room for what was on its
// way when it last told how much that is.
constexpr uint64_t most_given_input = keeper::most_pending_input / 2;

ProcessPhase phase_of(keeper::State state) {
  switch (state) {
    case keeper::State::starting:
    case keeper::State::running:
      return ProcessPhase::running;
    case keeper::State::exited:
      return ProcessPhase::exited;
    case keeper::State::failed:
    case keeper::State::gone:
      return ProcessPhase::ended;
  }
  return ProcessPhase::lost;
}

}  // namespace

ProcessState state_of(const keeper::Report& report) {
  return {phase_of(report.state), report.pid,        report.exit_code,      report.signal,
          report.ended_ms,        report.log_end,    report.out_bytes,      report.err_bytes,
          report.lost_bytes,      report.input_left, report.host_ended != 0};
}

ProcessState read_exit(const std::filesystem::path& folder) {
  ProcessState state;
  std::ifstream file(folder / "exit");
  std::map<std::string, int64_t> numbers;
  for (std::string word; file >> word;) {
    const size_t equals = word.find('=');
    if (equals != std::string::npos) {
      numbers[word.substr(0, equals)] = std::strtoll(word.c_str() + equals + 1, nullptr, 10);
    }
  }
  if (numbers.empty()) {
    state.phase = ProcessPhase::lost;
    return state;
  }
  // What was left in the background has ended with the keeper, or nobody knows of it.
  state.phase = ProcessPhase::ended;
  state.pid = static_cast<int>(numbers["pid"]);
  state.exit_code = static_cast<int>(numbers["exit_code"]);
  state.signal = static_cast<int>(numbers["signal"]);
  state.ended_ms = numbers["ended_ms"];
  state.output_end = static_cast<uint64_t>(numbers["log_end"]);
  state.out_bytes = static_cast<uint64_t>(numbers["out_bytes"]);
  state.err_bytes = static_cast<uint64_t>(numbers["err_bytes"]);
  state.lost_bytes = static_cast<uint64_t>(numbers["lost_bytes"]);
  state.host_ended = numbers["host_ended"] != 0;
  return state;
}

Process::Process(ProcessInfo info, std::filesystem::path folder, UniqueFd keeper)
    : info_(std::move(info)), folder_(std::move(folder)), keeper_(std::move(keeper)) {
  if (!keeper_) lose();
}

int Process::keeper() const {
  const std::lock_guard lock(mutex_);
  return keeper_.get();
}

ProcessState Process::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

ProcessState Process::wait(const std::function<bool(const ProcessState&)>& enough,
                           Deadline deadline, const std::stop_token& stop) const {
  std::unique_lock lock(mutex_);
  while (true) {
    const ProcessState state = state_;
    lock.unlock();
    if (enough(state) || stop.stop_requested() || deadline.passed()) return state;
    lock.lock();
    changed_.wait_until(lock, stop, deadline.at(), [&] {
      return state_.phase != state.phase || state_.output_end != state.output_end ||
             state_.input_left != state.input_left || state_.pid != state.pid;
    });
  }
}

ProcessState Process::wait_for_end(Deadline deadline, const std::stop_token& stop) const {
  return wait([](const ProcessState& state) { return state.is_over(); }, deadline, stop);
}

void Process::wait_for_keeper(Deadline deadline) const {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline.at(), [&] { return !keeper_; });
}

OutputRead Process::read(uint64_t from, uint64_t most_bytes) const {
  return read_output(folder_, from, state().output_end, most_bytes);
}

void Process::write(std::string_view bytes) {
  if (!info_.terminal && !info_.open_input) {
    throw Error(ErrorCode::invalid_argument,
                "process " + info_.id +
                    " reads nothing: it was started without input. Start it with a terminal "
                    "(shell with terminal: true)");
  }
  if (state().input_left + bytes.size() > most_given_input) {
    throw Error(ErrorCode::resource_exhausted,
                "process " + info_.id + " has not taken " + std::to_string(state().input_left) +
                    " bytes that were given to it before: wait until it reads");
  }
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, keeper::most_input);
    order(keeper::OrderKind::write, 0, 0, 0, part);
    bytes.remove_prefix(part.size());
  }
}

void Process::end_input() { order(keeper::OrderKind::end_input); }

void Process::signal(int number) { order(keeper::OrderKind::signal, number); }

void Process::end(milliseconds grace) {
  order(keeper::OrderKind::end, static_cast<int>(grace.count()));
}

void Process::resize(int rows, int columns) { order(keeper::OrderKind::resize, 0, rows, columns); }

void Process::order(keeper::OrderKind kind, int number, int rows, int columns,
                    std::string_view bytes) {
  const auto over = [&] {
    return Error(ErrorCode::conflict, "process " + info_.id +
                                          " has ended: there is nothing left "
                                          "of it to reach. process_read still shows its output");
  };
  if (state().is_over()) throw over();
  const keeper::Order order{kind, number, static_cast<uint32_t>(rows),
                            static_cast<uint32_t>(columns)};
  std::string message(reinterpret_cast<const char*>(&order), sizeof order);
  message += bytes;
  const std::lock_guard lock(mutex_);
  if (!keeper_) throw over();
  if (::send(keeper_.get(), message.data(), message.size(), MSG_NOSIGNAL) >= 0) {
    // Until the keeper's answer says how much of it is left: who writes on must not believe that
    // all of it is taken.
    if (kind == keeper::OrderKind::write) state_.input_left += bytes.size();
    return;
  }
  if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) throw over();
  throw system_error("cannot reach the keeper of process " + info_.id, errno);
}

void Process::update(const keeper::Report& report) {
  {
    const std::lock_guard lock(mutex_);
    state_ = state_of(report);
  }
  changed_.notify_all();
}

// With the mutex, so that nothing is given between a report's arrival and its being known: what a
// report does not tell of yet is then no more than what is on its way to the keeper.
bool Process::hear() {
  bool news = false;
  bool there = true;
  {
    const std::lock_guard lock(mutex_);
    while (true) {
      keeper::Report report{};
      const ssize_t count = ::recv(keeper_.get(), &report, sizeof report, MSG_DONTWAIT);
      if (count == sizeof report && report.magic == keeper::magic) {
        state_ = state_of(report);
        news = true;
        continue;
      }
      if (count < 0 && errno == EINTR) continue;
      there = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
      break;
    }
  }
  if (news) changed_.notify_all();
  return there;
}

void Process::lose() {
  {
    const std::lock_guard lock(mutex_);
    keeper_.reset();
    if (state_.phase == ProcessPhase::ended) return;
    const ProcessState known = state_;
    state_ = read_exit(folder_);
    // A keeper that was killed has told what it had until then.
    if (state_.phase == ProcessPhase::lost) {
      state_ = known;
      state_.phase = known.phase == ProcessPhase::exited ? ProcessPhase::ended : ProcessPhase::lost;
      state_.output_end = std::max(known.output_end, output_on_disk(folder_));
    }
  }
  changed_.notify_all();
}

const char* to_string(ProcessPhase phase) {
  switch (phase) {
    case ProcessPhase::running:
      return "running";
    case ProcessPhase::exited:
      return "exited";
    case ProcessPhase::ended:
      return "ended";
    case ProcessPhase::lost:
      return "lost";
  }
  return "lost";
}

Json to_json(const ProcessInfo& info) {
  return {{"id", info.id},
          {"command", info.command},
          {"cwd", info.cwd},
          {"environment", info.environment},
          {"terminal", info.terminal},
          {"open_input", info.open_input},
          {"client", info.client},
          {"call", info.call},
          {"started_ms", info.started_ms},
          {"session", info.session},
          {"host", info.host},
          {"stays", info.stays}};
}

ProcessInfo process_info(const Json& json) {
  ProcessInfo info;
  info.id = json.at("id").get<std::string>();
  info.command = json.at("command").get<std::string>();
  info.cwd = json.at("cwd").get<std::string>();
  info.environment = json.at("environment").get<std::vector<std::string>>();
  info.terminal = json.at("terminal").get<bool>();
  info.open_input = json.at("open_input").get<bool>();
  info.client = json.at("client").get<std::string>();
  info.started_ms = json.at("started_ms").get<int64_t>();
  info.call = json.value("call", "");  // older versions had none, nor the following
  info.session = json.value("session", "");
  info.host = json.value("host", "");
  info.stays = json.value("stays", false);
  return info;
}

}  // namespace selfagent
