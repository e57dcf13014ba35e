#include "base/worker_pool.h"

#include "base/error.h"

namespace selfagent {

WorkerPool::WorkerPool(size_t max_threads, size_t max_queue)
    : max_threads_(max_threads), max_queue_(max_queue) {}

WorkerPool::~WorkerPool() {
  close();
  for (auto& thread : threads_) thread.join();
}

void WorkerPool::submit(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (closed_) throw Error(ErrorCode::cancelled, "the daemon is shutting down");
  if (queue_.size() >= max_queue_) {
    throw Error(ErrorCode::resource_exhausted, "too many calls are waiting (" +
                                                   std::to_string(max_queue_) +
                                                   "): wait for some to finish, then try again");
  }
  queue_.push_back(std::move(task));
  if (queue_.size() > idle_ && threads_.size() < max_threads_) {
    threads_.emplace_back([this] { work(); });
  } else {
    wake_.notify_one();
  }
}

void WorkerPool::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  wake_.notify_all();
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    auto task = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // its captures end before the lock is taken again
    lock.lock();
  }
}

}  // namespace selfagent
