#include "base/worker_pool.h"

#include <string>

#include "base/error.h"

namespace selfagent {

WorkerPool::WorkerPool(size_t max_threads, size_t max_queue)
    : max_threads_(max_threads), max_queue_(max_queue) {}

WorkerPool::~WorkerPool() {
  close();
  for (auto& worker : workers_) worker->thread.join();
}

void WorkerPool::submit(std::function<void()> task) {
  std::unique_lock lock(mutex_);
  if (closed_) throw Error(ErrorCode::cancelled, "the daemon is shutting down");
  if (!idle_.empty()) {
    Worker* worker = idle_.back();
    idle_.pop_back();
    worker->task = std::move(task);
    lock.unlock();  // so that the woken thread does not run into the lock
    worker->wake.notify_one();
    return;
  }
  if (workers_.size() < max_threads_) {
    workers_.push_back(std::make_unique<Worker>());
    Worker& worker = *workers_.back();
    worker.task = std::move(task);
    worker.thread = std::thread([this, &worker] { work(worker); });
    return;
  }
  if (queue_.size() >= max_queue_) {
    throw Error(ErrorCode::resource_exhausted, "too many calls are waiting (" +
                                                   std::to_string(max_queue_) +
                                                   "): wait for some to finish, then try again");
  }
  queue_.push_back(std::move(task));
}

void WorkerPool::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (Worker* worker : idle_) worker->wake.notify_one();
  idle_.clear();
}

void WorkerPool::work(Worker& self) {
  std::unique_lock lock(mutex_);
  while (true) {
    auto task = std::exchange(self.task, nullptr);
    lock.unlock();
    task();
    task = nullptr;  // its captures end before the lock is taken again
    lock.lock();
    if (!queue_.empty()) {
      self.task = std::move(queue_.front());
      queue_.pop_front();
      continue;
    }
    if (closed_) return;
    idle_.push_back(&self);
    self.wake.wait(lock, [&] { return self.task || closed_; });
    if (!self.task) return;
  }
}

}  // namespace selfagent
