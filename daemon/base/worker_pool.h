// Threads for blocking work: tool calls and requests that read files or the database.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace selfagent {

/// Runs tasks on up to `max_threads` threads, started as they are needed, so that a slow task
/// delays no other until all threads are busy. Tasks must not throw. Thread-safe.
class WorkerPool {
 public:
  /// `max_queue` bounds the tasks that wait for a thread.
  WorkerPool(size_t max_threads, size_t max_queue);
  /// Waits for every running and queued task.
  ~WorkerPool();

  /// Queues `task`. Throws Error(resource_exhausted) when the queue is full, Error(cancelled) after
  /// close().
  void submit(std::function<void()> task);

  /// Refuses new tasks from now on; queued ones still run.
  void close();

 private:
  void work();

  const size_t max_threads_;
  const size_t max_queue_;
  std::mutex mutex_;  // protects everything below
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool closed_ = false;
};

}  // namespace selfagent
