// What a path, an address and the text of a program tell of their risk.
#include <algorithm>
#include <array>

#include "base/random.h"
#include "base/utf8.h"
#include "planner/shell_risk.h"

namespace selfagent {

namespace {

using CodeWords = std::vector<std::string>;

constexpr size_t longest_shown = 160;
constexpr size_t longest_query = 150;  // of an address; a search has less

// Part of a name of a file that only its owner is to touch.
constexpr std::array credential_files{".ssh",
                                      ".gnupg",
                                      ".aws",
                                      ".netrc",
                                      ".kube",
                                      ".pgpass",
                                      "id_rsa",
                                      "id_ed25519",
                                      "authorized_keys",
                                      ".git-credentials",
                                      "/etc/shadow",
                                      "/etc/sudoers",
                                      ".docker/config",
                                      ".mozilla/firefox",
                                      "Login Data",
                                      "secrets.json",
                                      ".local/share/selfagent",
                                      "/var/lib/selfagent",
                                      ".npmrc",
                                      ".pypirc",
                                      "/proc/1/",
                                      "/environ",
                                      "known_hosts",
                                      ".password-store",
                                      ".config/gcloud",
                                      "keyrings"};
constexpr std::array startup_files{".bashrc",    ".profile",        ".bash_profile", ".bash_login",
                                   ".zshrc",     ".zprofile",       ".xinitrc",      ".xsession",
                                   "autostart/", ".config/systemd", ".bash_aliases", ".inputrc",
                                   ".git/hooks"};

template <class List>
std::string part_in(const List& list, const std::string& text) {
  for (const char* part : list) {
    if (text.find(part) != std::string::npos) return part;
  }
  return "";
}

}  // namespace

std::string host_of(const std::string& address) {
  std::string text = address;
  if (const size_t scheme = text.find("://"); scheme != std::string::npos) {
    text = text.substr(scheme + 3);
  }
  text = text.substr(0, text.find_first_of("/?#"));
  if (const size_t at = text.rfind('@'); at != std::string::npos) text = text.substr(at + 1);
  return text;
}

std::string credential_part(const std::string& text) { return part_in(credential_files, text); }
std::string startup_part(const std::string& text) { return part_in(startup_files, text); }

void add_reason(Reasons& reasons, std::string reason) {
  if (reason.empty()) return;
  if (std::find(reasons.begin(), reasons.end(), reason) == reasons.end()) {
    reasons.push_back(std::move(reason));
  }
}

std::string quoted_for_reason(std::string_view text) {
  std::string line;
  for (const char c : utf8_prefix(text, longest_shown)) {
    line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  if (line.size() == text.size()) return "`" + line + "`";
  return "`" + line + " …` (" + std::to_string(text.size()) + " bytes, SHA-256 " +
         sha256_hex(text).substr(0, 16) + ")";
}

std::string judge_address(const std::string& url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string::npos) return "";
  const size_t query = url.find_first_of("?#", scheme);
  const size_t path = url.find('/', scheme + 3);
  const bool long_query = query != std::string::npos && url.size() - query > longest_query;
  const bool long_path = path != std::string::npos && url.size() - path > 2 * longest_query;
  if (!long_query && !long_path) return "";
  return "it opens a long address, which carries text to " + host_of(url);
}

std::string judge_written_path(const std::string& given, const RiskPlace& place) {
  std::string path = given;
  if (path.starts_with("$HOME/")) path = "~" + path.substr(5);
  if (const std::string part = credential_part(path); !part.empty()) {
    return "it changes " + path + ", which belongs to credentials";
  }
  if (const std::string part = startup_part(path); !part.empty()) {
    return "it changes " + path + ", which runs by itself later";
  }
  for (const char* device : {"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/fd/",
                             "/dev/shm/", "/tmp/", "/var/tmp/"}) {
    if (path.starts_with(device) && path.find("..") == std::string::npos) return "";
  }
  if (path == "/tmp") return "";
  const bool climbs = path.starts_with("..") || path.find("/..") != std::string::npos;
  const bool own =
      path.starts_with("~/") || path == "~" ||
      std::any_of(place.roots.begin(), place.roots.end(), [&](const std::string& root) {
        return path == root || path.starts_with(root + "/");
      });
  if (!climbs && (own || !(path.starts_with('/') || path.starts_with('~')))) return "";
  return "it writes outside of the agent's own folders: " + path;
}

Reasons judge_code(const std::string& language, const std::string& text, const RiskPlace& place) {
  if (language == "bash") return judge_shell(text, place);
  static constexpr std::array<std::pair<const char*, CodeWords (*)()>, 5> kinds{{
      {"it may send data over the network",
       [] {
         return CodeWords{
             "requests", "urllib", "http.client",    "httpx",     "aiohttp",   "socket",
             "smtplib",  "ftplib", "paramiko",       "telnetlib", "websocket", "WebSocket",
             "pycurl",   "fetch(", "XMLHttpRequest", "node:http", "\"http",    "'http",
             "https.",   "http.",  "node:net",       "node:tls",  "dgram",     "axios",
             "Net::",    "LWP::",  "open-uri",       "/inet/"};
       }},
      {"it runs other programs, which are not looked at",
       [] {
         return CodeWords{"subprocess", "os.system",  "os.popen",      "os.exec",  "os.spawn",
                          "pty.",       "pexpect",    "child_process", "execSync", "spawn(",
                          "spawnSync",  "Bun.",       "Deno.",         "system(",  "popen(",
                          "qx",         "`",          "%%bash",        "%%sh",     "%sx",
                          "\n!",        "get_ipython"};
       }},
      {"it deletes or moves files",
       [] {
         return CodeWords{"os.remove",  "os.unlink",  ".unlink(",    "rmtree",
                          "os.rmdir",   "removedirs", "shutil.move", "os.rename",
                          "os.replace", "rmSync",     "rmdir",       "unlink",
                          "fs.rm",      "renameSync", "File.delete", "truncate("};
       }},
      {"what it does cannot be told from its text",
       [] {
         return CodeWords{"eval(",        "exec(",       "__import__",   "importlib", "ctypes",
                          "marshal.",     "pickle.load", "new Function", "vm.",       "runpy",
                          "__builtins__", "__dict__",    "getattr(os",   "setuid",    "cffi"};
       }},
      {"it ends programs", [] { return CodeWords{"os.kill", "killpg", "process.kill"}; }},
  }};
  Reasons reasons;
  for (const auto& [what, words] : kinds) {
    const CodeWords all = words();
    const auto word = std::find_if(all.begin(), all.end(), [&](const std::string& one) {
      if (one == "`" && language != "perl" && language != "ruby" && language != "php") return false;
      if (one == "qx" && language != "perl") return false;
      return text.find(one) != std::string::npos || (one == "\n!" && text.starts_with('!'));
    });
    if (word == all.end()) continue;
    const std::string shown = *word == "\n!" ? "!" : *word;
    // Where to and what nobody can tell: approved for a session is this text alone.
    add_reason(reasons, std::string(what) + " (" + shown + " in the text with SHA-256 " +
                            sha256_hex(text).substr(0, 16) + ")");
  }
  if (const std::string part = credential_part(text); !part.empty()) {
    add_reason(reasons, "it names " + part + ", which belongs to credentials");
  }
  if (const std::string part = startup_part(text); !part.empty()) {
    add_reason(reasons, "it names " + part + ", which runs by itself later");
  }
  return reasons;
}

}  // namespace selfagent
