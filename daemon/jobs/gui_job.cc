#include "jobs/gui_job.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "jobs/job_call.h"
#include "planner/picture_json.h"
#include "process/files.h"

namespace selfagent {

namespace {

struct StepResult {
  bool ok = false;
  std::string text;
};

std::string line_name(const GuiStep& step) { return "line " + std::to_string(step.line); }

/// Puts the pictures of a result into the store and the workspace; returns their list for the
/// event.
Json keep_pictures(const GuiStep& step, const JobRun& run, Store& store, const ToolResult& result) {
  Json images = Json::array();
  for (const auto& block : result.content) {
    if (!block.image) continue;
    images.push_back(picture_json(store.put_blob(block.image->bytes), *block.image));
    const std::string number = images.size() == 1 ? "" : "-" + std::to_string(images.size());
    const char* ending = block.image->mime == "image/jpeg" ? "jpg" : "png";
    const std::string file =
        fmt::format("{:03}-{}{}.{}", step.line, step.command.tool, number, ending);
    Files(run.sandbox).write(run.workspace / file, block.image->bytes);
    run.log.write("picture: " + file + "\n", false);
  }
  return images;
}

StepResult run_step(const GuiStep& step, const JobRun& run, Store& store, const Registry& registry,
                    const ContextFactory& contexts) {
  const std::string call_id = "line-" + std::to_string(step.line);
  store.append(
      "", run.job.id, "action_intent",
      {{"call_id", call_id}, {"tool", step.command.tool}, {"arguments", step.command.arguments}});
  run.log.write("> " + step.text + "\n", false);
  const auto start = Clock::now();
  const ToolResult result =
      call_for_job(run, registry, contexts, step.command.tool, step.command.arguments);
  const auto elapsed = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
  const StepResult out{!result.is_error, result.all_text()};
  if (!out.text.empty()) run.log.write(out.text + "\n", !out.ok);
  const Json images = keep_pictures(step, run, store, result);
  store.append("", run.job.id, "action_result",
               {{"call_id", call_id},
                {"tool", step.command.tool},
                {"ok", out.ok},
                {"text", out.text},
                {"images", images},
                {"elapsed_ms", elapsed.count()}});
  return out;
}

}  // namespace

std::vector<GuiStep> parse_gui_script(const std::string& script, const Registry& registry) {
  std::vector<GuiStep> steps;
  int line = 0;
  for (size_t at = 0; at <= script.size();) {
    const size_t end = std::min(script.find('\n', at), script.size());
    std::string text = script.substr(at, end - at);
    at = end + 1;
    ++line;
    text.erase(0, std::min(text.find_first_not_of(" \t\r"), text.size()));
    text.erase(text.find_last_not_of(" \t\r") + 1);
    if (text.empty() || text[0] == '#') continue;
    try {
      steps.push_back({line, text, parse_tool_command(text, registry)});
    } catch (const Error& error) {
      throw Error(error.code(), "line " + std::to_string(line) + ": " + error.what());
    }
  }
  return steps;
}

JobOutcome run_gui_job(const JobRun& run, Store& store, const Registry& registry,
                       const ContextFactory& contexts) {
  for (const auto& step : parse_gui_script(run.job.text, registry)) {
    const StepResult result = run.stop.stop_requested() || run.deadline.passed()
                                  ? StepResult()
                                  : run_step(step, run, store, registry, contexts);
    if (result.ok) continue;
    if (run.stop.stop_requested()) {
      return {JobState::cancelled, std::nullopt, "", "cancelled at " + line_name(step)};
    }
    if (run.deadline.passed()) {
      return JobOutcome::failed(line_name(step) + ": " + timeout_sentence(run.job));
    }
    return JobOutcome::failed(line_name(step) + ": " + result.text);
  }
  return {JobState::succeeded, std::nullopt, "", ""};
}

}  // namespace selfagent
