#include "process/file_watcher.h"

#include <poll.h>
#include <sys/inotify.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/log.h"
#include "base/wait.h"

namespace selfagent {

namespace {

// The names in a folder.
constexpr uint32_t comes_or_goes = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
// One mask for all: watches of the same folder are one, whoever wants them.
constexpr uint32_t all_news = comes_or_goes | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB;
// A file that is written all the time makes many events: they are read so often at most.
constexpr milliseconds pause{50};
constexpr size_t most_links = 40;  // one after the other, as in the kernel

// `root`, then the names that lead to `path`, which is below it.
std::vector<std::filesystem::path> way_to(const std::filesystem::path& root,
                                          const std::filesystem::path& path) {
  std::vector<std::filesystem::path> way{root};
  for (const auto& name : path.lexically_normal().lexically_relative(root.lexically_normal())) {
    if (!name.empty() && name != ".") way.push_back(name);
  }
  return way;
}

// Where the symlink at `path` leads, if there is one and it leads to something below `root`, which
// need not be there; otherwise empty. The last name is not followed any further.
std::filesystem::path link_target(const std::filesystem::path& root,
                                  const std::filesystem::path& path) {
  std::error_code problem;
  const std::filesystem::path to = std::filesystem::read_symlink(path, problem);
  if (problem) return {};
  std::filesystem::path target =
      std::filesystem::weakly_canonical(path.parent_path(), problem) / to;
  while (target.has_relative_path() && !target.has_filename()) target = target.parent_path();
  target = std::filesystem::weakly_canonical(target.parent_path(), problem) / target.filename();
  if (problem) return {};
  const auto real_root = std::filesystem::weakly_canonical(root, problem);
  const auto relative = target.lexically_normal().lexically_relative(real_root);
  if (problem || relative.empty() || relative == "." || *relative.begin() == "..") return {};
  return root / relative;
}

}  // namespace

FileWatcher::~FileWatcher() = default;

std::unique_ptr<FileWatcher::Watch> FileWatcher::add(const std::filesystem::path& root,
                                                     const std::filesystem::path& path,
                                                     Changed changed) {
  const auto entry = std::make_shared<Entry>();
  entry->ways.push_back(way_to(root, path));
  entry->changed = std::move(changed);
  const std::lock_guard lock(mutex_);
  start();
  watch_ways(entry);
  entries_.insert(entry);
  return std::make_unique<Watch>(*this, entry);
}

// REQUIRES: mutex_ is held.
void FileWatcher::start() {
  if (inotify_) return;
  inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify_) {
    throw Error(ErrorCode::resource_exhausted, std::string("files cannot be watched: ") +
                                                   std::strerror(errno) +
                                                   ": raise fs.inotify.max_user_instances");
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

// REQUIRES: mutex_ is held. Throws without leaving anything behind.
void FileWatcher::watch_ways(const EntryPtr& entry) {
  try {
    const AsUser rights(sandbox_);
    entry->ways.resize(1);
    const std::filesystem::path root = entry->ways.front().front();
    for (size_t way = 0; way < entry->ways.size(); ++way) {
      const auto target = link_target(root, watch_way(entry, way));
      if (!target.empty() && way < most_links) entry->ways.push_back(way_to(root, target));
    }
  } catch (const Error&) {
    forget_ways(entry);
    throw;
  }
}

// From the root downwards, so that whatever comes meanwhile is seen by the watch above it. Returns
// the path of its end.
std::filesystem::path FileWatcher::watch_way(const EntryPtr& entry, size_t way) {
  const Way& names = entry->ways[way];
  std::filesystem::path path = names.front();
  if (!watch_folder(entry, path, {way, 1})) {
    throw Error(ErrorCode::not_found, "\"" + path.string() + "\" is not a readable folder");
  }
  bool there = true;
  for (size_t i = 1; i < names.size(); ++i) {
    path /= names[i];
    there = there && watch_folder(entry, path, {way, i + 1});
  }
  return path;
}

// False if there is no such folder now.
bool FileWatcher::watch_folder(const EntryPtr& entry, const std::filesystem::path& folder,
                               Awaited awaited) {
  const int descriptor = ::inotify_add_watch(inotify_.get(), folder.c_str(), all_news | IN_ONLYDIR);
  if (descriptor < 0) {
    if (errno != ENOSPC && errno != ENOMEM) return false;
    throw Error(ErrorCode::resource_exhausted,
                "no more folders can be watched: raise fs.inotify.max_user_watches");
  }
  by_descriptor_[descriptor].insert(entry);
  entry->folders[descriptor].push_back(awaited);
  return true;
}

// REQUIRES: mutex_ is held.
void FileWatcher::forget_ways(const EntryPtr& entry) {
  for (const auto& [descriptor, awaited] : entry->folders) {
    const auto at = by_descriptor_.find(descriptor);
    if (at == by_descriptor_.end()) continue;
    at->second.erase(entry);
    if (!at->second.empty()) continue;
    by_descriptor_.erase(at);
    ::inotify_rm_watch(inotify_.get(), descriptor);
  }
  entry->folders.clear();
}

void FileWatcher::remove(const EntryPtr& entry) {
  std::unique_lock lock(mutex_);
  forget_ways(entry);
  entries_.erase(entry);
  if (std::this_thread::get_id() == thread_.get_id()) return;
  told_.wait(lock, [&] { return telling_ != entry; });
}

void FileWatcher::work(const std::stop_token& stop) {
  const StopDescriptor stopped(stop);
  Deadline due = Deadline::never();
  while (true) {
    const PollEnd end = poll_until(inotify_.get(), POLLIN, due, stopped);
    if (end == PollEnd::stopped) return;
    if (end == PollEnd::ready) read_events();
    due = tell();
    if (end == PollEnd::ready && !sleep_until(Deadline::after(pause), stop)) return;
  }
}

void FileWatcher::read_events() {
  alignas(inotify_event) std::array<char, 16'384> buffer;
  const std::lock_guard lock(mutex_);
  const ssize_t count = ::read(inotify_.get(), buffer.data(), buffer.size());
  for (ssize_t at = 0; at < count;) {
    inotify_event event{};
    std::memcpy(&event, buffer.data() + at, sizeof event);
    const char* name = buffer.data() + at + sizeof event;
    at += static_cast<ssize_t>(sizeof event + event.len);
    hear(event.wd, event.mask, event.len > 0 ? name : "");
  }
}

// REQUIRES: mutex_ is held.
void FileWatcher::hear(int descriptor, uint32_t what, const std::string& name) {
  if ((what & IN_Q_OVERFLOW) != 0) {  // nobody knows what was lost
    for (const EntryPtr& entry : entries_) look_again(entry);
    return;
  }
  const auto at = by_descriptor_.find(descriptor);
  if (at == by_descriptor_.end()) return;
  const std::set<EntryPtr> entries = at->second;
  if ((what & IN_IGNORED) != 0) {  // the folder is gone, and with it the watch
    by_descriptor_.erase(at);
    for (const EntryPtr& entry : entries) {
      entry->folders.erase(descriptor);
      look_again(entry);
    }
    return;
  }
  for (const EntryPtr& entry : entries) {
    const auto folder = entry->folders.find(descriptor);
    if (folder == entry->folders.end()) continue;
    const std::vector<Awaited> all = folder->second;
    for (const Awaited& awaited : all) {
      if (!hear(entry, awaited, what, name)) break;
    }
  }
}

// False if the ways of the entry are others now.
bool FileWatcher::hear(const EntryPtr& entry, Awaited awaited, uint32_t what,
                       const std::string& name) {
  const Way& names = entry->ways[awaited.way];
  const bool names_change = (what & comes_or_goes) != 0;
  if (awaited.name == names.size()) {  // it is a folder, and this one
    entry->news = entry->news || names_change;
  } else if (name == names[awaited.name]) {
    const bool last = awaited.name + 1 == names.size();
    if (names_change || (!last && (what & IN_ATTRIB) != 0)) {
      look_again(entry);
      return false;
    }
    if (last) entry->news = true;
  }
  return true;
}

// What is on the way may be another folder now.
void FileWatcher::look_again(const EntryPtr& entry) {
  entry->news = true;
  forget_ways(entry);
  try {
    watch_ways(entry);
  } catch (const Error& error) {
    log::warn("\"{}\" is no longer watched: {}", entry->ways.front().back().string(), error.what());
  }
}

// Tells whose time has come; returns when the next one's does.
Deadline FileWatcher::tell() {
  std::unique_lock lock(mutex_);
  Deadline due = Deadline::never();
  while (true) {
    EntryPtr ready;
    due = Deadline::never();
    for (const EntryPtr& entry : entries_) {
      if (!entry->news) continue;
      if (entry->next <= Clock::now()) {
        ready = entry;
        break;
      }
      due = due.sooner(Deadline(entry->next));
    }
    if (!ready) return due;
    ready->news = false;
    ready->next = Clock::now() + interval_;
    telling_ = ready;
    lock.unlock();
    ready->changed();
    lock.lock();
    telling_ = nullptr;
    told_.notify_all();
  }
}

}  // namespace selfagent
