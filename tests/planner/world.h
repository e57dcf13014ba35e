// What the tests of the planner share: a store, tools without a desktop, and a model that follows a
// script.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/wait.h"
#include "planner/approvals.h"
#include "planner/planner.h"
#include "process/sandbox.h"
#include "tool/tool.h"

namespace selfagent {

/// A desktop that only knows how often it was touched, and its windows.
class FakeDesktop : public Desktop, private Screen, private Windows {
 public:
  Screen& screen() override { return *this; }
  Pointer& pointer() override { absent(); }
  Keyboard& keyboard() override { absent(); }
  Windows& windows() override { return *this; }
  Clipboard& clipboard() override { absent(); }
  std::string display() const override { return ":99"; }
  std::string problem() override { return ""; }

  int version = 0;    ///< changes with each action; the picture shows it
  bool away = false;  ///< the screenshot tool fails
  std::vector<Window> all_windows;

 private:
  Size size() override { return {1344, 896}; }
  Picture picture(const PictureRequest&) override { absent(); }
  uint64_t content_hash() override { return 0; }
  std::vector<Monitor> monitors() override { return {}; }
  Pixels capture(Rect, bool) override { absent(); }
  std::unique_ptr<ScreenWatch> watch(Repainting) override { absent(); }
  std::vector<Window> list() override { return all_windows; }
  std::optional<Window> active() override { return std::nullopt; }
  void apply(uint64_t, WindowAction, Rect, milliseconds, const std::stop_token&) override {}
  std::unique_ptr<WindowWatch> watch_windows() override { absent(); }

  [[noreturn]] static void absent() { throw Error(ErrorCode::unavailable, "not in this test"); }
};

struct PointArgs {
  int x = 0;
  int y = 0;
  int settle_ms = 0;
  bool screenshot = false;
};
struct TextArgs {
  std::string text;
};
struct NoArgs {};

inline EncodedImagePtr picture_of(const FakeDesktop& desktop) {
  return std::make_shared<EncodedImage>("picture " + std::to_string(desktop.version), "image/png",
                                        1344, 896);
}

/// Lets tests wait for a tool to have begun.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;

  void pass() {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(20), [this] { return open; });
  }
};

/// click (an action on the screen), screenshot, say (echoes), fail, hang (until it is stopped).
inline Registry fake_tools(FakeDesktop& desktop, Gate& hanging) {
  Registry registry;
  const Annotations any{};
  registry.add(make_tool<PointArgs>(
      {.name = "click",
       .title = "Click",
       .description = "Clicks.",
       .area = ToolArea::desktop,
       .annotations = any,
       .params = {param("x", &PointArgs::x, "x").range(0, 1343),
                  param("y", &PointArgs::y, "y").range(0, 895),
                  param("settle_ms", &PointArgs::settle_ms, "").optional(),
                  param("screenshot", &PointArgs::screenshot, "").optional()},
       .run = [&desktop](const PointArgs& args, ToolContext&) {
         if (args.x == 13) throw Error(ErrorCode::unavailable, "the screen is away");
         ++desktop.version;
         ToolResult result = ToolResult::text("clicked left at (" + std::to_string(args.x) + "," +
                                              std::to_string(args.y) + ")");
         if (args.screenshot) result.add(picture_of(desktop));
         return result;
       }}));
  registry.add(make_tool<TextArgs>(
      {.name = "say",
       .title = "Say",
       .description = "Echoes.",
       .area = ToolArea::desktop,
       .annotations = any,
       .params = {param("text", &TextArgs::text, "text")},
       .run = [](const TextArgs& args, ToolContext&) { return ToolResult::text(args.text); }}));
  const auto plain = [&](const char* name, std::function<ToolResult(ToolContext&)> run) {
    registry.add(make_tool<NoArgs>(
        {.name = name,
         .title = name,
         .description = name,
         .area = ToolArea::desktop,
         .annotations = any,
         .params = {},
         .run = [run](const NoArgs&, ToolContext& context) { return run(context); }}));
  };
  plain("screenshot", [&desktop](ToolContext&) {
    if (desktop.away) throw Error(ErrorCode::unavailable, "the display :99 is away");
    ToolResult result = ToolResult::text("screenshot 1344x896, scale 1.0");
    return result.add(picture_of(desktop));
  });
  plain("fail", [](ToolContext&) -> ToolResult {
    throw Error(ErrorCode::not_found, "there is no window 7");
  });
  plain("hang", [&hanging](ToolContext& context) -> ToolResult {
    hanging.pass();
    sleep_until(context.deadline, context.stop);
    throw Error(ErrorCode::cancelled, "stopped");
  });
  return registry;
}

inline ToolCall call(const std::string& id, const std::string& name, const std::string& arguments) {
  ToolCall made;
  made.id = id;
  made.name = name;
  made.arguments = arguments;
  return made;
}

inline Completion text_answer(const std::string& text) {
  Completion completion;
  completion.text = text;
  completion.finish_reason = "stop";
  return completion;
}

inline Completion calls_answer(std::vector<ToolCall> calls, const std::string& text = "") {
  Completion completion = text_answer(text);
  completion.tool_calls = std::move(calls);
  completion.finish_reason = "tool_calls";
  return completion;
}

inline std::string all_text(const Json& messages) { return messages.dump(); }

/// Answers in the order of its script, and keeps every request.
class ScriptedModel {
 public:
  /// Answers what is asked beside the task: a summary of the earlier part.
  std::function<Completion(const CompletionRequest&)> summarise = [](const CompletionRequest&) {
    return text_answer("## Next steps\nGo on.");
  };
  std::vector<Json> summaries;  ///< the messages of each such request

