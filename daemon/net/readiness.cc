#include "net/readiness.h"

#include <sys/epoll.h>

#include <array>
#include <asio.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/error.h"

namespace selfagent {

namespace {

// Of more that are ready the others have their turn after the rest of the loop's work.
constexpr int events_in_a_row = 32;

int new_epoll() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) {
    throw Error(ErrorCode::resource_exhausted,
                std::string("no epoll descriptor for the server: ") + std::strerror(errno));
  }
  return fd;
}

}  // namespace

struct Readiness::Descriptor {
  asio::posix::stream_descriptor epoll;
};

std::shared_ptr<Readiness> Readiness::create(asio::io_context& io) {
  return std::shared_ptr<Readiness>(new Readiness(io));
}

Readiness::Readiness(asio::io_context& io)
    : descriptor_(new Descriptor{asio::posix::stream_descriptor(io, new_epoll())}) {}

Readiness::~Readiness() = default;

uint64_t Readiness::add(int fd, std::weak_ptr<Watcher> watcher) {
  const uint64_t key = ++last_key_;
  epoll_event interest{};
  interest.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  interest.data.u64 = key;
  if (::epoll_ctl(descriptor_->epoll.native_handle(), EPOLL_CTL_ADD, fd, &interest) != 0) {
    throw Error(ErrorCode::resource_exhausted,
                std::string("a connection cannot be watched: ") + std::strerror(errno));
  }
  watchers_.emplace(key, std::move(watcher));
  if (!waiting_) wait();
  return key;
}

// Closing the socket takes it out of the epoll set.
void Readiness::remove(uint64_t key) {
  if (watchers_.erase(key) > 0 && watchers_.empty()) descriptor_->epoll.cancel();
}

void Readiness::wait() {
  waiting_ = true;
  descriptor_->epoll.async_wait(asio::posix::stream_descriptor::wait_read,
                                [self = shared_from_this()](const std::error_code& error) {
                                  self->waiting_ = false;
                                  if (!error) self->tell();
                                  if (!self->waiting_ && !self->watchers_.empty()) self->wait();
                                });
}

void Readiness::tell() {
  std::array<epoll_event, events_in_a_row> events{};
  const int count =
      ::epoll_wait(descriptor_->epoll.native_handle(), events.data(), events_in_a_row, 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    const auto at = watchers_.find(event.data.u64);
    if (at == watchers_.end()) continue;  // removed by one before it
    const auto watcher = at->second.lock();
    const bool ended = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (watcher) {
      watcher->ready({.readable = ended || (event.events & EPOLLIN) != 0,
                      .writable = ended || (event.events & EPOLLOUT) != 0,
                      .ended = ended});
    }
  }
}

}  // namespace selfagent
