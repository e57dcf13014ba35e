#include "planner/facts.h"

#include <algorithm>
#include <map>

#include "base/string_member.h"
#include "base/utf8.h"

namespace selfagent {

namespace {

constexpr size_t longest_prompt = 4'000;
constexpr size_t longest_line = 200;
// Hundredths of the whole.
constexpr size_t share_of_files = 20;
constexpr size_t share_of_commands = 15;
constexpr size_t share_of_the_rest = 8;

std::string cut_to(const std::string& text, size_t bytes) {
  if (text.size() <= bytes) return text;
  return std::string(utf8_prefix(text, bytes)) + "…";
}

std::string first_line(const std::string& text) {
  return cut_to(text.substr(0, text.find('\n')), longest_line);
}

// Lines by what they are about: a newer one takes the place of an older one.
class NewestLines {
 public:
  void note(const std::string& about, const std::string& line) {
    std::erase_if(lines_, [&](const auto& known) { return known.first == about; });
    lines_.emplace_back(about, line);
  }

  // The newest that fit, oldest first, below `title`.
  std::string told(const char* title, size_t bytes) const {
    std::string text;
    size_t kept = 0;
    for (auto line = lines_.rbegin(); line != lines_.rend(); ++line) {
      if (text.size() + line->second.size() + 3 > bytes) break;
      text.insert(0, "\n- " + line->second);
      ++kept;
    }
    if (text.empty()) return "";
    const size_t left = lines_.size() - kept;
    return std::string("\n\n## ") + title +
           (left > 0 ? " (" + std::to_string(left) + " older ones: recall)" : "") + text;
  }

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

class Facts {
 public:
  void read(const Event& event) {
    const Json& data = event.data;
    if (event.kind == "user_message") {
      read_prompt(string_member(data, "text"));
    } else if (event.kind == "action_intent") {
      const auto arguments = data.find("arguments");
      if (!data.value("automatic", false) && arguments != data.end() && arguments->is_object()) {
        open_[string_member(data, "call_id")] = *arguments;
      }
    } else if (event.kind == "action_result") {
      const auto intent = open_.find(string_member(data, "call_id"));
      if (intent == open_.end()) return;
      read_action(string_member(data, "tool"), intent->second, data.value("ok", false),
                  string_member(data, "text"));
      open_.erase(intent);
    }
  }

  std::string told(size_t bytes) const {
    const auto share = [bytes](size_t hundredths) { return bytes * hundredths / 100; };
    std::string rest = files_.told("Files, as they were left", share(share_of_files));
    rest += commands_.told("Commands", share(share_of_commands));
    rest += programs_.told("Programs", share(share_of_the_rest));
    rest +=
        questions_.told("Questions to the user and what was said then", share(share_of_the_rest));
    rest += checks_.told("Checks", share(share_of_the_rest));
    return prompts_told(bytes - std::min(bytes, rest.size())) + rest;
  }

 private:
  void read_prompt(const std::string& text) {
    if (text.empty() || text.starts_with('/')) return;  // commands are not the model's
    prompts_.push_back(text);
    if (asked_.empty()) return;
    questions_.note(asked_, "asked: " + asked_ + " – answer: " + cut_to(text, longest_line));
    asked_.clear();
  }

  void read_action(const std::string& tool, const Json& arguments, bool ok,
                   const std::string& text) {
    const std::string said = first_line(text);
    if (tool == "write_file" || tool == "edit_file" || tool == "delete_file") {
      if (ok) files_.note(string_member(arguments, "path"), said);
    } else if (tool == "move_file") {
      if (!ok) return;
      files_.note(string_member(arguments, "from"), said);
      files_.note(string_member(arguments, "to"), "there is " + string_member(arguments, "to"));
    } else if (tool == "shell") {
      read_command(string_member(arguments, "command"), said);
    } else if (tool == "run_code") {
      read_command(string_member(arguments, "language") + ": " + string_member(arguments, "code"),
                   said);
    } else if (tool == "launch" || tool == "process_signal") {
      const std::string what = string_member(arguments, "command") +
                               string_member(arguments, "url") + string_member(arguments, "id");
      programs_.note(what, cut_to(what, longest_line) + ": " + said);
    } else if (tool == "ask_user" && ok) {
      asked_ = cut_to(string_member(arguments, "question"), longest_line);
      questions_.note(asked_, "asked: " + asked_);
    } else if (tool == "done") {
      checks_.note(text, cut_to(text, 2 * longest_line));
    }
  }

  void read_command(std::string command, const std::string& said) {
    if (command.size() < 2) return;
    std::replace(command.begin(), command.end(), '\n', ' ');
    // What took how long is of no use later.
    const std::string end = said.substr(0, said.find(" after "));
    commands_.note(command, cut_to(command, longest_line) + " -> " + end);
    if (said.starts_with("still running")) {
      programs_.note(command, cut_to(command, longest_line) + ": " + said);
    }
  }

  // The first one is the task; of the others the newest are what counts.
  std::string prompts_told(size_t bytes) const {
    if (prompts_.empty()) return "";
    const size_t longest = std::min(longest_prompt, bytes / 2);
    const std::string first = "\n\n" + cut_to(prompts_.front(), longest);
    std::string later;
    size_t from = prompts_.size();
    while (from > 1) {
      const std::string next = "\n\n" + cut_to(prompts_[from - 1], longest);
      if (first.size() + next.size() + later.size() > bytes) break;
      later.insert(0, next);
      --from;
    }
    const std::string gap =
        from > 1 ? "\n\n[" + std::to_string(from - 1) + " messages: recall finds them]" : "";
    return first + gap + later;
  }

  std::vector<std::string> prompts_;
  std::map<std::string, Json> open_;  ///< arguments of calls without a result, by id
  std::string asked_;                 ///< the question that the next message answers
  NewestLines files_;
  NewestLines commands_;
  NewestLines programs_;
  NewestLines questions_;
  NewestLines checks_;
};

}  // namespace

std::string facts_of(const std::vector<Event>& events, int64_t through_seq, size_t bytes) {
  Facts facts;
  for (const Event& event : events) {
    if (event.seq <= through_seq) facts.read(event);
  }
  return facts.told(bytes);
}

}  // namespace selfagent
