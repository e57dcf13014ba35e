// The command line's side of the control socket.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"
#include "base/unique_fd.h"

namespace selfagent {

/// A connection to the running daemon. Blocking, one thread.
class ControlClient {
 public:
  /// Waits up to 5 s for a daemon that is just starting. Throws Error(unavailable) that says how to
  /// start one.
  explicit ControlClient(const std::filesystem::path& socket);

  /// Sends one request and returns the answering message. Throws Error(unavailable) if the daemon
  /// goes away.
  Json request(const std::string& method, const Json& params);

  /// Copies lines from standard input to the daemon and back until both have ended.
  void relay_standard_streams();

 private:
  UniqueFd socket_;
};

}  // namespace selfagent
