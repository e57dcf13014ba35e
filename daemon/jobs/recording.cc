#include "jobs/recording.h"

#include <algorithm>
#include <map>
#include <regex>

#include "base/error.h"
#include "image/png.h"
#include "store/each_event.h"
#include "tool/processes.h"

namespace selfagent {

namespace {

constexpr size_t recorded_at_once = 2'000;
constexpr size_t shown_characters = 200;
constexpr std::string_view no_change = "nothing changed on the screen";

// What is another one each time.
std::string without_volatile(const std::string& text) {
  static const std::regex times(R"(\b\d+(\.\d+)? m?s\b)");
  static const std::regex ids(R"(\b0x[0-9a-f]+\b|\bframe \d+\b|\bpid[= ]\d+\b|\bprocess p?\d+\b)");
  return std::regex_replace(std::regex_replace(text, times, "N s"), ids, "ID");
}

bool acts_on_screen(const std::string& text) {
  return text.find("; active window: ") != std::string::npos;
}

// The parts of an effect that do not depend on a caret or a clock.
std::vector<std::string> facts_of_effect(const std::string& text) {
  std::vector<std::string> facts;
  facts.emplace_back(text.find(no_change) == std::string::npos ? "the screen changed" : no_change);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find("; ", at), text.size());
    const std::string part = text.substr(at, end - at);
    for (const char* begin : {"active window: ", "title: ", "opened: ", "closed: "}) {
      if (part.starts_with(begin)) facts.push_back(without_volatile(part));
    }
    at = end + 2;
  }
  return facts;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(without_volatile(text.substr(at, end - at)));
    at = end + 1;
  }
  return lines;
}

std::string shown(const std::string& text) {
  return text.empty() ? "nothing" : "\"" + text.substr(0, shown_characters) + "\"";
}

// Pairs calls with their results.
class Recording {
 public:
  explicit Recording(const Registry& registry) : registry_(registry) {}

  void read(const Event& event) {
    const std::string id = event.data.value("call_id", "");
    if (event.kind == "action_intent") {
      if (ended_ms_ != 0) {
        steps_.back().pause = milliseconds(std::max<int64_t>(event.ts_ms - ended_ms_, 0));
      }
      ended_ms_ = 0;
      open_[id] = event.data.value("arguments", Json::object());
    } else if (event.kind == "action_result" && open_.contains(id)) {
      finish(event, std::move(open_[id]));
      open_.erase(id);
    }
  }

  std::vector<RecordedStep> take() { return std::move(steps_); }

 private:
  void finish(const Event& event, Json arguments) {
    RecordedStep step;
    step.tool = event.data.value("tool", "");
    step.arguments = std::move(arguments);
    step.ok = event.data.value("ok", false);
    step.text = event.data.value("text", "");
    // Of the daemon that was killed then, not of what the call did.
    step.text.resize(
        std::min(step.text.size(), step.text.find(std::string("\n") + restart_note_begin)));
    const Json images = event.data.value("images", Json::array());
    if (!images.empty()) {
      step.picture_sha256 = images.back().value("sha256", "");
      step.picture_mime = images.back().value("mime", "");
    }
    // "[not run: …]", "[skipped: …]": the planner's words, nothing was called.
    const bool refused = !step.ok && step.text.starts_with('[');
    if (refused || registry_.find(step.tool) == nullptr) return;
    steps_.push_back(std::move(step));
    ended_ms_ = event.ts_ms;
  }

  const Registry& registry_;
  std::vector<RecordedStep> steps_;
  std::map<std::string, Json> open_;  ///< arguments of calls without a result yet
  int64_t ended_ms_ = 0;              ///< of the newest step, 0 once another call has begun
};

std::vector<std::string> first_difference(const std::vector<std::string>& then,
                                          const std::vector<std::string>& now) {
  for (size_t i = 0; i < std::max(then.size(), now.size()); ++i) {
    const std::string before = i < then.size() ? then[i] : "";
    const std::string after = i < now.size() ? now[i] : "";
    if (before != after) return {"then " + shown(before) + ", now " + shown(after)};
  }
  return {};
}

}  // namespace

std::vector<RecordedStep> read_recording(const Store& store, const std::string& job_id,
                                         const Registry& registry) {
  if (!store.job(job_id)) {
    throw Error(ErrorCode::not_found,
                "there is no job \"" + job_id + "\" to play back; GET /jobs lists them");
  }
  Recording recording(registry);
  each_event(store, "", job_id, recorded_at_once,
             [&](const Event& event) { recording.read(event); });
  std::vector<RecordedStep> steps = recording.take();
  if (steps.empty()) {
    throw Error(ErrorCode::invalid_argument,
                "the job " + job_id + " has called no tool that could be played back");
  }
  return steps;
}

std::vector<std::string> compare_texts(const RecordedStep& then, const ToolResult& now) {
  const std::string text = now.all_text();
  if (then.ok == now.is_error) {
    return {then.ok ? "it worked then and fails now: " + shown(text)
                    : "it failed then and works now"};
  }
  if (acts_on_screen(then.text) && acts_on_screen(text)) {
    return first_difference(facts_of_effect(then.text), facts_of_effect(text));
  }
  return first_difference(lines_of(then.text), lines_of(text));
}

double different_pixels(const std::string& png, const std::string& other_png) {
  if (png == other_png) return 0;
  const Pixels one = decode_png(png);
  const Pixels other = decode_png(other_png);
  if (one.width != other.width || one.height != other.height) return 1;
  size_t different = 0;
  for (size_t i = 0; i < one.bytes.size(); i += 4) {
    different += std::equal(one.bytes.begin() + static_cast<std::ptrdiff_t>(i),
                            one.bytes.begin() + static_cast<std::ptrdiff_t>(i + 3),
                            other.bytes.begin() + static_cast<std::ptrdiff_t>(i))
                     ? 0
                     : 1;
  }
  return static_cast<double>(different) / (static_cast<double>(one.bytes.size()) / 4);
}

}  // namespace selfagent
