// Waits for a call that was answered "still running".
#include "tool/calls.h"
#include "tool/principal.h"
#include "tool/tool.h"

namespace selfagent {
namespace {

struct Args {
  std::string id;
  int wait_ms = 30'000;
  bool cancel = false;
};

ToolResult run(const Args& args, ToolContext& context) {
  if (context.calls == nullptr || context.principal == nullptr) {
    throw Error(ErrorCode::conflict, "there are no background calls here");
  }
  Calls& calls = *context.calls;
  const std::string& principal = context.principal->name;
  if (args.id.empty()) {
    const std::string list = calls.list(principal);
    return ToolResult::text(list.empty() ? "no call runs in the background"
                                         : "calls in the background:" + list);
  }
  if (args.cancel) calls.cancel(args.id, principal);
  return calls.result(args.id, principal, milliseconds(args.wait_ms), context.stop);
}

}  // namespace

Tool call_result() {
  return make_tool<Args>({
      .name = "call_result",
      .title = "Result of a long call",
      .description =
          "Waits for the end of a call that was answered \"is still running\" with an id, and "
          "returns its result exactly as the call itself would have; if it has not ended after "
          "wait_ms, says so again, and you can call this once more. The call goes on whether you "
          "wait or not, until its own time limit. cancel: true stops it first, with its processes, "
          "and returns what it has to say. Without id it lists your calls in the background. "
          "Results are kept for an hour.",
      .area = ToolArea::any,
      .annotations =
          {.read_only = false, .destructive = false, .idempotent = true, .open_world = false},
      .params =
          {
              param("id", &Args::id, "The id from the answer \"is still running\".").optional(),
              param("wait_ms", &Args::wait_ms,
                    "Longest wait in milliseconds for the end of the call; 0 looks at once.")
                  .range(0, 40'000)
                  .optional(),
              param("cancel", &Args::cancel, "Stop the call, then wait for its result.").optional(),
          },
      .long_running = true,
      .run = run,
  });
}

}  // namespace selfagent
