// Starts keepers (keeper/protocol.h). Starting one, and making the folder of its process, takes a
// good part of the time of a short command: so from the first program on, one waits beforehand.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "process/sandbox.h"

namespace selfagent {

/// Removes it with all that is in it. Logs what cannot be.
void remove_folder(const std::filesystem::path& folder);

/// Thread-safe. Has one thread, which starts the keepers that wait.
class KeeperPool {
 public:
  /// Where a program is going to be kept.
  struct Seat {
    std::filesystem::path path;  ///< The folder of its process.
    UniqueFd folder;
    UniqueFd info;    ///< The file in it, still empty.
    UniqueFd keeper;  ///< The connection to the one that waits; empty if there is none.
  };

  /// `program` is selfagent-keeper, `new_folder` names one that does not exist, differently each
  /// time and on any thread. `sandbox` outlives this.
  KeeperPool(const Sandbox& sandbox, std::filesystem::path program,
             std::function<std::filesystem::path()> new_folder);
  /// The keeper that waits ends, and its folder is removed.
  ~KeeperPool();
  KeeperPool(const KeeperPool&) = delete;
  KeeperPool& operator=(const KeeperPool&) = delete;

  /// With the keeper that waits, if it is ready; without one otherwise. Throws Error if the folder
  /// cannot be made.
  Seat take();

  /// Gives the keeper of `seat`, or a new one, this configuration. Returns the connection to it.
  /// Throws Error if none can be started.
  UniqueFd give(Seat& seat, std::string configuration);

  /// One is to wait for the next program. Not at once: its start would hold up the program that has
  /// just been started.
  void prepare_next();

 private:
  Seat make_seat() const;
  UniqueFd start(const Seat& seat, const UniqueFd& configuration) const;
  void run(const std::stop_token& stop);
  void start_spare();

  const Sandbox& sandbox_;
  const std::filesystem::path program_;
  const std::function<std::filesystem::path()> new_folder_;
  std::mutex mutex_;  // protects the members below
  std::condition_variable_any wake_;
  std::optional<Seat> spare_;
  std::optional<Clock::time_point> due_;  // then a spare one is started
  std::jthread thread_;
};

}  // namespace selfagent
