#include "keeper/means.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "keeper/protocol.h"

namespace selfagent::keeper {
namespace {

// A socket in the folder, whose path may be longer than an address takes.
int listen_in_folder() {
  const int listener = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", folder_fd);
  ::umask(0077);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(listener, most_clients) == 0) {
    return listener;
  }
  ::close(listener);
  return -1;
}

int read_signals() {
  sigset_t set;
  ::sigfillset(&set);
  ::sigprocmask(SIG_SETMASK, &set, nullptr);
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGCHLD);
  ::sigaddset(&set, SIGTERM);
  return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

}  // namespace

Means::Means(bool spare)
    : signals(read_signals()),
      listener(listen_in_folder()),
      exit_file(spare ? create_exit_file() : -1),
      complete(signals >= 0 && make_supplies(supplies)),
      error(errno) {}

int create_exit_file() {
  return ::openat(folder_fd, "exit.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

void leave_nothing() {
  ::unlinkat(folder_fd, "control", 0);
  ::unlinkat(folder_fd, "info", 0);
  ::unlinkat(folder_fd, "exit.new", 0);
}

Text map_text(int file) {
  struct stat info{};
  if (::fstat(file, &info) != 0 || info.st_size <= 0) return {};
  const auto size = static_cast<size_t>(info.st_size);
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  ::close(file);
  if (memory == MAP_FAILED) return {};
  return {static_cast<char*>(memory), size};
}

Text take_work() {
  static char bytes[most_in_message];
  Report ready{};
  ready.magic = magic;
  ready.exit_code = -1;
  if (::send(client_fd, &ready, sizeof ready, MSG_NOSIGNAL) != sizeof ready) return {};
  iovec part{bytes, sizeof bytes};
  int given = -1;
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof given)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  ssize_t count = 0;
  do {
    count = ::recvmsg(client_fd, &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return {};
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (head == nullptr) return {bytes, static_cast<size_t>(count)};
  if (head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof given)) return {};
  std::memcpy(&given, CMSG_DATA(head), sizeof given);
  return map_text(given);
}

}  // namespace selfagent::keeper
