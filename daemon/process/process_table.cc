#include "process/process_table.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/wait.h"
#include "keeper/protocol.h"
#include "process/descriptors.h"
#include "process/reaper.h"
#include "process/spawn.h"

namespace selfagent {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours forget_interval{1};
constexpr milliseconds longest_start{10'000};
constexpr milliseconds keepers_first_words{2000};  // of the keepers that were found, together
constexpr milliseconds keepers_last_steps{1000};   // after the report that all has ended

void append(std::string& out, const std::string& text) {
  out += text;
  out += '\0';
}

/// The configuration of a keeper.
std::string configuration(const Sandbox& sandbox, const ProcessTable::Settings& settings,
                          const ProcessRequest& request, const ExecPlan& plan) {
  const ProcessLimits& limits = request.limits;
  const auto limit = [](uint64_t value) { return value == 0 ? keeper::unlimited : value; };
  keeper::Config config{};
  config.magic = keeper::magic;
  config.terminal = request.terminal ? 1 : 0;
  config.open_input = request.open_input ? 1 : 0;
  config.switches = sandbox.switches_user() ? 1 : 0;
  config.uid = sandbox.uid();
  config.gid = sandbox.gid();
  config.group_count = static_cast<uint32_t>(sandbox.groups().size());
  config.candidate_count = static_cast<uint32_t>(plan.candidates.size());
  config.argument_count = static_cast<uint32_t>(plan.arguments.size());
  config.variable_count = static_cast<uint32_t>(plan.assignments.size());
  config.rows = static_cast<uint32_t>(request.rows);
  config.columns = static_cast<uint32_t>(request.columns);
  config.nice = limits.nice;
  config.idle_io = limits.idle_io ? 1 : 0;
  config.guest = request.host.empty() ? 0 : 1;
  config.log_bytes =
      request.log_bytes == 0 ? settings.log_bytes : std::min(request.log_bytes, settings.log_bytes);
  config.chunk_bytes = settings.chunk_bytes;
  config.limits[keeper::limit_cpu_s] = limit(limits.cpu_s);
  config.limits[keeper::limit_memory_bytes] = limit(limits.memory_bytes);
  const bool shared = !sandbox.switches_user();  // with programs that are no business of ours
  config.limits[keeper::limit_processes] =
      limit(limits.processes == 0 && !shared ? most_processes : limits.processes);
  config.limits[keeper::limit_file_bytes] = limit(limits.file_bytes);
  // The daemon raised its own for its connections; programs that use select fail above 1024.
  config.limits[keeper::limit_files] =
      limits.files == 0 ? sandbox.descriptor_limit() : limits.files;
  std::string bytes(reinterpret_cast<const char*>(&config), sizeof config);
  bytes.append(reinterpret_cast<const char*>(sandbox.groups().data()),
               sandbox.groups().size() * sizeof(gid_t));
  append(bytes, plan.cwd);
  for (const auto* list : {&plan.candidates, &plan.arguments, &plan.assignments}) {
    for (const std::string& text : *list) append(bytes, text);
  }
  return bytes;
}

/// The first report that is not "starting".
keeper::Report first_report(const UniqueFd& socket) {
  const StopDescriptor never{std::stop_token()};
  const Deadline deadline = Deadline::after(longest_start);
  keeper::Report report{};
  while (poll_until(socket.get(), POLLIN, deadline, never) == PollEnd::ready) {
    const ssize_t count = ::recv(socket.get(), &report, sizeof report, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count != sizeof report || report.magic != keeper::magic) break;
    if (report.state != keeper::State::starting) return report;
  }
  throw Error(ErrorCode::internal, "the keeper of the process ended or hung before it started it");
}

/// A connection to the keeper of the process in `folder`; empty if there is none any more.
UniqueFd connect_keeper(const fs::path& folder) {
  // By way of a descriptor: the path may be longer than an address takes.
  const UniqueFd at(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = "/proc/self/fd/" + std::to_string(at.get()) + "/control";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (!at || !socket ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return UniqueFd();
  }
  return socket;
}

uint64_t number_of(const std::string& id) {
  uint64_t number = 0;
  if (!id.starts_with('p')) return 0;
  const auto [end, error] = std::from_chars(id.data() + 1, id.data() + id.size(), number);
  return error == std::errc() && end == id.data() + id.size() ? number : 0;
}

void end_what_runs(const ProcessPtr& process, milliseconds grace) {
  try {
    process->end(grace);
  } catch (const Error&) {
    // It has ended by itself.
  }
}

}  // namespace

std::filesystem::path keeper_program() {
  std::error_code problem;
  return fs::read_symlink("/proc/self/exe", problem).parent_path() / "selfagent-keeper";
}

ProcessTable::ProcessTable(const Sandbox& sandbox, Settings settings)
    : sandbox_(sandbox),
      settings_(std::move(settings)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      keepers_(sandbox, settings_.keeper, [this] { return settings_.folder / new_id(); }) {
  if (!epoll_ || !wake_) throw system_error("epoll_create1", errno);
  fs::create_directories(settings_.folder);
  fs::permissions(settings_.folder, fs::perms::owner_all);
  epoll_event event{EPOLLIN, {.fd = wake_.get()}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event);
  adopt_all();
  forget_old();
  thread_ = std::jthread([this](const std::stop_token& stop) { hear(stop); });
  await_first_words();
}

ProcessTable::~ProcessTable() {
  thread_.request_stop();
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

ProcessPtr ProcessTable::start(const ProcessRequest& request) {
  check_open();
  const ExecPlan plan = plan_exec(sandbox_, {request.argv, request.cwd, request.env, -1, -1, -1});
  KeeperPool::Seat seat = keepers_.take();
  const fs::path& path = seat.path;
  ProcessInfo info;
  info.id = path.filename();
  info.command = request.command;
  info.cwd = plan.cwd;
  for (const auto& [name, value] : request.env) info.environment.push_back(name);
  info.terminal = request.terminal;
  info.open_input = request.open_input;
  info.client = request.client;
  info.call = request.call;
  info.started_ms = unix_ms();
  info.session = request.session;
  info.host = request.host;
  info.stays = request.stays;
  ProcessPtr process;
  try {
    const int failed = write_all(seat.info.get(), dump_json(to_json(info)) + "\n");
    if (failed != 0) throw system_error("cannot write to " + path.string(), failed);
    UniqueFd ours = keepers_.give(seat, configuration(sandbox_, settings_, request, plan));
    const keeper::Report report = first_report(ours);
    if (report.state == keeper::State::failed) {
      throw exec_error(report.step, report.error, sandbox_, plan);
    }
    process = std::make_shared<Process>(info, path, std::move(ours));
    process->update(report);
    watch(process);
    keepers_.prepare_next();
  } catch (...) {
    remove_folder(path);
    throw;
  }
  try {
    check_open();
  } catch (const Error&) {  // perhaps too late for close() to know of it
    end_what_runs(process, milliseconds(0));
    throw;
  }
  return process;
}

void ProcessTable::check_open() const {
  const std::lock_guard lock(mutex_);
  if (closed_) throw Error(ErrorCode::unavailable, "the daemon stops: no program is started");
}

void ProcessTable::close(milliseconds grace) {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  end_all(grace);
}

ProcessPtr ProcessTable::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto at = processes_.find(number_of(id));
  if (at != processes_.end()) return at->second;
  std::string known;
  int shown = 0;
  for (auto each = processes_.rbegin(); each != processes_.rend() && shown < 10; ++each, ++shown) {
    known += (shown == 0 ? "" : ", ") + each->second->info().id;
  }
  throw Error(ErrorCode::not_found,
              "there is no process \"" + id.substr(0, 40) +
                  "\": " + (known.empty() ? "none is known" : "the newest are " + known));
}

std::vector<ProcessPtr> ProcessTable::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<ProcessPtr> all;
  for (auto each = processes_.rbegin(); each != processes_.rend(); ++each) {
    all.push_back(each->second);
  }
  return all;
}

ProcessPtr ProcessTable::started_by(const std::string& call) const {
  if (call.empty()) return nullptr;
  const std::lock_guard lock(mutex_);
  ProcessPtr found;
  for (const auto& [number, process] : processes_) {
    if (process->info().call != call) continue;
    if (found) return nullptr;
    found = process;
  }
  return found;
}

void ProcessTable::end_all(milliseconds grace) {
  auto all = list();
  std::erase_if(all, [](const ProcessPtr& process) { return process->info().stays; });
  for (const auto& process : all) end_what_runs(process, grace);
  const Deadline deadline = Deadline::after(grace + std::chrono::seconds(1));
  for (const auto& process : all) process->wait_for_end(deadline, {});
}

void ProcessTable::forget(const std::string& id) {
  const ProcessPtr process = find(id);
  if (!process->state().is_over()) {
    throw Error(ErrorCode::conflict, "the process " + id + " runs");
  }
  process->wait_for_keeper(Deadline::after(keepers_last_steps));
  {
    const std::lock_guard lock(mutex_);
    processes_.erase(number_of(id));
  }
  remove_folder(process->folder());
}

void ProcessTable::forget_old() {
  const int64_t limit =
      unix_ms() - std::chrono::duration_cast<milliseconds>(settings_.retention).count();
  std::vector<ProcessPtr> old;
  {
    const std::lock_guard lock(mutex_);
    const size_t ended_ones = processes_.size() - by_keeper_.size();
    size_t too_many = ended_ones - std::min(ended_ones, settings_.most_ended);
    std::erase_if(processes_, [&](const auto& entry) {  // the oldest first
      const ProcessState state = entry.second->state();
      const int64_t ended = state.ended_ms > 0 ? state.ended_ms : entry.second->info().started_ms;
      if (!state.is_over() || (ended > limit && too_many == 0)) return false;
      if (too_many > 0) --too_many;
      old.push_back(entry.second);
      return true;
    });
  }
  for (const auto& process : old) remove_folder(process->folder());
}

std::string ProcessTable::new_id() {
  const std::lock_guard lock(mutex_);
  return "p" + std::to_string(++last_number_);
}

void ProcessTable::adopt_all() {
  for (const auto& entry : fs::directory_iterator(settings_.folder)) {
    const uint64_t number = number_of(entry.path().filename());
    if (number == 0) continue;
    last_number_ = std::max(last_number_, number);
    try {
      std::ifstream file(entry.path() / "info");
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      if (text.empty()) {  // the daemon was killed before there was a program in it
        fs::remove_all(entry.path());
        continue;
      }
      const auto process = std::make_shared<Process>(process_info(parse_json(text)), entry.path(),
                                                     connect_keeper(entry.path()));
      if (process->keeper() < 0) {
        const std::lock_guard lock(mutex_);
        processes_[number] = process;
      } else {
        watch(process);
      }
    } catch (const std::exception& error) {
      log::warn("{} is left alone: {}", entry.path().string(), error.what());
    }
  }
}

// Until a keeper has told anything, nothing is known of its program: not even how much it wrote.
void ProcessTable::await_first_words() const {
  const Deadline deadline = Deadline::after(keepers_first_words);
  for (const ProcessPtr& process : list()) {
    process->wait([](const ProcessState& state) { return state.pid != 0 || state.is_over(); },
                  deadline, {});
  }
}

void ProcessTable::watch(const ProcessPtr& process) {
  const int fd = process->keeper();
  const std::lock_guard lock(mutex_);
  processes_[number_of(process->info().id)] = process;
  by_keeper_[fd] = process;
  epoll_event event{EPOLLIN, {.fd = fd}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void ProcessTable::hear(const std::stop_token& stop) {
  auto next_forgetting = Clock::now() + forget_interval;
  std::array<epoll_event, 64> events{};
  while (!stop.stop_requested()) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(next_forgetting - Clock::now()).count();
    // One more: what is left is rounded down.
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(std::clamp<int64_t>(left + 1, 0, 3'600'000)));
    for (int i = 0; i < count; ++i) {
      ProcessPtr process;
      {
        const std::lock_guard lock(mutex_);
        const auto at = by_keeper_.find(events[static_cast<size_t>(i)].data.fd);
        if (at != by_keeper_.end()) process = at->second;
      }
      if (process) hear(process);
    }
    if (Clock::now() >= next_forgetting || crowded()) {
      next_forgetting = Clock::now() + forget_interval;
      forget_old();
    }
  }
}

// Some more than there should be, so that not each new one means forgetting an old one.
bool ProcessTable::crowded() const {
  const std::lock_guard lock(mutex_);
  const size_t ended = processes_.size() - by_keeper_.size();
  return ended > settings_.most_ended + settings_.most_ended / 10;
}

void ProcessTable::hear(const ProcessPtr& process) {
  if (process->hear()) return;
  {
    const std::lock_guard lock(mutex_);
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, process->keeper(), nullptr);
    by_keeper_.erase(process->keeper());
  }
  process->lose();  // closes the descriptor, whose number may then come again
}

}  // namespace selfagent
