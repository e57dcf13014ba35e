#include "process/keeper_pool.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "keeper/protocol.h"
#include "process/descriptors.h"
#include "process/reaper.h"
#include "process/spawn.h"

namespace selfagent {
namespace {

namespace fs = std::filesystem;

// Longer than the quickest command takes.
constexpr milliseconds pause_before_spare{2};
// So that none of the descriptors for a keeper overwrites another.
constexpr int above_a_keepers = keeper::client_fd + 1;

/// A file with a configuration.
UniqueFd file_of(const std::string& configuration) { return memory_file("process", configuration); }

/// Without `config` it is a spare one.
pid_t start_keeper(const fs::path& program, const UniqueFd& config, const UniqueFd& folder,
                   const UniqueFd& client) {
  const bool spare = !config;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd <= keeper::config_fd; ++fd) {
    ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  }
  const UniqueFd config_copy = spare ? UniqueFd() : duplicate(config.get(), above_a_keepers);
  const UniqueFd folder_copy = duplicate(folder.get(), above_a_keepers);
  const UniqueFd client_copy = duplicate(client.get(), above_a_keepers);
  if (!spare) {
    ::posix_spawn_file_actions_adddup2(&actions, config_copy.get(), keeper::config_fd);
  }
  ::posix_spawn_file_actions_adddup2(&actions, folder_copy.get(), keeper::folder_fd);
  ::posix_spawn_file_actions_adddup2(&actions, client_copy.get(), keeper::client_fd);
  // Libraries may have opened descriptors without close-on-exec.
  ::posix_spawn_file_actions_addclosefrom_np(&actions, keeper::client_fd + 1);
  std::string name = program.filename();
  std::string argument = keeper::spare_argument;
  std::array<char*, 3> argv{name.data(), spare ? argument.data() : nullptr, nullptr};
  std::array<char*, 1> envp{nullptr};
  pid_t pid = 0;
  const int failed =
      ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), envp.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed == 0) return pid;
  if (failed == ENOENT) {
    throw Error(ErrorCode::unavailable, "there is no " + program.string() +
                                            ": it belongs beside the program selfagent, and "
                                            "nothing can be started without it");
  }
  throw system_error("cannot start " + program.string(), failed);
}

/// Both ends of a connection to a keeper: ours, its.
std::array<UniqueFd, 2> connection() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw system_error("socketpair", errno);
  }
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// Gives a spare keeper its work. False if it is not there.
bool give_work(const UniqueFd& spare, std::string& config) {
  if (config.size() <= keeper::most_in_message) {
    const ssize_t count =
        ::send(spare.get(), config.data(), config.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return count == static_cast<ssize_t>(config.size());
  }
  const UniqueFd file = file_of(config);
  iovec part{config.data(), 1};
  const int given = file.get();
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof given)> room{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof given);
  std::memcpy(CMSG_DATA(head), &given, sizeof given);
  return ::sendmsg(spare.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

}  // namespace

void remove_folder(const fs::path& folder) {
  std::error_code problem;
  fs::remove_all(folder, problem);
  if (problem) log::warn("cannot remove {}: {}", folder.string(), problem.message());
}

KeeperPool::KeeperPool(const Sandbox& sandbox, fs::path program,
                       std::function<fs::path()> new_folder)
    : sandbox_(sandbox),
      program_(std::move(program)),
      new_folder_(std::move(new_folder)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

KeeperPool::~KeeperPool() {
  thread_.request_stop();
  thread_.join();
  if (spare_) remove_folder(spare_->path);
}

KeeperPool::Seat KeeperPool::take() {
  {
    const std::lock_guard lock(mutex_);
    keeper::Report ready{};
    const ssize_t count =
        spare_ ? ::recv(spare_->keeper.get(), &ready, sizeof ready, MSG_DONTWAIT) : -1;
    // One that is not ready is left to the next program.
    if (count >= 0) {
      Seat seat = *std::exchange(spare_, std::nullopt);
      if (count == sizeof ready && ready.magic == keeper::magic) return seat;
      remove_folder(seat.path);
    }
  }
  return make_seat();
}

UniqueFd KeeperPool::give(Seat& seat, std::string configuration) {
  if (seat.keeper && give_work(seat.keeper, configuration)) return std::move(seat.keeper);
  ::unlinkat(seat.folder.get(), "control", 0);  // of one that was killed just now
  return start(seat, file_of(configuration));
}

void KeeperPool::prepare_next() {
  {
    const std::lock_guard lock(mutex_);
    if (spare_) return;
    due_ = Clock::now() + pause_before_spare;
  }
  wake_.notify_one();
}

KeeperPool::Seat KeeperPool::make_seat() const {
  Seat seat{new_folder_(), {}, {}, {}};
  if (::mkdir(seat.path.c_str(), 0700) != 0) {
    throw system_error("cannot make " + seat.path.string(), errno);
  }
  seat.folder = UniqueFd(::open(seat.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  seat.info =
      UniqueFd(::openat(seat.folder.get(), "info", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (seat.folder && seat.info) return seat;
  const int problem = errno;
  remove_folder(seat.path);
  throw system_error("cannot write to " + seat.path.string(), problem);
}

// A connection to a new keeper; to a spare one without `configuration`.
UniqueFd KeeperPool::start(const Seat& seat, const UniqueFd& configuration) const {
  auto [ours, theirs] = connection();
  sandbox_.reaper().adopt(start_keeper(program_, configuration, seat.folder, theirs));
  return std::move(ours);
}

void KeeperPool::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, stop, [&] { return due_.has_value(); });
      while (due_ && !stop.stop_requested() && Clock::now() < *due_) {
        const Clock::time_point due = *due_;
        wake_.wait_until(lock, stop, due, [&] { return due_ != due; });
      }
      if (stop.stop_requested()) return;
      due_.reset();
      if (spare_) continue;
    }
    start_spare();
  }
}

void KeeperPool::start_spare() {
  try {
    Seat seat = make_seat();
    try {
      seat.keeper = start(seat, UniqueFd());
    } catch (...) {
      remove_folder(seat.path);
      throw;
    }
    const std::lock_guard lock(mutex_);
    spare_ = std::move(seat);
  } catch (const Error& error) {
    log::debug("there is no spare keeper: {}", error.what());
  }
}

}  // namespace selfagent
