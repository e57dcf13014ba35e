// The running daemon: every part, wired together; the only place that knows concrete types.
#pragma once

#include <memory>

#include "app/settings.h"

namespace selfagent {

class Daemon {
 public:
  /// Opens the store, binds the port and the control socket. Throws Error with the next step.
  explicit Daemon(Settings settings);
  ~Daemon();

  /// Serves until SIGINT or SIGTERM, then stops in order: no new work, cancel, wait, flush. Blocks;
  /// returns 0.
  int run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace selfagent
