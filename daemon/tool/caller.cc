#include "tool/caller.h"

#include "base/log.h"

namespace selfagent {

namespace {
// The longest time one call may take, whoever asked: tools with longer work hand out an id instead.
constexpr auto longest_call = std::chrono::minutes(15);
}  // namespace

ToolCaller::ToolCaller(const Registry& registry, WorkerPool& pool, ContextFactory contexts)
    : registry_(registry), pool_(pool), contexts_(std::move(contexts)) {}

ToolCaller::~ToolCaller() { cancel_all(); }

void ToolCaller::start(const Tool& tool, Json arguments, std::string client, std::stop_token stop,
                       ProgressSink progress, std::function<void(CallOutcome)> done) {
  auto work = [this, &tool, arguments = std::move(arguments), client = std::move(client),
               stop = std::move(stop), progress = std::move(progress), done] {
    // The call ends when its caller or the daemon asks: both are joined into one token.
    std::stop_source source;
    const std::stop_callback by_caller(stop, [&source] { source.request_stop(); });
    const std::stop_callback by_daemon(stopping_.get_token(), [&source] { source.request_stop(); });
    CallOutcome outcome;
    try {
      ToolContext context = contexts_(source.get_token(), Deadline::after(longest_call));
      context.client = client;
      if (progress) context.progress = progress;
      outcome = result_json(call_tool(tool, arguments, context));
    } catch (const ParameterError& error) {
      outcome = error;
    } catch (const std::exception& error) {
      ToolResult result = ToolResult::text(tool.name + " failed: " + error.what());
      result.is_error = true;
      outcome = result_json(result);
    }
    done(std::move(outcome));
  };
  try {
    pool_.submit(std::move(work));
  } catch (const Error& error) {
    ToolResult result = ToolResult::text(tool.name + " was not started: " + error.what());
    result.is_error = true;
    done(result_json(result));
  }
}

void ToolCaller::client_gone(const std::string& client) {
  if (!client_gone_ || client.empty()) return;
  try {
    pool_.submit([this, client] { client_gone_(client); });
  } catch (const Error& error) {
    log::warn("what {} holds is released at shutdown: {}", client, error.what());
  }
}

void ToolCaller::cancel_all() { stopping_.request_stop(); }

}  // namespace selfagent
