// Hears of changes of files and folders, by inotify: nothing is looked at in between.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "process/sandbox.h"

namespace selfagent {

/// Thread-safe. Has one thread, from the first watch on, which sleeps until something happens.
class FileWatcher {
 private:
  struct Entry;

 public:
  using Changed = std::function<void()>;

  /// After the end of its destructor `changed` is not running and will not be called. The
  /// FileWatcher must outlive it.
  class Watch {
   public:
    Watch(FileWatcher& watcher, std::shared_ptr<Entry> entry)
        : watcher_(watcher), entry_(std::move(entry)) {}
    ~Watch() { watcher_.remove(entry_); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    FileWatcher& watcher_;
    const std::shared_ptr<Entry> entry_;
  };

  /// At least `interval` lies between two calls for the same watch; the last change is told, too.
  explicit FileWatcher(const Sandbox& sandbox, milliseconds interval = milliseconds(500))
      : sandbox_(sandbox), interval_(interval) {}
  ~FileWatcher();

  /// Calls `changed`, on the thread of this, when what is at `path` below the folder `root` comes,
  /// goes or changes; of a folder, when a name in it comes or goes. Nothing needs to be there yet,
  /// not even the folder it is in. Sees what the sandbox user may see. Of a symlink what it
  /// points to is watched with it, if that is below `root`, too. Throws Error(resource_exhausted)
  /// when the system has no watches left, Error(not_found) without a readable `root`.
  std::unique_ptr<Watch> add(const std::filesystem::path& root, const std::filesystem::path& path,
                             Changed changed);

 private:
  using Way = std::vector<std::filesystem::path>;  ///< root, then each name on the way
  struct Awaited {
    size_t way;   ///< of Entry::ways
    size_t name;  ///< which name of it is awaited in a folder
  };
  struct Entry {
    std::vector<Way> ways;  ///< what is asked for, then where the links at their ends lead
    Changed changed;
    std::map<int, std::vector<Awaited>> folders;  ///< by watch descriptor
    bool news = false;
    Clock::time_point next{};  ///< Not told before.
  };
  using EntryPtr = std::shared_ptr<Entry>;

  void start();
  void watch_ways(const EntryPtr& entry);
  std::filesystem::path watch_way(const EntryPtr& entry, size_t way);
  void forget_ways(const EntryPtr& entry);
  bool watch_folder(const EntryPtr& entry, const std::filesystem::path& folder, Awaited awaited);
  void remove(const EntryPtr& entry);
  void work(const std::stop_token& stop);
  void read_events();
  void hear(int descriptor, uint32_t what, const std::string& name);
  bool hear(const EntryPtr& entry, Awaited awaited, uint32_t what, const std::string& name);
  void look_again(const EntryPtr& entry);
  Deadline tell();

  const Sandbox& sandbox_;
  const milliseconds interval_;
  std::mutex mutex_;  // protects the members below
  std::condition_variable told_;
  UniqueFd inotify_;
  std::map<int, std::set<EntryPtr>> by_descriptor_;
  std::set<EntryPtr> entries_;
  EntryPtr telling_;  ///< whose `changed` is running
  std::jthread thread_;
};

}  // namespace selfagent
