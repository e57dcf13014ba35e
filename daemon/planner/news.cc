#include "planner/news.h"

#include <algorithm>
#include <array>

#include "tool/input_lease.h"
#include "tool/notification_text.h"

namespace selfagent {

namespace {

// Neither may hold up the run.
constexpr std::chrono::seconds longest_look{1};
constexpr const char* download_folder = "~/Downloads";
// Of Chromium, Firefox and wget's kind: still being written.
constexpr std::array unfinished{".crdownload", ".part", ".download", ".tmp"};
constexpr size_t most_told = 5;  // of each kind

bool is_finished(const Json& entry) {
  const std::string name = entry.value("path", "");
  return entry.value("kind", "") == "file" &&
         std::none_of(unfinished.begin(), unfinished.end(),
                      [&](const char* ending) { return name.ends_with(ending); });
}

void add(std::vector<std::string>& sentences, const std::string& begin,
         const std::vector<std::string>& names) {
  if (names.empty()) return;
  std::string text = begin;
  for (size_t i = 0; i < std::min(names.size(), most_told); ++i) {
    text += (i == 0 ? " \"" : ", \"") + names[i] + "\"";
  }
  if (names.size() > most_told)
    text += " and " + std::to_string(names.size() - most_told) + " more";
  sentences.push_back(text);
}

std::vector<std::string> missing_in(const std::map<std::string, std::string>& some,
                                    const std::map<std::string, std::string>& others) {
  std::vector<std::string> names;
  for (const auto& [id, name] : some) {
    if (!others.contains(id)) names.push_back(name);
  }
  return names;
}

}  // namespace

// The structured answer of a tool that only reads.
std::optional<Json> News::ask(const std::string& tool, const Json& arguments,
                              const std::stop_token& stop, Deadline deadline) const {
  const Tool* found = registry_.find(tool);
  if (found == nullptr) return std::nullopt;
  try {
    ToolContext context = contexts_(stop, deadline.sooner(Deadline::after(longest_look)));
    const ToolResult result = call_tool(*found, arguments, context);
    if (!result.is_error && result.structured.is_object()) return result.structured;
  } catch (const std::exception&) {
    // There is no display, or no such folder.
  }
  return std::nullopt;
}

std::optional<News::Names> News::windows(const std::stop_token& stop, Deadline deadline) const {
  const auto answer = ask("windows", Json::object(), stop, deadline);
  if (!answer || !answer->contains("windows")) return std::nullopt;
  Names names;
  for (const Json& window : (*answer)["windows"]) {
    names[window.value("id", "")] = window.value("title", "");
  }
  return names;
}

std::set<std::string> News::downloads(const std::stop_token& stop, Deadline deadline) const {
  std::set<std::string> names;
  const auto answer = ask("list_files", {{"path", download_folder}}, stop, deadline);
  if (!answer || !answer->contains("entries")) return names;
  for (const Json& entry : (*answer)["entries"]) {
    if (is_finished(entry)) names.insert(entry.value("path", ""));
  }
  return names;
}

std::string News::person(const ToolContext& context) {
  if (context.lease == nullptr) return "";
  const uint64_t taken = context.lease->times_taken();
  if (taken == std::exchange(taken_, taken)) return "";
  const bool holds = context.lease->state()["holder"] == "person";
  return std::string("A person has used the mouse or the keyboard") +
         (holds ? " and still has them: wait until they are given back"
                : " and has given them back") +
         "; look at the screen before you go on.";
}

void News::look(const std::stop_token& stop, Deadline deadline) {
  if (!notified_) {
    const ToolContext context = contexts_(stop, deadline);
    notified_ = newest_notification(context);
    taken_ = context.lease == nullptr ? 0 : context.lease->times_taken();
  }
  windows_ = windows(stop, deadline);
  if (!downloads_) downloads_ = downloads(stop, deadline);
}

std::vector<std::string> News::tell(const std::stop_token& stop, Deadline deadline) {
  std::vector<std::string> sentences;
  const auto now = windows(stop, deadline);
  if (now && windows_) {
    add(sentences, "While you thought, a window opened:", missing_in(*now, *windows_));
    add(sentences, "While you thought, a window closed:", missing_in(*windows_, *now));
  }
  std::vector<std::string> ended;
  for (const std::string& name : downloads(stop, deadline)) {
    if (downloads_->insert(name).second) ended.push_back(name);
  }
  add(sentences, "In ~/Downloads there is now:", ended);
  const ToolContext context = contexts_(stop, deadline);
  for (const std::string& told : {tell_notifications(context, *notified_), person(context)}) {
    if (!told.empty()) sentences.push_back(told);
  }
  return sentences;
}

}  // namespace selfagent
