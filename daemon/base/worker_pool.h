// Threads for blocking work: tool calls and requests that read files or the database.
//
// A task is handed straight to the worker that became idle last: its stack and caches are warm, and
// exactly one thread wakes. One condition variable for all would wake them in turn and cost about a
// third more CPU per small call.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
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
  /// Waits for every running and queued task. No submit() may be under way.
  ~WorkerPool();

  /// Starts or queues `task`. Throws Error(resource_exhausted) when the queue is full,
  /// Error(cancelled) after close().
  void submit(std::function<void()> task);

  /// Refuses new tasks from now on; queued ones still run.
  void close();

 private:
  struct Worker {
    std::condition_variable wake;
    std::function<void()> task;  // protected by the pool's mutex
    std::thread thread;
  };
  void work(Worker& self);

  const size_t max_threads_;
  const size_t max_queue_;
  std::mutex mutex_;  // protects everything below
  std::deque<std::function<void()>> queue_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> idle_;  // the last one became idle last
  bool closed_ = false;
};

}  // namespace selfagent
