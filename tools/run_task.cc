// Hands a task to the daemon's own planner, which works on the desktop by itself.
#include "tool/client_link.h"
#include "tool/principal.h"
#include "tool/tasks.h"
#include "tool/tool.h"

namespace selfagent {
namespace {

// Below the limit of a foreground call: the client is asked and answered while it waits.
constexpr int longest_task_wait_ms = 40'000;

struct Args {
  std::string task;
  std::string conversation_id;
  std::string job_id;
  int wait_ms = longest_task_wait_ms;
  bool cancel = false;
};

Json json_of(const TaskState& state) {
  Json json = {{"job_id", state.job_id}, {"conversation_id", state.conversation_id},
               {"state", state.state},   {"outcome", state.outcome},
               {"reply", state.reply},   {"error", state.error}};
  return json;
}

std::string in_words(const TaskState& state) {
  const std::string named = "task " + state.job_id + " in conversation " + state.conversation_id;
  if (!state.over()) {
    return named + " is still " + (state.state == "queued" ? "queued" : "running") +
           (state.doing.empty() ? "" : " (" + state.doing + ")") +
           ": call run_task with job_id \"" + state.job_id +
           "\" to wait on, or with cancel to stop it";
  }
  if (state.asks()) {
    return named + " asks the user:\n" + state.reply +
           "\nAnswer with run_task, conversation_id \"" + state.conversation_id +
           "\" and the answer as task";
  }
  std::string text = named + (state.state == "succeeded" ? " is done" : " has " + state.state);
  if (!state.outcome.empty()) text += " (" + state.outcome + ")";
  if (!state.error.empty()) text += ": " + state.error;
  if (!state.reply.empty()) text += "\n" + state.reply;
  return text;
}

ToolResult result_of(const TaskState& state) {
  ToolResult result = ToolResult::text(in_words(state));
  result.is_error = state.over() && state.state != "succeeded" && !state.asks();
  result.structured = json_of(state);
  return result;
}

// Each question has a key of its own: answers of earlier rounds come along.
std::string key_of(const TaskState& state) { return "answer_" + state.job_id; }

Json question_of(const TaskState& state) {
  const Json field = {{"type", "string"}, {"title", "Answer"}, {"minLength", 1}};
  return {{key_of(state), form_request(state.reply, {{"answer", field}}, Json::array({"answer"}))}};
}

// What the person at the client answers; "" if they do not want to.
std::string answer_to(const TaskState& asking, ClientLink& link) {
  const Json questions = question_of(asking);
  if (!link.waits() && link.state() != Json({{"job_id", asking.job_id}})) {
    throw InputRequired{questions, {{"job_id", asking.job_id}}};
  }
  const Json answer = link.ask(questions, true)[key_of(asking)];
  if (!answer.is_object() || answer.value("action", "") != "accept") return "";
  const Json content = answer.value("content", Json::object());
  return content.is_object() ? content.value("answer", "") : "";
}

TaskState begin(const Args& args, Tasks& tasks, ToolContext& context) {
  // The call is made anew with the answer to what it has asked: then the task goes on.
  const Json before = context.link == nullptr ? Json() : context.link->state();
  if (before.is_object()) return tasks.look(before.value("job_id", ""));
  if (!args.job_id.empty()) {
    return args.cancel ? tasks.cancel(args.job_id) : tasks.look(args.job_id);
  }
  return tasks.start(args.task, args.conversation_id);
}

ToolResult run(const Args& args, ToolContext& context) {
  if (context.tasks == nullptr) {
    throw Error(ErrorCode::unavailable,
                "no model is set: start the daemon with LLM_API_BASE_URL and LLM_MODEL");
  }
  if (args.task.empty() == args.job_id.empty()) {
    throw Error(ErrorCode::invalid_argument, "give either task or job_id");
  }
  // The planner's calls do not wait for the person at this client.
  if (context.principal != nullptr && !context.principal->approve.empty() &&
      !context.principal->approve.contains("run_task")) {
    throw Error(ErrorCode::permission_denied,
                "calls of " + *context.principal->approve.begin() +
                    " need a person's approval, and the planner makes such calls: have run_task "
                    "approved, too (--approve, or \"approve\" in the token file)");
  }
  Tasks& tasks = *context.tasks;
  const Deadline deadline = Deadline::after(milliseconds(args.wait_ms)).sooner(context.deadline);
  TaskState state = begin(args, tasks, context);
  while (true) {
    if (!state.over()) {
      state = tasks.wait(state.job_id, deadline, context.stop,
                         [&](const std::string& doing) { context.progress(0, doing); });
    }
    if (context.stop.stop_requested()) {
      tasks.cancel(state.job_id);
      throw Error(ErrorCode::cancelled, "cancelled, and the task was stopped");
    }
    if (!state.asks() || context.link == nullptr || !context.link->can("elicitation")) break;
    const std::string answer = answer_to(state, *context.link);
    if (answer.empty()) break;
    state = tasks.start(answer, state.conversation_id);
  }
  return result_of(state);
}

Json output_schema() {
  const auto field = [](const char* text) {
    return Json{{"type", "string"}, {"description", text}};
  };
  return {{"type", "object"},
          {"properties",
           {{"job_id", field("Of the run; GET /status/ID tells more.")},
            {"conversation_id", field("Where the task can go on.")},
            {"state", field("queued, running, succeeded, failed, cancelled or interrupted.")},
            {"outcome", field("How it ended, e.g. succeeded_verified or needs_user.")},
            {"reply", field("What the planner says, or asks.")},
            {"error", field("Why it failed.")}}},
          {"required", {"job_id", "conversation_id", "state"}}};
}

}  // namespace

Tool run_task() {
  return make_tool<Args>({
      .name = "run_task",
      .title = "Have a task done",
      .description =
          "Hands a task to the sandbox's own agent, which looks at the screen, acts and checks by "
          "itself, with its own model, until the task is done. Use it for work that takes many "
          "steps on the desktop and whose steps you need not see; do single steps with the other "
          "tools. It uses the same desktop: do not click while it works. Waits up to wait_ms and "
          "then says that it still runs: call again with job_id to wait on. With the "
          "conversation_id of an earlier task it goes on there and knows what was done. If it has "
          "a "
          "question, the user is asked where the client can do that, otherwise you are.",
      .area = ToolArea::both,
      .annotations =
          {.read_only = false, .destructive = true, .idempotent = false, .open_world = true},
      .params =
          {
              param("task", &Args::task,
                    "What is to be done, with every condition that has to hold; or the answer to "
                    "its question.")
                  .range(1, 100'000)
                  .optional(),
              param("conversation_id", &Args::conversation_id,
                    "Of an earlier task; without it a new conversation begins.")
                  .range(1, 40)
                  .optional(),
              param("job_id", &Args::job_id, "A task that was begun: waits for it.")
                  .range(1, 40)
                  .optional(),
              param("wait_ms", &Args::wait_ms,
                    "Longest wait in milliseconds for the end of the task; 0 returns at once.")
                  .range(0, longest_task_wait_ms)
                  .optional(),
              param("cancel", &Args::cancel, "With job_id: stop the task.").optional(),
          },
      .output_schema = output_schema(),
      .long_running = true,
      .run = run,
  });
}

}  // namespace selfagent
