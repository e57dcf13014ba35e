#include "process/sandbox.h"

#include <grp.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/log.h"
#include "process/jail.h"
#include "process/reaper.h"

namespace selfagent {

namespace fs = std::filesystem;

namespace {

struct Account {
  std::string name;
  uid_t uid;
  gid_t gid;
  std::string home;
};

template <class Lookup>
std::optional<Account> account(Lookup lookup) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (lookup(&entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {};
  return Account{entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir};
}

std::string environment_or(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

Account account_of(const std::string& user) {
  if (!user.empty()) {
    auto named = account([&](auto... rest) { return ::getpwnam_r(user.c_str(), rest...); });
    if (named) return *named;
    throw Error(ErrorCode::invalid_argument,
                "there is no user \"" + user + "\": create it, or run without a sandbox user");
  }
  auto own = account([](auto... rest) { return ::getpwuid_r(::geteuid(), rest...); });
  if (own) {
    // As shells see it: whoever starts the daemon may have given it another home.
    own->home = environment_or("HOME", own->home);
    return *own;
  }
  // Containers run with arbitrary uids that no passwd file knows.
  return {std::to_string(::geteuid()), ::geteuid(), ::getegid(), environment_or("HOME", "/")};
}

std::vector<gid_t> groups_of(const Account& account) {
  int count = 64;
  std::vector<gid_t> groups(static_cast<size_t>(count));
  while (::getgrouplist(account.name.c_str(), account.gid, groups.data(), &count) < 0) {
    groups.resize(static_cast<size_t>(count));
  }
  groups.resize(static_cast<size_t>(count));
  return groups;
}

// True if this thread may take the file system rights of `uid`; leaves them as they were.
bool may_become(uid_t uid) {
  const auto before = static_cast<uid_t>(::setfsuid(uid));
  const auto after = static_cast<uid_t>(::setfsuid(before));
  return after == uid;
}

// Creates the workspace as the sandbox user. Where that user may not, the daemon does and hands it
// over, but only along a path without symlinks, which the user could have planted.
void create_workspace(const Sandbox& sandbox, const fs::path& path) {
  std::error_code error;
  {
    const AsUser as_user(sandbox);
    fs::create_directories(path, error);
    if (!error) return;
  }
  if (sandbox.switches_user() && fs::weakly_canonical(path) == path.lexically_normal()) {
    error.clear();
    fs::create_directories(path, error);
    if (!error && ::lchown(path.c_str(), sandbox.uid(), sandbox.gid()) == 0) return;
  }
  throw Error(ErrorCode::invalid_argument, "cannot create the workspace " + path.string() + " as " +
                                               sandbox.user() + ": " + error.message());
}

}  // namespace

Sandbox::Sandbox(Settings settings)
    : display_(std::move(settings.display)),
      reaper_(std::make_shared<Reaper>()),
      jails_(std::make_shared<Jails>()) {
  if (rlimit limit{}; ::getrlimit(RLIMIT_NOFILE, &limit) == 0) descriptor_limit_ = limit.rlim_cur;
  const Account who = account_of(settings.user);
  user_ = who.name;
  uid_ = who.uid;
  gid_ = who.gid;
  groups_ = groups_of(who);
  home_ = who.home.empty() ? "/" : who.home;
  switches_ = uid_ != ::geteuid();
  if (switches_ && !may_become(uid_)) {
    throw Error(ErrorCode::invalid_argument, "this process may not become the user \"" + user_ +
                                                 "\": start it as root, or without a sandbox user");
  }
  workspace_ = settings.workspace.empty() ? home_ : fs::absolute(settings.workspace);
  shell_ = ::access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh";
  if (!fs::is_directory(workspace_)) create_workspace(*this, workspace_);
}

std::map<std::string, std::string> Sandbox::environment() const {
  std::map<std::string, std::string> env = {
      {"HOME", home_},
      {"USER", user_},
      {"LOGNAME", user_},
      {"SHELL", shell_},
      {"PATH",
       home_.string() + "/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      // Of C.UTF-8 it is all that is not plain C; a program that is to load the rest takes a tenth
      // of a millisecond longer to start.
      {"LC_CTYPE", "C.UTF-8"},
      {"PAGER", "cat"},
      {"GIT_PAGER", "cat"},
      {"MANPAGER", "cat"},
      {"SYSTEMD_PAGER", "cat"},
      {"TERM", "dumb"},
  };
  if (!display_.empty()) env["DISPLAY"] = display_;
  // Harmless words of the daemon's own environment that programs need to find the desktop and the
  // time.
  for (const char* name : {"TZ", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS"}) {
    const std::string value = environment_or(name, "");
    if (!value.empty()) env[name] = value;
  }
  const std::string runtime = "/run/user/" + std::to_string(uid_);
  if (::access(runtime.c_str(), F_OK) == 0) env["XDG_RUNTIME_DIR"] = runtime;
  return env;
}

fs::path Sandbox::resolve(const std::string& path) const {
  if (path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::invalid_argument, "the path contains a NUL byte");
  }
  if (path == "~") return home_;
  if (path.rfind("~/", 0) == 0) return home_ / path.substr(2);
  return path.empty() ? workspace_ : workspace_ / path;
}

AsUser::AsUser(const Sandbox& sandbox) {
  if (!sandbox.switches_user()) return;
  const int count = ::getgroups(0, nullptr);
  groups_.resize(static_cast<size_t>(count < 0 ? 0 : count));
  if (count > 0 && ::getgroups(count, groups_.data()) != count) {
    throw system_error("getgroups", errno);
  }
  // glibc's setgroups() changes every thread; the system call changes this one.
  if (::syscall(SYS_setgroups, sandbox.groups().size(), sandbox.groups().data()) != 0) {
    throw system_error("cannot take the groups of " + sandbox.user(), errno);
  }
  gid_ = static_cast<gid_t>(::setfsgid(sandbox.gid()));
  uid_ = static_cast<uid_t>(::setfsuid(sandbox.uid()));
  switched_ = true;
  // Neither call reports failure: an impossible id asks for the present one.
  const auto gid = static_cast<gid_t>(::setfsgid(static_cast<gid_t>(-1)));
  const auto uid = static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1)));
  if (gid != sandbox.gid() || uid != sandbox.uid()) {
    restore();
    throw Error(ErrorCode::internal, "cannot take the rights of the user " + sandbox.user());
  }
}

AsUser::~AsUser() {
  if (switched_) restore();
}

void AsUser::restore() {
  ::setfsuid(uid_);
  ::setfsgid(gid_);
  if (::syscall(SYS_setgroups, groups_.size(), groups_.data()) != 0) {
    log::error("cannot restore the supplementary groups of a thread");
  }
}

// glibc's seteuid() changes every thread; the system call changes this one.
AsPeer::AsPeer(const Sandbox& sandbox) : uid_(::geteuid()) {
  if (!sandbox.switches_user()) return;
  if (::syscall(SYS_setresuid, -1, sandbox.uid(), -1) != 0) {
    throw system_error("cannot become " + sandbox.user(), errno);
  }
  switched_ = true;
}

AsPeer::~AsPeer() {
  if (switched_ && ::syscall(SYS_setresuid, -1, uid_, -1) != 0) {
    log::error("cannot restore the effective user of a thread");
  }
}

}  // namespace selfagent
