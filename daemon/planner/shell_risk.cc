#include "planner/shell_risk.h"

#include <algorithm>
#include <array>
#include <set>

#include "planner/known_programs.h"
#include "planner/program_risk.h"
#include "planner/shell_text.h"

namespace selfagent {

namespace {

constexpr int deepest = 8;

std::string file_name(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

class ShellJudge {
 public:
  ShellJudge(const RiskPlace& place, Reasons& reasons, std::set<std::string>& touched, int depth)
      : place_(place), reasons_(reasons), touched_(touched), depth_(depth), folder_(place.folder) {}

  void judge(const std::string& text) {
    if (depth_ > deepest) return unclear("many commands in each other", text);
    const ShellText shell = read_shell(text);
    if (shell.broken) unclear("a quote or substitution that does not end", text);
    for (const std::string& inner : shell.inner) deeper().judge(inner);
    for (const ShellCommand& command : shell.commands) judge_command(command);
  }

 private:
  ShellJudge deeper() const {
    ShellJudge judge(place_, reasons_, touched_, depth_ + 1);
    judge.folder_ = folder_;
    judge.outside_ = outside_;
    return judge;
  }

  // The path as `read` and `exists` take it; nothing where it starts in a folder that nobody knows.
  std::optional<std::string> path_of(const std::string& path) const {
    if (path.starts_with('/') || path.starts_with('~')) return path;
    if (!folder_) return std::nullopt;
    return folder_->empty() ? path : *folder_ + "/" + path;
  }
  std::optional<std::string> text_of(const std::string& path) const {
    const auto whole = path_of(path);
    return whole && place_.read ? place_.read(*whole) : std::nullopt;
  }
  void add(std::string reason) { add_reason(reasons_, std::move(reason)); }
  void unclear(const std::string& why, const std::string& text) { add(unclear_reason(why, text)); }

  void judge_command(const ShellCommand& command) {
    for (const ShellWord& target : command.written) judge_target(target);
    size_t begin = 0;
    bool unsure = skip_prefixes(command, begin, false);
    judge_from(command, begin);
    while (unsure && ++begin < command.words.size()) {
      unsure = skip_prefixes(command, begin, true);
      judge_from(command, begin);
    }
  }

  void judge_from(const ShellCommand& command, size_t begin) {
    if (begin >= command.words.size()) return;
    const ShellWord& program = command.words[begin];
    call_ = {};
    for (size_t i = begin; i < command.words.size(); ++i) {
      call_.line += (call_.line.empty() ? "" : " ") + command.words[i].text;
      if (i == begin) continue;
      call_.args.push_back(command.words[i].text);
      call_.expands = call_.expands || command.words[i].expands;
    }
    if (program.expands) return unclear("the program is named by a variable", call_.line);
    call_.name = file_name(program.text);
    judge_words();
    judge_program(call_,
                  {.place = place_,
                   .outside = outside_,
                   .path_of = [this](const std::string& path) { return path_of(path); },
                   .judge = [this](const std::string& inner) { deeper().judge(inner); }},
                  reasons_);
    judge_interpreter(command, program.text);
    if (!known::readers.contains(call_.name) && call_.name != "chmod") {
      for (const std::string& word : call_.args) touched_.insert(file_name(word));
    }
  }

  // Assignments, keywords, and programs that run the rest of the line. True if the word at `at` may
  // as well be the value of an option of such a program.
  bool skip_prefixes(const ShellCommand& command, size_t& at, bool wrapped) {
    for (; at < command.words.size(); ++at) {
      const std::string& word = command.words[at].text;
      const size_t equals = word.find('=');
      const bool assigns = equals != std::string::npos && equals > 0 && word[0] != '-' &&
                           word.find_first_of("/ ") > equals;
      if (assigns) {
        judge_assignment(word);
        continue;
      }
      if (known::prefixes.contains(file_name(word))) {
        wrapped = true;
      } else if (!wrapped || (word[0] != '-' && !is_number(word))) {
        return wrapped && at > 0 && command.words[at - 1].text.starts_with('-');
      }
    }
    return false;
  }

  void judge_assignment(const std::string& word) {
    const std::string variable = word.substr(0, word.find('='));
    for (const char* chooses : {"PATH", "BASH_ENV", "ENV", "PROMPT_COMMAND", "PYTHONPATH",
                                "PYTHONSTARTUP", "NODE_OPTIONS", "IFS"}) {
      if (variable == chooses) unclear("it changes what programs run", word);
    }
    if (variable.starts_with("LD_")) unclear("it changes what programs run", word);
  }

  static bool is_number(const std::string& word) {
    return !word.empty() && word.find_first_not_of("0123456789.smhd") == std::string::npos;
  }

  void judge_target(const ShellWord& target) {
    const bool reads = target.text.starts_with('<');
    const std::string path = reads ? target.text.substr(1) : target.text;
    if (path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/")) {
      return add("it opens a connection to " + path.substr(9));
    }
    if (reads) {
      if (const std::string part = credential_part(path); !part.empty()) {
        add("it uses the file " + path + ", which holds credentials");
      }
      return;
    }
    if (target.expands && !path.starts_with("$HOME/") && !path.starts_with("$(")) return;
    touched_.insert(file_name(path));
    if (const std::string why = judge_written_path(path, place_); !why.empty()) add(why);
    if (outside_ && !path.starts_with('/') && !path.starts_with('~')) {
      add("it writes outside of the agent's own folders: " + path);
    }
  }

  void judge_words() {
    for (const std::string& word : call_.args) {
      if (const std::string part = credential_part(word); !part.empty()) {
        add("it uses " + quoted_for_reason(word) + ", which belongs to credentials (" + part + ")");
      }
      if (known::readers.contains(call_.name)) continue;
      if (const std::string part = startup_part(word); !part.empty()) {
        add("it touches " + quoted_for_reason(word) + ", which runs by itself later");
      }
    }
    if (call_.name == "export" || call_.name == "declare" || call_.name == "typeset" ||
        call_.name == "readonly") {
      for (const std::string& word : call_.args) judge_assignment(word);
    }
    if (call_.name == "eval" || call_.name == "source" || call_.name == ".") judge_eval();
    if (call_.name == "cd" || call_.name == "pushd" || call_.name == "popd") change_folder();
  }

  void change_folder() {
    const std::string to = call_.args.empty() ? "~" : call_.args[0];
    const bool known =
        !call_.expands && call_.args.size() < 2 && !to.starts_with('-') && call_.name != "popd";
    folder_ = known ? path_of(to) : std::nullopt;
    outside_ = known && !judge_written_path(to + "/x", place_).empty();
  }

  void judge_eval() {
    if (call_.name != "eval") return judge_script(call_.args.empty() ? "" : call_.args[0], "bash");
    if (call_.expands) return unclear("eval", call_.line);
    std::string text;
    for (const std::string& word : call_.args) text += word + " ";
    deeper().judge(text);
  }

  void judge_interpreter(const ShellCommand& command, const std::string& program) {
    const std::string language = language_of(call_.name);
    if (language.empty()) {
      if (program.find('/') != std::string::npos) judge_started_file(program);
      return;
    }
    if (language == "awk") return judge_text("awk", call_.args.empty() ? "" : call_.args[0]);
    for (size_t i = 0; i < call_.args.size(); ++i) {
      const std::string& word = call_.args[i];
      if (word == "-m" && language == "python") return judge_module(i + 1);
      const bool gives = !word.starts_with("--") && word.size() > 1 && word[0] == '-' &&
                         word.find_first_of(language == "bash" || language == "python" ? "c"
                                            : language == "php"                        ? "r"
                                                                : "epE") != std::string::npos;
      if (gives || word == "--eval" || word == "--print") {
        if (i + 1 >= call_.args.size()) return unclear("no program text", call_.line);
        if (expands_of(command, call_.args[i + 1]))
          return unclear("its text is put together", call_.line);
        return judge_text(language, call_.args[i + 1]);
      }
      if (word == "-" || word == "-s" || word == "/dev/stdin") break;
      if (word.starts_with('-')) continue;
      if (word == "run" && (language == "deno" || language == "bun")) continue;
      return judge_script(word, language);
    }
    if (command.has_input) return judge_text(language, command.input);
    const bool tells = has_word(call_.args, {"--version", "-V", "-v", "--help", "-h"});
    if (command.takes_pipe) return unclear("it runs what comes through a pipe", call_.line);
    if (!tells && !command.written.empty() && command.written.back().text.starts_with('<')) {
      judge_script(command.written.back().text.substr(1), language);
    }
  }

  static bool expands_of(const ShellCommand& command, const std::string& text) {
    return std::any_of(command.words.begin(), command.words.end(),
                       [&](const ShellWord& word) { return word.expands && word.text == text; });
  }

  void judge_module(size_t at) {
    const std::string module = at < call_.args.size() ? call_.args[at] : "";
    if (module == "pip" || module == "ensurepip" || module == "uv") {
      if (has_word(call_.args, {"install", "download"})) {
        add("it installs or runs fetched code: " + quoted_for_reason(call_.line));
      }
    } else if (module == "http.server" || module == "smtpd" || module == "pyftpdlib" ||
               module == "asyncio") {
      add("it opens files to the network: " + quoted_for_reason(call_.line));
    }
  }

  void judge_text(const std::string& language, const std::string& text) {
    if (language == "bash") return deeper().judge(text);
    for (std::string& reason : judge_code(language, text, place_)) add(std::move(reason));
  }

  // A program of a file: its text is read where there is one.
  void judge_script(const std::string& path, const std::string& language) {
    if (path.empty()) return;
    if (touched_.contains(file_name(path))) {
      return unclear("the script may be another one when it runs", call_.line);
    }
    const auto text = text_of(path);
    if (!text) return unclear("the script cannot be read before it runs", path);
    judge_text(language, *text);
  }

  void judge_started_file(const std::string& program) {
    for (const char* folder :
         {"/bin/", "/usr/bin/", "/usr/local/bin/", "/usr/sbin/", "/sbin/", "/opt/"}) {
      if (program.starts_with(folder) && program.find("..") == std::string::npos) return;
    }
    if (touched_.contains(file_name(program))) {
      return unclear("the program may be another one when it runs", call_.line);
    }
    const auto text = text_of(program);
    if (!text) return unclear("the program is a file that cannot be read as text", program);
    const std::string first = text->starts_with("#!") ? text->substr(0, text->find('\n')) : "";
    std::string language = "bash";
    for (const char* known : {"python", "node", "deno", "perl", "ruby", "php"}) {
      if (first.find(known) != std::string::npos) language = known;
    }
    judge_text(language, *text);
  }

  const RiskPlace& place_;
  Reasons& reasons_;
  std::set<std::string>& touched_;  ///< names of files that a command before may have changed
  const int depth_;
  std::optional<std::string> folder_;  ///< as RiskPlace::folder, after each `cd`
  bool outside_ = false;               ///< after a `cd` out of the agent's own folders
  ShellCall call_;                     ///< the command that is judged
};

}  // namespace

Reasons judge_shell(const std::string& text, const RiskPlace& place) {
  Reasons reasons;
  std::set<std::string> touched;
  ShellJudge(place, reasons, touched, 0).judge(text);
  return reasons;
}

}  // namespace selfagent
