#include "app/control_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stop_token>

#include "base/error.h"
#include "base/wait.h"

namespace selfagent {

namespace {

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw system_error("write", errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

// Copies what is readable; returns false at the end of the input.
bool copy_some(int from, int to) {
  std::array<char, 64 * 1024> buffer;
  const ssize_t got = ::read(from, buffer.data(), buffer.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (got <= 0) return false;
  write_all(to, {buffer.data(), static_cast<size_t>(got)});
  return true;
}

}  // namespace

ControlClient::ControlClient(const std::filesystem::path& path)
    : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (!socket_) throw system_error("socket", errno);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path) {
    throw Error(ErrorCode::invalid_argument, "the path of the control socket is too long: " + text);
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  const Deadline deadline = Deadline::after(std::chrono::seconds(5));
  while (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    const bool starting = errno == ENOENT || errno == ECONNREFUSED;
    // Without a data folder nothing can be starting.
    if (!starting || deadline.passed() || !std::filesystem::exists(path.parent_path())) {
      throw Error(ErrorCode::unavailable,
                  "no daemon answers at " + text + " (" + std::strerror(errno) +
                      "). Start it with `selfagent serve` or scripts/run, or name its data folder "
                      "with --data-dir or SELFAGENT_DATA_DIR");
    }
    sleep_until(Deadline::after(milliseconds(50)), std::stop_token());
  }
}

Json ControlClient::request(const std::string& method, const Json& params) {
  const Json message = {{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}};
  write_all(socket_.get(), dump_json(message) + "\n");
  std::string line;
  std::array<char, 64 * 1024> buffer;
  while (line.find('\n') == std::string::npos) {
    const ssize_t got = ::read(socket_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      throw Error(ErrorCode::unavailable, "the daemon went away before it answered: see its log");
    }
    line.append(buffer.data(), static_cast<size_t>(got));
  }
  return parse_json(line);
}

void ControlClient::relay_standard_streams() {
  bool input_open = true;
  while (true) {
    pollfd fds[2] = {{socket_.get(), POLLIN, 0}, {input_open ? STDIN_FILENO : -1, POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      throw system_error("poll", errno);
    }
    if (fds[0].revents != 0 && !copy_some(socket_.get(), STDOUT_FILENO)) return;
    if (fds[1].revents != 0 && !copy_some(STDIN_FILENO, socket_.get())) {
      // The daemon answers what is under way, then closes its side.
      input_open = false;
      ::shutdown(socket_.get(), SHUT_WR);
    }
  }
}

}  // namespace selfagent
