#include "tool/caller.h"

#include "base/log.h"
#include "tool/approval.h"

namespace selfagent {

namespace {

// The longest time one call may take, whoever asked: tools with longer work hand out an id instead.
constexpr auto longest_call = std::chrono::minutes(15);

}  // namespace

ToolCaller::ToolCaller(const Registry& registry, WorkerPool& pool, ContextFactory contexts)
    : registry_(registry), pool_(pool), contexts_(std::move(contexts)) {}

ToolCaller::~ToolCaller() { cancel_all(); }

void ToolCaller::start(const Tool& tool, CallRequest request,
                       std::function<void(CallOutcome)> done) {
  auto call = std::make_shared<RunningCall>(tool, request.principal->name, request.foreground,
                                            request.progress,
                                            [done](ToolResult result) { done(std::move(result)); });
  // Stopped by whoever cancels the call, also when it is in the background.
  if (request.link) request.link->stop_with(call->stop().get_token());
  if (request.foreground.count() > 0 || request.progress) calls_.watch(call);
  try {
    pool_.submit([this, &tool, call, done, request = std::move(request)] {
      run(tool, request, *call, done);
    });
  } catch (const Error& error) {
    call->finish(ToolResult::error(tool.name + " was not started: " + error.what()));
  }
}

void ToolCaller::run(const Tool& tool, const CallRequest& request, RunningCall& call,
                     const std::function<void(CallOutcome)>& done) {
  // The call ends when its caller or the daemon asks: both are joined into one token.
  std::stop_source source = call.stop();
  const std::stop_callback by_caller(request.stop, [&source] { source.request_stop(); });
  const std::stop_callback by_daemon(stopping_.get_token(), [&source] { source.request_stop(); });
  const auto end = [&](CallOutcome outcome, const char* late) {
    if (call.abandon()) return done(std::move(outcome));
    call.finish(ToolResult::error(tool.name + late));
  };
  try {
    ToolContext context = contexts_(source.get_token(), Deadline::after(longest_call));
    context.client = request.client;
    context.principal = request.principal;
    context.link = request.link.get();
    context.calls = &calls_;
    context.progress = [&call](double value, const std::string& message) {
      call.progress(value, message);
    };
    require_approval(tool, *request.arguments, context);
    call.finish(call_tool(tool, *request.arguments, context));
  } catch (const ParameterError& error) {
    end(error, ": the parameters were refused");
  } catch (const InputRequired& input) {
    end(input, " needs an answer of its client, which has stopped waiting: call it again");
  } catch (const CapabilityMissing& missing) {
    end(missing, " needs what this client cannot do");
  } catch (const std::exception& error) {
    call.finish(ToolResult::error(tool.name + " failed: " + error.what()));
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
