// Runs tools on the worker pool on behalf of the network thread.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <variant>

#include "base/worker_pool.h"
#include "tool/registry.h"

namespace selfagent {

/// A finished call: the JSON text of the result, or the parameter that was refused.
using CallOutcome = std::variant<std::string, ParameterError>;

using ProgressSink = std::function<void(double progress, const std::string& message)>;

/// Thread-safe. Remembers what is running, so that shutdown can cancel it.
class ToolCaller {
 public:
  ToolCaller(const Registry& registry, WorkerPool& pool, ContextFactory contexts);
  ~ToolCaller();

  const Registry& registry() const { return registry_; }

  /// `client_gone` is called on a worker thread with the name of a connection that ended.
  void on_client_gone(std::function<void(const std::string&)> client_gone) {
    client_gone_ = std::move(client_gone);
  }

  /// Starts `tool` for `client` (see ToolContext); `done` is called once, on a worker thread (or at
  /// once if the pool is full: then with a result whose isError is true). `progress` is called on
  /// the same worker thread and may be empty.
  void start(const Tool& tool, Json arguments, std::string client, std::stop_token stop,
             ProgressSink progress, std::function<void(CallOutcome)> done);

  /// Tells the world that `client` went away: what it holds is released.
  void client_gone(const std::string& client);

  /// Asks every running call to stop, and every later one.
  void cancel_all();

 private:
  const Registry& registry_;
  WorkerPool& pool_;
  const ContextFactory contexts_;
  std::stop_source stopping_;
  std::function<void(const std::string&)> client_gone_;
};

}  // namespace selfagent
