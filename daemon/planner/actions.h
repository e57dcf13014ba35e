// Runs the tool calls of a run and records each: the intent before it runs, the result after.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "planner/permit.h"
#include "planner/run_log.h"
#include "tool/registry.h"

namespace selfagent {

struct ActionEnd {
  bool ok = false;
  bool ran = false;    ///< the handler was started
  std::string sha256;  ///< of its last picture, "" without one
  std::string text;
};

/// Names the call of a run in what it starts (ToolContext::durable_id).
std::string durable_id(const std::string& job_id, const std::string& call_id);

/// Used by the run's thread alone.
class Actions {
 public:
  /// `client` holds the mouse buttons that stay down between two calls (see HeldInput); "" is a
  /// lease.
  /// `own` are the tools that only the planner has.
  Actions(const Registry& registry, const Registry& own, const ContextFactory& contexts,
          RunLog& log, std::string client)
      : registry_(registry),
        own_(own),
        contexts_(contexts),
        log_(log),
        client_(std::move(client)) {}
  /// Releases what `client` still holds.
  ~Actions();
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;

  /// Blocks until the tool has ended. Throws only what the store throws.
  ActionEnd perform(const Permit& permit, const std::stop_token& stop, Deadline deadline);

  /// Goes on with a call of which a daemon that was killed has left the intent, and records its
  /// result. Begins nothing, so there is no permit. Records nothing if it is not certain, after
  /// all, what has become of it.
  void go_on(const Action& action, const std::stop_token& stop, Deadline deadline);

  /// Records a call that is not run, with `text` as its result.
  ActionEnd refuse(const Action& action, const std::string& text);

  /// Gets each new picture with its SHA-256; may be empty.
  std::function<void(const std::string&, EncodedImagePtr)> on_picture;

 private:
  ToolContext context_of(const Action& action, const std::stop_token& stop, Deadline deadline);
  ActionEnd record(const Action& action, const ToolResult& result, Clock::time_point begin);

  const Registry& registry_;
  const Registry& own_;
  const ContextFactory& contexts_;
  RunLog& log_;
  const std::string client_;
  HeldInput* held_ = nullptr;  ///< of the newest context
};

}  // namespace selfagent