  using Answer = std::function<Completion(const CompletionRequest&, const std::stop_token&)>;

  void then(Completion completion) {
    then([completion](const CompletionRequest&, const std::stop_token&) { return completion; });
  }
  void then(Answer answer) { script_.push_back(std::move(answer)); }

  ModelFactory factory() {
    return [this] {
      return [this](const CompletionRequest& request, const std::stop_token& stop) {
        if (is_summary(request)) {
          summaries.push_back(request.messages);
          return summarise(request);
        }
        requests.push_back(request.messages);
        tools = request.tools;
        by_fallback.push_back(request.by_fallback);
        without_pictures = request.without_pictures;
        if (script_.empty()) throw Error(ErrorCode::internal, "the script has ended");
        const Answer answer = script_.front();
        script_.pop_front();
        return answer(request, stop);
      };
    };
  }

  std::vector<Json> requests;                           ///< the messages of each
  std::vector<bool> by_fallback;                        ///< which model each was meant for
  Json tools;                                           ///< of the newest
  std::function<CompletionRequest()> without_pictures;  ///< of the newest

 private:
  static bool is_summary(const CompletionRequest& request) {
    return request.messages[0]["role"] == "system" &&
           request.messages[0]["content"].get<std::string>().starts_with("You write a summary");
  }

  std::deque<Answer> script_;
};

struct World {
  World() { std::filesystem::create_directory(folder); }
  ~World() {
    store.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  RunOutcome run(const std::string& prompt, const std::stop_token& stop = {},
                 std::chrono::seconds max_time = std::chrono::seconds(60)) {
    Planner planner(registry, *store, contexts(), models(), limits, model.factory(), approval);
    last_job = "j-" + random_hex(8);
    const Asking asking(*this, planner);
    return planner.run({conversation.id, last_job, prompt, max_time}, stop);
  }

  // What the next daemon does with a run that this one has left in the store.
  RunOutcome go_on(const std::string& prompt) {
    Planner planner(registry, *store, contexts(), models(), limits, model.factory(), approval);
    RunRequest request{conversation.id, last_job, prompt};
    request.goes_on = true;
    const Asking asking(*this, planner);
    return planner.run(request, {});
  }
  // A run that hears these messages before the given steps (the first is 1).
  RunOutcome run_hearing(const std::string& prompt, const std::map<int, std::string>& messages) {
    Planner planner(registry, *store, contexts(), models(), limits, model.factory(), approval);
    last_job = "j-" + random_hex(8);
    RunRequest request{conversation.id, last_job, prompt};
    request.take_messages = [this, messages, step = 0]() mutable {
      std::vector<Event> taken;
      const auto found = messages.find(++step);
      if (found == messages.end()) return taken;
      taken.push_back(store->append(conversation.id, last_job, "user_message",
                                    {{"text", found->second}, {"joined", "j-other"}}));
      return taken;
    };
    return planner.run(request, {});
  }
  std::string obstacle() {
    return Planner(registry, *store, contexts(), models(), limits, model.factory(), approval)
        .obstacle(conversation.id, last_job);
  }

  ModelSettings models() const {
    ModelSettings models{settings};
    models.summaries = summaries;
    models.fallback = fallback;
    return models;
  }

  // Lets on_question answer what a run asks.
  struct Asking {
    Asking(World& world, Planner& planner)
        : subscription(world.store->subscribe([&world, &planner](const Event& event) {
            if (event.kind != "approval_request" || !world.on_question) return;
            // A listener must not call the store.
            world.answering.emplace_back(
                [&world, &planner, event] { world.on_question(planner.approvals(), event); });
          })),
          world_(world) {}
    ~Asking() {
      subscription.reset();
      world_.answering.clear();  // they use the planner
    }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
    std::unique_ptr<Store::Subscription> subscription;

   private:
    World& world_;
  };

  ContextFactory contexts() {
    return [this](std::stop_token stop, Deadline deadline) {
      ToolContext context{
          .desktop = desktop, .sandbox = sandbox, .stop = stop, .deadline = deadline};
      context.texts = texts;
      context.notifications = notifications;
      context.lease = lease;
      return context;
    };
  }

  std::vector<Event> events() const { return store->events("", last_job, 0, 10'000); }

  /// The kinds of the last run's events, with the most telling member of each.
  std::vector<std::string> outline() const {
    std::vector<std::string> lines;
    for (const auto& event : events()) {
      std::string line = event.kind;
      if (event.kind == "action_intent") line += " " + event.data["tool"].get<std::string>();
      if (event.kind == "action_result") line += event.data["ok"] ? " ok" : " failed";
      if (event.kind == "run_finished") line += " " + event.data["state"].get<std::string>();
      lines.push_back(line);
    }
    return lines;
  }

  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("selfagent-planner-" + random_hex(8));
  std::unique_ptr<Store> store = std::make_unique<Store>(folder / "data");
  Conversation conversation = store->create_conversation("test");
  Sandbox sandbox{{.user = "", .workspace = folder / "work", .display = ":99"}};
  FakeDesktop desktop;
  Texts* texts = nullptr;
  const Notifications* notifications = nullptr;
  InputLease* lease = nullptr;
  Gate hanging;
  Registry registry = fake_tools(desktop, hanging);
  ScriptedModel model;
  bool summaries = true;
  LlmSettings fallback;
  LlmSettings settings{"http://127.0.0.1:1/v1", "scripted", "", {}};
  BudgetSettings limits;
  ApprovalSettings approval;
  /// What a person does when a run asks; on a thread of its own.
  std::function<void(Approvals&, const Event&)> on_question = {};
  std::vector<std::jthread> answering;
  std::string last_job;
};

}  // namespace selfagent
