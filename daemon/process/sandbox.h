// The world in which tools act: which user they are, where their files are, how they start
// programs.
//
// The model's hands must not reach the daemon's pockets: when the daemon runs as root with a
// sandbox user, every process it starts for a tool runs as that user (setresuid, supplementary
// groups, minimal environment, no inherited descriptors), and every file it touches for a tool is
// touched with that user's rights (AsUser).
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace selfagent {

class Jails;   // process/jail.h
class Reaper;  // process/reaper.h

/// Who tools are. Constant after construction; thread-safe.
class Sandbox {
 public:
  struct Settings {
    std::string user;                 ///< Name of the sandbox user; "" is the user of this process.
    std::filesystem::path workspace;  ///< Relative paths of tools start here; created if missing.
    std::string display;              ///< DISPLAY for started programs, e.g. ":1".
  };

  /// Throws Error(invalid_argument) for an unknown user, or if this process may not become it.
  explicit Sandbox(Settings settings);

  /// True if tools run as another user than this process.
  bool switches_user() const { return switches_; }
  const std::string& user() const { return user_; }
  uid_t uid() const { return uid_; }
  gid_t gid() const { return gid_; }
  const std::vector<gid_t>& groups() const { return groups_; }
  const std::filesystem::path& home() const { return home_; }
  const std::filesystem::path& workspace() const { return workspace_; }
  const std::string& shell() const { return shell_; }
  /// How many descriptors started programs may have: the limit of this process when this was made.
  rlim_t descriptor_limit() const { return descriptor_limit_; }

  /// The environment of started programs: HOME, USER, LOGNAME, PATH, LC_CTYPE, DISPLAY, SHELL,
  /// TERM=dumb, pagers off, XDG_RUNTIME_DIR if it exists; of the daemon's own nothing but TZ,
  /// XAUTHORITY and DBUS_SESSION_BUS_ADDRESS.
  std::map<std::string, std::string> environment() const;

  /// `path` made absolute: "~" is home, relative ones start in the workspace. Does not touch the
  /// file system. Throws Error(invalid_argument) for a path with a NUL byte.
  std::filesystem::path resolve(const std::string& path) const;

  /// What looks after programs that outlive the call that started them.
  Reaper& reaper() const { return *reaper_; }

  /// What makes jails for programs that need one.
  Jails& jails() const { return *jails_; }

 private:
  std::string user_;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  std::vector<gid_t> groups_;
  std::filesystem::path home_;
  std::filesystem::path workspace_;
  std::string shell_;
  std::string display_;
  rlim_t descriptor_limit_ = 1024;
  bool switches_ = false;
  std::shared_ptr<Reaper> reaper_;
  std::shared_ptr<Jails> jails_;
};

/// While alive, file system access of this thread has the sandbox user's rights (setfsuid,
/// setfsgid, setgroups of this thread alone). Does nothing if the sandbox does not switch users.
/// Must end on the thread it began on. Source: setfsuid(2), credentials(7): credentials are an
/// attribute of the thread.
class AsUser {
 public:
  /// Throws Error(internal) if the rights could not be taken.
  explicit AsUser(const Sandbox& sandbox);
  ~AsUser();
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;

 private:
  void restore();

  bool switched_ = false;
  uid_t uid_ = 0;  // what this thread had before
  gid_t gid_ = 0;
  std::vector<gid_t> groups_;
};

/// While alive, a server to which this thread connects a unix socket takes it for the sandbox user
/// (SO_PEERCRED): message buses talk to their owner alone. The real and the saved user stay, so
/// that the sandbox user can neither trace nor signal the thread. Does nothing if the sandbox does
/// not switch users. Source: unix(7), credentials(7), kill(2), ptrace(2).
class AsPeer {
 public:
  /// Throws Error(internal) if it could not be taken.
  explicit AsPeer(const Sandbox& sandbox);
  ~AsPeer();
  AsPeer(const AsPeer&) = delete;
  AsPeer& operator=(const AsPeer&) = delete;

 private:
  bool switched_ = false;
  uid_t uid_ = 0;  // what this thread had before
};

}  // namespace selfagent
