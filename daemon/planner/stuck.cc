#include "planner/stuck.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <vector>

#include "base/utf8.h"
#include "tool/effect.h"

namespace selfagent {

namespace {

constexpr size_t longest_period = 3;
constexpr size_t rounds_to_end = 12;
constexpr size_t most_turns = longest_period * rounds_to_end;

enum class For { either, with_fallback, without_fallback };

struct Step {
  size_t rounds;
  For whom;
  const char* advice;
};
constexpr const char* stop_trying =
    "Stop trying. Call ask_user with what you have tried and what you need, or done with the "
    "outcome failed or blocked and what is left.";
constexpr size_t takes_over_after = 8;
constexpr std::array<Step, 5> ladder{{
    {3, For::either,
     "Do not do it again in the same way: find out why it has no effect, or what is missing."},
    {5, For::either,
     "Take another way: the keyboard instead of the mouse, a menu instead of a button, the shell "
     "or a file instead of the window. Look at the whole screen first, and plan anew."},
    {takes_over_after, For::without_fallback, stop_trying},
    {takes_over_after, For::with_fallback,
     "You are another model now, and take over: look at what is really there, find out why nothing "
     "came of it, and go another way."},
    {10, For::with_fallback, stop_trying},
}};

constexpr size_t most_tried = 3;
constexpr size_t longest_tried = 200;

std::string one_line(const std::string& text) {
  std::string line(utf8_prefix(text, longest_tried));
  while (line.ends_with('\n')) line.pop_back();
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line + (line.size() + 1 < text.size() ? "…" : "");
}

bool same(const TurnOutcome& one, const TurnOutcome& other) {
  return one.actions == other.actions && one.seen == other.seen;
}

}  // namespace

struct StuckDetector::Circle {
  size_t rounds = 0;
  std::string what;
};

// How often the newest `period` turns stand behind one another at the end.
size_t StuckDetector::rounds(size_t period) const {
  const size_t count = turns_.size();
  size_t alike = 0;
  while (alike + period < count &&
         same(turns_[count - 1 - alike], turns_[count - 1 - alike - period])) {
    ++alike;
  }
  return alike / period + 1;
}

StuckDetector::Circle StuckDetector::longest() const {
  Circle found;
  const auto consider = [&](size_t rounds, const std::string& what) {
    if (rounds > found.rounds) found = {rounds, what};
  };
  consider(rounds(1), "the same with the same result");
  consider(rounds(2), "the same two things in turn with the same results");
  consider(rounds(3), "the same three things in turn with the same results");
  const auto tail = [&](bool TurnOutcome::* member) {
    const auto end = std::find_if(turns_.rbegin(), turns_.rend(),
                                  [member](const auto& turn) { return !(turn.*member); });
    return static_cast<size_t>(end - turns_.rbegin());
  };
  consider(tail(&TurnOutcome::failed), "something that failed");
  consider(tail(&TurnOutcome::idle), "something that changed nothing on the screen");
  return found;
}

Advice StuckDetector::add(TurnOutcome turn) {
  turns_.push_back(std::move(turn));
  if (turns_.size() > most_turns) turns_.pop_front();
  const Circle circle = longest();
  const std::string fact = circle.what + ", " + std::to_string(circle.rounds) + " times in a row";
  if (circle.rounds >= rounds_to_end) return {"", fact, false};
  const For whom = has_fallback_ ? For::with_fallback : For::without_fallback;
  for (const Step& step : ladder) {
    if (circle.rounds != step.rounds || (step.whom != For::either && step.whom != whom)) continue;
    return {"You did " + fact + ". " + step.advice, "",
            has_fallback_ && step.rounds == takes_over_after};
  }
  return {};
}

std::string StuckDetector::tried() const {
  std::vector<std::string> lines;
  for (auto turn = turns_.rbegin(); turn != turns_.rend() && lines.size() < most_tried; ++turn) {
    const std::string line =
        "\n- " + one_line(turn->actions) + (turn->said.empty() ? "" : ": " + one_line(turn->said));
    if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
  }
  std::string text;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) text += *line;
  return text;
}

void TurnRecorder::add(const std::string& tool, const std::string& arguments, bool ok,
                       const std::string& text, bool gui) {
  static const std::set<std::string> waiting{"wait_for", "process_read", "call_result"};
  const bool nothing = gui && ok && text.find(nothing_changed) != std::string::npos;
  ++calls_;
  waits_ += waiting.count(tool) != 0 ? 1 : 0;
  failures_ += ok ? 0 : 1;
  gui_ += gui ? 1 : 0;
  idle_ += nothing ? 1 : 0;
  actions_ += tool + " " + arguments + "\n";
  texts_ += without_durations(text) + "\n";
}

std::optional<TurnOutcome> TurnRecorder::outcome() const {
  if (calls_ == waits_) return std::nullopt;
  const bool idle = gui_ > 0 && idle_ == gui_ && gui_ + waits_ == calls_;
  // A caret that blinks makes another picture of the same screen.
  const std::string seen = idle || picture_.empty() ? texts_ : picture_;
  return TurnOutcome{actions_, seen, failures_ == calls_, idle, texts_};
}

std::string without_durations(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    const auto digit = [&](size_t i) {
      return i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0;
    };
    while (digit(end) || (end > at && text[end] == '.' && digit(end + 1))) ++end;
    if (end == at) {
      out += text[at++];
      continue;
    }
    const size_t unit = end < text.size() && text[end] == ' ' ? end + 1 : end;
    const std::string_view rest = std::string_view(text).substr(unit);
    const bool ends_there = rest.starts_with("ms") || (rest.starts_with('s') && rest.size() > 0);
    const size_t after = unit + (rest.starts_with("ms") ? 2 : 1);
    const bool whole = ends_there && (after >= text.size() ||
                                      std::isalnum(static_cast<unsigned char>(text[after])) == 0);
    if (!whole) out.append(text, at, end - at);
    at = whole ? after : end;
  }
  return out;
}

}  // namespace selfagent
