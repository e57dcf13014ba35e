#include "planner/shell_risk.h"

#include <algorithm>
#include <array>
#include <set>

#include "planner/known_programs.h"
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
  void unclear(const std::string& why, const std::string& text) {
    add("what it does cannot be told from its text (" + why + "): " + quoted_for_reason(text));
  }

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
    line_ = "";
    args_.clear();
    expands_ = false;
    for (size_t i = begin; i < command.words.size(); ++i) {
      line_ += (line_.empty() ? "" : " ") + command.words[i].text;
      if (i == begin) continue;
      args_.push_back(command.words[i].text);
      expands_ = expands_ || command.words[i].expands;
    }
    if (program.expands) return unclear("the program is named by a variable", line_);
    name_ = file_name(program.text);
    judge_words();
    judge_network();
    judge_system();
    judge_files();
    judge_interpreter(command, program.text);
    if (!known::readers.contains(name_) && name_ != "chmod") {
      for (const std::string& word : args_) touched_.insert(file_name(word));
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
    for (const std::string& word : args_) {
      if (const std::string part = credential_part(word); !part.empty()) {
        add("it uses " + quoted_for_reason(word) + ", which belongs to credentials (" + part + ")");
      }
      if (known::readers.contains(name_)) continue;
      if (const std::string part = startup_part(word); !part.empty()) {
        add("it touches " + quoted_for_reason(word) + ", which runs by itself later");
      }
    }
    if (name_ == "export" || name_ == "declare" || name_ == "typeset" || name_ == "readonly") {
      for (const std::string& word : args_) judge_assignment(word);
    }
    if (name_ == "eval" || name_ == "source" || name_ == ".") judge_eval();
    if (name_ == "cd" || name_ == "pushd" || name_ == "popd") change_folder();
  }

  void change_folder() {
    const std::string to = args_.empty() ? "~" : args_[0];
    const bool known = !expands_ && args_.size() < 2 && !to.starts_with('-') && name_ != "popd";
    folder_ = known ? path_of(to) : std::nullopt;
    outside_ = known && !judge_written_path(to + "/x", place_).empty();
  }

  void judge_eval() {
    if (name_ != "eval") return judge_script(args_.empty() ? "" : args_[0], "bash");
    if (expands_) return unclear("eval", line_);
    std::string text;
    for (const std::string& word : args_) text += word + " ";
    deeper().judge(text);
  }

  void add_sends() {
    const std::string host = only_host(args_);
    add("it sends data out" + (host.empty() ? ": " + quoted_for_reason(line_) : " to " + host));
  }

  void judge_network() {
    const bool fetches = name_ == "curl" || name_ == "wget";
    if (name_ == "curl" && curl_sends(args_)) add_sends();
    if (name_ == "wget" && wget_sends(args_)) add_sends();
    if ((fetches || known::lookups.contains(name_)) && expands_) add_sends();
    if (fetches || known::browsers.contains(name_)) {
      for (const std::string& word : args_) {
        if (const std::string why = judge_address(word); !why.empty()) add(why);
      }
    }
    if (known::senders.contains(name_)) add_sends();
    if (name_ == "openssl" && has_word(args_, {"s_client"})) add_sends();
    if (name_ == "rsync" && std::any_of(args_.begin(), args_.end(), [](const std::string& word) {
          return word.find(':') != std::string::npos;
        })) {
      add("it copies files to or from another machine: " + quoted_for_reason(line_));
    }
    if (name_ == "selfagent") add("it talks to the daemon: " + quoted_for_reason(line_));
  }

  void judge_system() {
    const std::string line = quoted_for_reason(line_);
    if (known::elevators.contains(name_)) {
      add("it runs with the rights of another user: " + line);
      judge_rest_after_options();
    }
    if (installs(name_, args_)) add("it installs or runs fetched code: " + line);
    if (known::enders.contains(name_) && !only_own_jobs(name_, args_))
      add("it ends programs: " + line);
    const bool services =
        (name_ == "systemctl" || name_ == "service" || name_ == "supervisorctl") &&
        !has_word(args_, {"status", "show", "list-units", "is-active", "cat"});
    if (known::stoppers.contains(name_) || services) add("it stops or changes services: " + line);
    if (known::disks.contains(name_) || name_.starts_with("mkfs") || name_ == "mkswap") {
      add("it works on disks: " + line);
    }
    if (known::accounts.contains(name_)) add("it works on accounts or keys: " + line);
    if (known::later.contains(name_)) add("it makes something run later: " + line);
    if (known::desktop_drivers.contains(name_)) {
      add("it uses the desktop by a command, where targets are not looked at: " + line);
    }
    if (name_ == "alias" || name_ == "docker" || name_ == "podman" || name_ == "nsenter" ||
        name_ == "unshare" || name_ == "chroot") {
      unclear(name_, line_);
    }
    if (name_ == "git") judge_git(line);
  }

  // The command that another one is given as its words.
  void judge_rest_after_options() {
    std::string text;
    bool begun = false;
    for (const std::string& word : args_) {
      begun = begun || !word.starts_with('-');
      if (begun) text += single_quoted_word(word) + " ";
    }
    if (!text.empty()) deeper().judge(text);
  }

  static std::string single_quoted_word(const std::string& word) {
    std::string out = "'";
    for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
  }

  void judge_git(const std::string& line) {
    if (has_word(args_, {"push", "send-email"})) add("it sends data out: " + line);
    if (has_word(args_, {"clean"}) || (has_word(args_, {"reset"}) && has_word(args_, {"--hard"}))) {
      add("it deletes changes that are nowhere else: " + line);
    }
  }

  void judge_files() {
    const std::string line = quoted_for_reason(line_);
    if (name_ == "rm" || name_ == "shred" || name_ == "unlink" || name_ == "trash" ||
        name_ == "srm") {
      add("it deletes: " + line);
    }
    if (name_ == "find" && (has_word(args_, {"-delete"}))) add("it deletes: " + line);
    if (name_ == "find") judge_find_exec();
    if (name_ == "rsync" && std::any_of(args_.begin(), args_.end(), [](const std::string& word) {
          return word.starts_with("--del") || word.starts_with("--remove");
        })) {
      add("it deletes: " + line);
    }
    if (name_ == "dd" && std::any_of(args_.begin(), args_.end(), [](const std::string& word) {
          return word.starts_with("of=/dev/");
        })) {
      add("it works on disks: " + line);
    }
    if (!known::writers.contains(name_) || (name_ == "sed" && !edits_in_place(args_))) return;
    judge_written_words();
    if ((name_ == "mv" || name_ == "cp") && !has_word(args_, {"-n", "--no-clobber"}))
      judge_overwrite();
  }

  void judge_written_words() {
    // Of cp, ln and install the last word alone is written.
    const bool last_only = name_ == "cp" || name_ == "ln" || name_ == "install";
    for (size_t i = 0; i < args_.size(); ++i) {
      std::string word = args_[i];
      if (last_only && i + 1 < args_.size() && !word.starts_with("-t") &&
          !word.starts_with("--target")) {
        continue;
      }
      if (const size_t equals = word.find('=');
          word.starts_with("of=") || word.starts_with("--target")) {
        word = word.substr(equals + 1);
      }
      const bool path = word.starts_with('/') || word.starts_with('~') || word.starts_with("..") ||
                        word.find("/../") != std::string::npos;
      if (path) {
        if (const std::string why = judge_written_path(word, place_); !why.empty()) add(why);
      } else if (outside_ && !word.starts_with('-')) {
        add("it writes outside of the agent's own folders: " + quoted_for_reason(line_));
      }
    }
  }

  void judge_overwrite() {
    if (args_.size() < 2 || !place_.exists || expands_) return;
    const std::string& to = args_.back();
    const auto whole = path_of(to);
    if (whole && place_.exists(*whole)) add("it replaces the file " + to + ", which exists");
  }

  void judge_find_exec() {
    std::string text;
    bool within = false;
    for (const std::string& word : args_) {
      if (word == "-exec" || word == "-execdir" || word == "-ok" || word == "-okdir") {
        within = true;
      } else if (within && (word == ";" || word == "+")) {
        within = false;
        text += "\n";
      } else if (within) {
        text += single_quoted_word(word) + " ";
      }
    }
    if (!text.empty()) deeper().judge(text);
  }

  void judge_interpreter(const ShellCommand& command, const std::string& program) {
    const std::string language = language_of(name_);
    if (language.empty()) {
      if (program.find('/') != std::string::npos) judge_started_file(program);
      return;
    }
    if (language == "awk") return judge_text("awk", args_.empty() ? "" : args_[0]);
    for (size_t i = 0; i < args_.size(); ++i) {
      const std::string& word = args_[i];
      if (word == "-m" && language == "python") return judge_module(i + 1);
      const bool gives = !word.starts_with("--") && word.size() > 1 && word[0] == '-' &&
                         word.find_first_of(language == "bash" || language == "python" ? "c"
                                            : language == "php"                        ? "r"
                                                                : "epE") != std::string::npos;
      if (gives || word == "--eval" || word == "--print") {
        if (i + 1 >= args_.size()) return unclear("no program text", line_);
        if (expands_of(command, args_[i + 1])) return unclear("its text is put together", line_);
        return judge_text(language, args_[i + 1]);
      }
      if (word == "-" || word == "-s" || word == "/dev/stdin") break;
      if (word.starts_with('-')) continue;
      if (word == "run" && (language == "deno" || language == "bun")) continue;
      return judge_script(word, language);
    }
    if (command.has_input) return judge_text(language, command.input);
    const bool tells = has_word(args_, {"--version", "-V", "-v", "--help", "-h"});
    if (command.takes_pipe) return unclear("it runs what comes through a pipe", line_);
    if (!tells && !command.written.empty() && command.written.back().text.starts_with('<')) {
      judge_script(command.written.back().text.substr(1), language);
    }
  }

  static bool expands_of(const ShellCommand& command, const std::string& text) {
    return std::any_of(command.words.begin(), command.words.end(),
                       [&](const ShellWord& word) { return word.expands && word.text == text; });
  }

  void judge_module(size_t at) {
    const std::string module = at < args_.size() ? args_[at] : "";
    if (module == "pip" || module == "ensurepip" || module == "uv") {
      if (has_word(args_, {"install", "download"})) {
        add("it installs or runs fetched code: " + quoted_for_reason(line_));
      }
    } else if (module == "http.server" || module == "smtpd" || module == "pyftpdlib" ||
               module == "asyncio") {
      add("it opens files to the network: " + quoted_for_reason(line_));
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
      return unclear("the script may be another one when it runs", line_);
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
      return unclear("the program may be another one when it runs", line_);
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
  std::string name_;                   ///< of the command that is judged, without its folder
  std::string line_;
  Words args_;
  bool expands_ = false;  ///< one of args_ does
};

}  // namespace

Reasons judge_shell(const std::string& text, const RiskPlace& place) {
  Reasons reasons;
  std::set<std::string> touched;
  ShellJudge(place, reasons, touched, 0).judge(text);
  return reasons;
}

}  // namespace selfagent
