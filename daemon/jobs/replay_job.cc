#include "jobs/replay_job.h"

#include <fmt/format.h>

#include "base/error.h"
#include "jobs/job_call.h"
#include "jobs/recording.h"
#include "planner/picture_json.h"

namespace selfagent {

namespace {

// A clock, a caret, a spinner.
constexpr double alike = 0.01;
constexpr milliseconds longest_pause{30'000};
constexpr milliseconds more_than_then{2'000};

class Replay {
 public:
  Replay(const JobRun& run, Store& store, const Registry& registry, const ContextFactory& contexts)
      : run_(run), store_(store), registry_(registry), contexts_(contexts) {}

  JobOutcome play() {
    const std::vector<RecordedStep> steps = read_recording(store_, run_.job.text, registry_);
    size_t different = 0;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (run_.stop.stop_requested()) {
        return {JobState::cancelled, std::nullopt, "",
                "cancelled at step " + std::to_string(i + 1)};
      }
      if (run_.deadline.passed()) {
        return JobOutcome::failed("step " + std::to_string(i + 1) + ": " +
                                  timeout_sentence(run_.job));
      }
      const Played played = play_step(i + 1, steps[i]);
      different += played.differs.empty() ? 0 : 1;
      if (steps[i].ok && played.failed && !run_.stop.stop_requested()) {
        return JobOutcome::failed(fmt::format("step {} of {}, {}, fails now: {}", i + 1,
                                              steps.size(), steps[i].tool, played.text));
      }
    }
    const std::string sum =
        different == 0 ? fmt::format("{} steps, each as then", steps.size())
                       : fmt::format("{} steps, {} of them differ", steps.size(), different);
    run_.log.write(sum + "\n", false);
    return {JobState::succeeded, std::nullopt, sum, ""};
  }

 private:
  struct Played {
    bool failed = false;
    std::string text;
    std::vector<std::string> differs;
  };

  ToolResult call(const std::string& tool, const Json& arguments) const {
    return call_for_job(run_, registry_, contexts_, tool, arguments);
  }

  Played play_step(size_t number, const RecordedStep& step) {
    const std::string call_id = "step-" + std::to_string(number);
    store_.append("", run_.job.id, "action_intent",
                  {{"call_id", call_id}, {"tool", step.tool}, {"arguments", step.arguments}});
    const auto begin = Clock::now();
    ToolResult result = call(step.tool, step.arguments);
    std::vector<std::string> differs = compare_texts(step, result);
    const std::string picture = compare_pictures(step, result);
    if (!picture.empty()) differs.push_back(picture);
    const std::string text = result.all_text();
    run_.log.write(fmt::format("{}. {} {}: {}\n", number, step.tool, dump_json(step.arguments),
                               differs.empty() ? "as then" : "differs"),
                   false);
    for (const auto& sentence : differs) run_.log.write("   " + sentence + "\n", false);
    const auto elapsed = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
    store_.append("", run_.job.id, "action_result",
                  {{"call_id", call_id},
                   {"tool", step.tool},
                   {"ok", !result.is_error},
                   {"text", text},
                   {"images", keep_pictures(result)},
                   {"elapsed_ms", elapsed.count()},
                   {"differs", differs}});
    return {result.is_error, text, std::move(differs)};
  }

  Json keep_pictures(const ToolResult& result) {
    Json images = Json::array();
    for (const auto& block : result.content) {
      if (!block.image) continue;
      images.push_back(picture_json(store_.put_blob(block.image->bytes), *block.image));
    }
    return images;
  }

  // Takes the picture again as long as it may still become what it was.
  std::string compare_pictures(const RecordedStep& step, ToolResult& result) const {
    if (step.picture_sha256.empty() || result.is_error || step.picture_mime != "image/png")
      return "";
    const auto then = store_.blob(step.picture_sha256);
    if (!then) return "";
    const Deadline until =
        Deadline::after(std::min(step.pause, longest_pause) + more_than_then).sooner(run_.deadline);
    double share = difference(*then, result);
    while (share > alike && step.tool == "screenshot" && !until.passed() &&
           !run_.stop.stop_requested() && wait_for_change(until)) {
      result = call(step.tool, step.arguments);
      share = difference(*then, result);
    }
    if (share <= alike) return "";
    return fmt::format("{:.1f} % of the pixels of the picture differ", 100 * share);
  }

  static double difference(const std::string& then, const ToolResult& now) {
    for (auto block = now.content.rbegin(); block != now.content.rend(); ++block) {
      if (!block->image) continue;
      try {
        return different_pixels(then, block->image->bytes);
      } catch (const Error&) {
        return 1;  // one of them is no PNG
      }
    }
    return 1;
  }

  // False if the screen stays as it is, or nobody can tell.
  bool wait_for_change(Deadline until) const {
    if (registry_.find("wait_for") == nullptr || registry_.find("screen_info") == nullptr)
      return false;
    const ToolResult screen = call("screen_info", Json::object());
    if (screen.is_error || !screen.structured.is_object()) return false;
    const int width = screen.structured.value("width", 0);
    const int height = screen.structured.value("height", 0);
    if (width == 0 || height == 0) return false;
    const ToolResult changed = call(
        "wait_for", {{"change_in", {0, 0, width, height}}, {"timeout_ms", until.left().count()}});
    return !changed.is_error;
  }

  const JobRun& run_;
  Store& store_;
  const Registry& registry_;
  const ContextFactory& contexts_;
};

}  // namespace

JobOutcome run_replay_job(const JobRun& run, Store& store, const Registry& registry,
                          const ContextFactory& contexts) {
  return Replay(run, store, registry, contexts).play();
}

}  // namespace selfagent
