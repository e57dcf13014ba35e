#include "planner/program_risk.h"

#include <algorithm>

namespace selfagent {

namespace {

class ProgramJudge {
 public:
  ProgramJudge(const ShellCall& call, const ShellSurroundings& around, Reasons& reasons)
      : call_(call), around_(around), reasons_(reasons) {}

  void judge() {
    judge_network();
    judge_system();
    judge_files();
  }

 private:
  void add(std::string reason) { add_reason(reasons_, std::move(reason)); }

  void add_sends() {
    const std::string host = only_host(call_.args);
    add("it sends data out" +
        (host.empty() ? ": " + quoted_for_reason(call_.line) : " to " + host));
  }

  void judge_network() {
    const bool fetches = call_.name == "curl" || call_.name == "wget";
    if (call_.name == "curl" && curl_sends(call_.args)) add_sends();
    if (call_.name == "wget" && wget_sends(call_.args)) add_sends();
    if ((fetches || known::lookups.contains(call_.name)) && call_.expands) add_sends();
    if (fetches || known::browsers.contains(call_.name)) {
      for (const std::string& word : call_.args) {
        if (const std::string why = judge_address(word); !why.empty()) add(why);
      }
    }
    if (known::senders.contains(call_.name)) add_sends();
    if (call_.name == "openssl" && has_word(call_.args, {"s_client"})) add_sends();
    if (call_.name == "rsync" &&
        std::any_of(call_.args.begin(), call_.args.end(),
                    [](const std::string& word) { return word.find(':') != std::string::npos; })) {
      add("it copies files to or from another machine: " + quoted_for_reason(call_.line));
    }
    if (call_.name == "selfagent") add("it talks to the daemon: " + quoted_for_reason(call_.line));
  }

  void judge_system() {
    const std::string line = quoted_for_reason(call_.line);
    if (known::elevators.contains(call_.name)) {
      add("it runs with the rights of another user: " + line);
      judge_rest_after_options();
    }
    if (installs(call_.name, call_.args)) add("it installs or runs fetched code: " + line);
    if (known::enders.contains(call_.name) && !only_own_jobs(call_.name, call_.args))
      add("it ends programs: " + line);
    const bool services =
        (call_.name == "systemctl" || call_.name == "service" || call_.name == "supervisorctl") &&
        !has_word(call_.args, {"status", "show", "list-units", "is-active", "cat"});
    if (known::stoppers.contains(call_.name) || services)
      add("it stops or changes services: " + line);
    if (known::disks.contains(call_.name) || call_.name.starts_with("mkfs") ||
        call_.name == "mkswap") {
      add("it works on disks: " + line);
    }
    if (known::accounts.contains(call_.name)) add("it works on accounts or keys: " + line);
    if (known::later.contains(call_.name)) add("it makes something run later: " + line);
    if (known::desktop_drivers.contains(call_.name)) {
      add("it uses the desktop by a command, where targets are not looked at: " + line);
    }
    if (call_.name == "alias" || call_.name == "docker" || call_.name == "podman" ||
        call_.name == "nsenter" || call_.name == "unshare" || call_.name == "chroot") {
      add(unclear_reason(call_.name, call_.line));
    }
    if (call_.name == "git") judge_git(line);
  }

  // The command that another one is given as its words.
  void judge_rest_after_options() {
    std::string text;
    bool begun = false;
    for (const std::string& word : call_.args) {
      begun = begun || !word.starts_with('-');
      if (begun) text += single_quoted_word(word) + " ";
    }
    if (!text.empty()) around_.judge(text);
  }

  static std::string single_quoted_word(const std::string& word) {
    std::string out = "'";
    for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
  }

  void judge_git(const std::string& line) {
    if (has_word(call_.args, {"push", "send-email"})) add("it sends data out: " + line);
    if (has_word(call_.args, {"clean"}) ||
        (has_word(call_.args, {"reset"}) && has_word(call_.args, {"--hard"}))) {
      add("it deletes changes that are nowhere else: " + line);
    }
  }

  void judge_files() {
    const std::string line = quoted_for_reason(call_.line);
    if (call_.name == "rm" || call_.name == "shred" || call_.name == "unlink" ||
        call_.name == "trash" || call_.name == "srm") {
      add("it deletes: " + line);
    }
    if (call_.name == "find" && (has_word(call_.args, {"-delete"}))) add("it deletes: " + line);
    if (call_.name == "find") judge_find_exec();
    if (call_.name == "rsync" &&
        std::any_of(call_.args.begin(), call_.args.end(), [](const std::string& word) {
          return word.starts_with("--del") || word.starts_with("--remove");
        })) {
      add("it deletes: " + line);
    }
    if (call_.name == "dd" &&
        std::any_of(call_.args.begin(), call_.args.end(),
                    [](const std::string& word) { return word.starts_with("of=/dev/"); })) {
      add("it works on disks: " + line);
    }
    if (!known::writers.contains(call_.name) ||
        (call_.name == "sed" && !edits_in_place(call_.args)))
      return;
    judge_written_words();
    if ((call_.name == "mv" || call_.name == "cp") && !has_word(call_.args, {"-n", "--no-clobber"}))
      judge_overwrite();
  }

  void judge_written_words() {
    // Of cp, ln and install the last word alone is written.
    const bool last_only = call_.name == "cp" || call_.name == "ln" || call_.name == "install";
    for (size_t i = 0; i < call_.args.size(); ++i) {
      std::string word = call_.args[i];
      if (last_only && i + 1 < call_.args.size() && !word.starts_with("-t") &&
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
        if (const std::string why = judge_written_path(word, around_.place); !why.empty()) add(why);
      } else if (around_.outside && !word.starts_with('-')) {
        add("it writes outside of the agent's own folders: " + quoted_for_reason(call_.line));
      }
    }
  }

  void judge_overwrite() {
    if (call_.args.size() < 2 || !around_.place.exists || call_.expands) return;
    const std::string& to = call_.args.back();
    const auto whole = around_.path_of(to);
    if (whole && around_.place.exists(*whole)) add("it replaces the file " + to + ", which exists");
  }

  void judge_find_exec() {
    std::string text;
    bool within = false;
    for (const std::string& word : call_.args) {
      if (word == "-exec" || word == "-execdir" || word == "-ok" || word == "-okdir") {
        within = true;
      } else if (within && (word == ";" || word == "+")) {
        within = false;
        text += "\n";
      } else if (within) {
        text += single_quoted_word(word) + " ";
      }
    }
    if (!text.empty()) around_.judge(text);
  }

  const ShellCall& call_;
  const ShellSurroundings& around_;
  Reasons& reasons_;
};

}  // namespace

void judge_program(const ShellCall& call, const ShellSurroundings& around, Reasons& reasons) {
  ProgramJudge(call, around, reasons).judge();
}

std::string unclear_reason(const std::string& why, const std::string& text) {
  return "what it does cannot be told from its text (" + why + "): " + quoted_for_reason(text);
}

}  // namespace selfagent
