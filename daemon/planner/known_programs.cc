#include "planner/known_programs.h"

#include <algorithm>
#include <array>

#include "planner/shell_risk.h"

namespace selfagent {

namespace known {

const Names prefixes{"!",        "{",        "}",        "if",
                     "then",     "elif",     "else",     "fi",
                     "do",       "done",     "while",    "until",
                     "time",     "nohup",    "exec",     "command",
                     "builtin",  "setsid",   "stdbuf",   "nice",
                     "ionice",   "env",      "timeout",  "xargs",
                     "watch",    "busybox",  "strace",   "unbuffer",
                     "script",   "parallel", "chronic",  "dbus-run-session",
                     "xvfb-run", "flock",    "taskset",  "chrt",
                     "setarch",  "fakeroot", "catchsegv"};
const Names shells{"sh", "bash", "dash", "zsh", "ksh", "ash", "fish"};
const Names readers{"cat", "less", "more", "head", "tail", "grep", "egrep",  "fgrep", "ls", "stat",
                    "wc",  "file", "diff", "test", "[",    "echo", "printf", "du",    "rg"};
const Names writers{"mv",    "cp",    "tee",   "touch", "mkdir", "ln",    "install",  "rm", "rmdir",
                    "chmod", "chown", "chgrp", "unzip", "sed",   "patch", "truncate", "dd"};
const Names senders{"nc",     "ncat",  "netcat", "socat",    "telnet", "ftp",      "lftp",  "sftp",
                    "scp",    "ssh",   "mail",   "mailx",    "mutt",   "sendmail", "msmtp", "swaks",
                    "rclone", "s3cmd", "gsutil", "aws",      "gcloud", "az",       "gh",    "tftp",
                    "http",   "https", "xh",     "websocat", "ngrok",  "aria2c",   "wscat", "croc"};
const Names lookups{"ping", "dig", "nslookup", "host", "getent", "traceroute"};
const Names elevators{"sudo", "doas", "su", "pkexec", "runuser", "setpriv", "capsh"};
const Names enders{"kill", "pkill", "killall", "xkill", "skill", "fuser"};
const Names stoppers{"shutdown", "reboot", "halt", "poweroff", "init", "telinit"};
const Names disks{"fdisk",  "sfdisk",  "cfdisk",     "parted", "wipefs",     "mount",
                  "umount", "losetup", "cryptsetup", "swapon", "blkdiscard", "badblocks"};
const Names accounts{"passwd",
                     "chpasswd",
                     "useradd",
                     "usermod",
                     "userdel",
                     "adduser",
                     "visudo",
                     "chsh",
                     "ssh-keygen",
                     "ssh-copy-id",
                     "ssh-add",
                     "gpg",
                     "gpg2",
                     "secret-tool",
                     "pass",
                     "keyring",
                     "update-ca-certificates"};
const Names later{"crontab", "at", "batch", "systemd-run", "trap"};
const Names desktop_drivers{"xdotool", "ydotool", "xte", "wtype", "xvkbd", "dogtail"};
const Names browsers{"xdg-open",      "chromium", "chromium-browser",
                     "google-chrome", "firefox",  "sensible-browser",
                     "gio",           "w3m",      "lynx",
                     "links"};

}  // namespace known

namespace {

const known::Names installers{"apt", "apt-get", "aptitude", "dpkg", "snap", "flatpak",
                              "npx", "uvx",     "pipx",     "brew", "dnf",  "yum",
                              "rpm", "apk",     "pacman",   "bunx"};

bool is_address(const std::string& word) {
  if (word.find("://") != std::string::npos) return true;
  return !word.empty() && word[0] != '-' && word[0] != '@' && word[0] != '.' && word[0] != '/' &&
         (word.find('.') != std::string::npos || word.starts_with("localhost"));
}

}  // namespace

bool has_word(const Words& args, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(), [&](const char* word) {
    return std::find(args.begin(), args.end(), word) != args.end();
  });
}

// The one host that the command talks to; "" where it may be another one, as what is approved
// for a host must not cover that.
std::string only_host(const Words& args) {
  std::string host;
  int found = 0;
  for (const std::string& word : args) {
    if (word.find("://") != std::string::npos) {
      host = host_of(word);
      ++found;
    } else if (is_address(word)) {
      ++found;
    }
  }
  return found == 1 && host.find_first_of("$`(") == std::string::npos ? host : "";
}
bool curl_sends(const Words& args) {
  static constexpr std::array sending{"--data",      "--form",     "--json",    "--upload-file",
                                      "--user",      "--cookie",   "--request", "--config",
                                      "--url-query", "--variable", "--proxy",   "--next"};
  // Short options that take a value: what follows in the word is that.
  static constexpr std::string_view takes_value = "oHAembcxwCDErtyYzPQU";
  for (const std::string& word : args) {
    if (word.starts_with("--")) {
      const std::string option = word.substr(0, word.find('='));
      for (const std::string_view known : sending) {
        if (option.starts_with(known) || (option.size() > 4 && known.starts_with(option))) {
          return true;
        }
      }
      continue;
    }
    if (!word.starts_with('-')) continue;
    for (const char c : word.substr(1)) {
      if (std::string_view("dFTXuKb").find(c) != std::string_view::npos) return true;
      if (takes_value.find(c) != std::string_view::npos) break;
    }
  }
  return false;
}

bool wget_sends(const Words& args) {
  return std::any_of(args.begin(), args.end(), [](const std::string& word) {
    return word.starts_with("--post") || word.starts_with("--body") ||
           word.starts_with("--method") || word.starts_with("--user") ||
           word.starts_with("--password") || word.starts_with("--header") ||
           word.starts_with("-e") || word.starts_with("--use-askpass");
  });
}

bool only_own_jobs(const std::string& name, const Words& args) {
  return name == "kill" && !args.empty() &&
         std::all_of(args.begin(), args.end(), [](const std::string& word) {
           return word.starts_with('%') || word == "$!" || word.starts_with('-');
         });
}

bool installs(const std::string& name, const Words& args) {
  if (name == "apt" || name == "apt-get")
    return !has_word(args, {"list", "search", "show", "policy"});
  if (name == "dpkg") return has_word(args, {"-i", "--install", "-r", "-P", "--remove", "--purge"});
  if (installers.contains(name)) return true;
  if (name.starts_with("pip") || name == "uv" || name == "poetry" || name == "conda" ||
      name == "mamba" || name == "gem" || name == "cargo" || name == "go" || name == "composer" ||
      name == "dotnet") {
    return has_word(args, {"install", "add", "sync", "get", "download", "create", "x"});
  }
  if (name == "npm" || name == "pnpm" || name == "yarn" || name == "bun") {
    return args.empty() || has_word(args, {"i", "install", "ci", "add", "exec", "x", "dlx",
                                           "create", "publish", "update"});
  }
  return false;
}

bool edits_in_place(const Words& args) {
  return std::any_of(args.begin(), args.end(), [](const std::string& word) {
    return word.starts_with("-i") || word.starts_with("--in-place");
  });
}

std::string language_of(const std::string& program) {
  if (known::shells.contains(program)) return "bash";
  if (program.starts_with("python") || program.starts_with("ipython")) return "python";
  for (const char* known : {"node", "deno", "bun", "tsx", "ts-node", "perl", "ruby", "php", "lua",
                            "osascript", "tclsh", "expect"}) {
    if (program == known) return known;
  }
  return program == "awk" || program == "gawk" || program == "mawk" ? "awk" : "";
}

}  // namespace selfagent
