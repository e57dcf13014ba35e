#include "process/sandbox.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "scratch.h"

namespace selfagent {

TEST_CASE("paths are relative to the workspace, ~ is home") {
  const Scratch scratch;
  const Sandbox sandbox({"", scratch / "work", ""});
  CHECK(sandbox.resolve("a/b") == scratch / "work/a/b");
  CHECK(sandbox.resolve("") == scratch / "work");
  CHECK(sandbox.resolve("/etc/hosts") == "/etc/hosts");
  CHECK(sandbox.resolve("~") == sandbox.home());
  CHECK(sandbox.resolve("~/x") == sandbox.home() / "x");
  CHECK(sandbox.resolve("~x") == scratch / "work/~x");
  CHECK_THROWS_AS(sandbox.resolve(std::string("a\0b", 3)), Error);
  CHECK(std::filesystem::is_directory(scratch / "work"));
  CHECK_FALSE(sandbox.switches_user());
}

TEST_CASE("an unknown sandbox user is named") {
  CHECK_THROWS_WITH(Sandbox({"no-such-user", "", ""}), ContainsSubstring("no-such-user"));
}

TEST_CASE("a workspace that cannot be made is named") {
  const Scratch scratch;
  scratch.write("file", "");
  CHECK_THROWS_WITH(Sandbox({"", scratch / "file/work", ""}), ContainsSubstring("file/work"));
}

TEST_CASE("a workspace in a folder of root is made for the sandbox user") {
  if (!can_switch_users()) return;
  const Scratch scratch;
  std::filesystem::create_directory(scratch / "closed");
  std::filesystem::permissions(scratch / "closed", std::filesystem::perms(0755));
  const Sandbox sandbox({"nobody", scratch / "closed/work", ""});
  struct stat info{};
  REQUIRE(::stat((scratch / "closed/work").c_str(), &info) == 0);
  CHECK(info.st_uid == sandbox.uid());
  std::filesystem::create_symlink("closed", scratch / "link");
  CHECK_THROWS_AS(Sandbox({"nobody", scratch / "link/other", ""}), Error);
}

TEST_CASE("as the user, a thread may not open what is root's, and other threads may") {
  if (!can_switch_users()) return;
  const Scratch scratch;
  const Sandbox sandbox({"nobody", scratch.path(), ""});
  scratch.write("secret", "s");
  ::chmod((scratch / "secret").c_str(), 0600);
  const auto can_open = [&] {
    return static_cast<bool>(UniqueFd(::open((scratch / "secret").c_str(), O_RDONLY)));
  };
  CHECK(can_open());
  {
    const AsUser as_user(sandbox);
    CHECK_FALSE(can_open());
    CHECK(errno == EACCES);
    bool other = false;
    std::thread([&] { other = can_open(); }).join();
    // A new thread inherits the rights of the one that started it.
    CHECK_FALSE(other);
    {
      const AsUser again(sandbox);
      CHECK_FALSE(can_open());
    }
    CHECK_FALSE(can_open());
    const UniqueFd mine(::open((scratch / "mine").c_str(), O_WRONLY | O_CREAT, 0644));
    struct stat info{};
    ::fstat(mine.get(), &info);
    CHECK(info.st_uid == sandbox.uid());
    CHECK(info.st_gid == sandbox.gid());
  }
  CHECK(can_open());
}

TEST_CASE("threads that switch at the same time do not disturb each other") {
  if (!can_switch_users()) return;
  const Scratch scratch;
  const Sandbox sandbox({"nobody", scratch.path(), ""});
  scratch.write("secret", "s");
  ::chmod((scratch / "secret").c_str(), 0600);
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 500; ++i) {
          std::optional<AsUser> as_user;
          if (t % 2 == 0) as_user.emplace(sandbox);
          const UniqueFd fd(::open((scratch / "secret").c_str(), O_RDONLY));
          if (static_cast<bool>(fd) == (t % 2 == 0)) ++wrong;
        }
      });
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("the groups of the daemon are given up as well") {
  if (!can_switch_users()) return;
  const Scratch scratch;
  const Sandbox sandbox({"nobody", scratch.path(), ""});
  scratch.write("group", "g");
  ::chown((scratch / "group").c_str(), 0, 0);
  ::chmod((scratch / "group").c_str(), 0640);
  const AsUser as_user(sandbox);
  CHECK(::open((scratch / "group").c_str(), O_RDONLY) == -1);
}

TEST_CASE("as a peer, a thread connects as the sandbox user, and is root for all else") {
  if (!can_switch_users()) return;
  const Scratch scratch;
  const Sandbox sandbox({"nobody", scratch.path(), ""});
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (scratch / "socket").copy(address.sun_path, sizeof address.sun_path - 1);
  const auto* const at = reinterpret_cast<const sockaddr*>(&address);
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(listener.get(), at, sizeof address) == 0);
  REQUIRE(::listen(listener.get(), 4) == 0);
  ::chmod(address.sun_path, 0777);
  const auto peer = [&] {
    const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(client.get(), at, sizeof address) == 0);
    const UniqueFd server(::accept(listener.get(), nullptr, nullptr));
    ucred who{};
    socklen_t size = sizeof who;
    REQUIRE(::getsockopt(server.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) == 0);
    return who.uid;
  };
  {
    const AsPeer as_peer(sandbox);
    CHECK(peer() == sandbox.uid());
    uid_t real = 1;
    uid_t effective = 1;
    uid_t saved = 1;
    REQUIRE(::getresuid(&real, &effective, &saved) == 0);
    CHECK(real == 0);
    CHECK(saved == 0);
  }
  CHECK(peer() == 0);
}

}  // namespace selfagent
