// What a writer leaves that is killed, and who removes it.
#include "process/temporary_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <set>

#include "process/files.h"
#include "scratch.h"

namespace selfagent {
namespace {

/// Runs `action` in a process of its own. Returns the signal that killed it, 0 if none did.
int killed_by(const std::function<void()>& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    action();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/// The kernel kills this process (SIGXFSZ) as soon as it writes beyond the first MiB of a file.
void die_in_the_middle_of_a_write() {
  std::signal(SIGXFSZ, SIG_DFL);
  const rlimit limits{1 << 20, 1 << 20};
  ::setrlimit(RLIMIT_FSIZE, &limits);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
}

std::set<std::string> names_in(const Scratch& scratch) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(scratch.path())) {
    names.insert(entry.path().filename());
  }
  return names;
}

UniqueFd open_folder(const Scratch& scratch) {
  return UniqueFd(::open(scratch.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

const std::string large(4u << 20, 'n');

}  // namespace

TEST_CASE("a writer that is killed in the middle leaves nothing") {
  const Scratch scratch;
  const Sandbox sandbox({"", scratch.path(), ""});
  scratch.write("there", "old");
  for (const char* name : {"there", "new"}) {
    CHECK(killed_by([&] {
            die_in_the_middle_of_a_write();
            Files(sandbox).write(scratch / name, large);
          }) == SIGXFSZ);
    CHECK(names_in(scratch) == std::set<std::string>{"there"});
  }
  CHECK(scratch.read("there") == "old");
}

TEST_CASE("a new file never had another name, and one that is replaced has its own at once") {
  const Scratch scratch;
  const UniqueFd folder = open_folder(scratch);
  TemporaryFile file = open_temporary(folder.get());
  REQUIRE(file.fd);
  if (file.named) {
    std::cerr << "SKIPPED: the temporary folder knows no files without names\n";
    return;
  }
  CHECK(names_in(scratch).empty());
  CHECK(link_temporary(file.fd.get(), folder.get(), "a"));
  CHECK_FALSE(link_temporary(file.fd.get(), folder.get(), "a"));
  CHECK(errno == EEXIST);
  TemporaryFile next = open_temporary(folder.get());
  CHECK(rename_temporary(next, folder.get(), "a"));
  CHECK(names_in(scratch) == std::set<std::string>{"a"});
}

TEST_CASE(
    "what killed writers left is removed by the next write in that folder, by name and lock") {
  const Scratch scratch;
  const Sandbox sandbox({"", scratch.path(), ""});
  const UniqueFd folder = open_folder(scratch);
  // One between its two names, and one on a file system that knows no other files.
  CHECK(killed_by([&] {
          const TemporaryFile file = open_temporary(folder.get());
          link_temporary(file.fd.get(), folder.get(), file.name);
          std::raise(SIGKILL);
        }) == SIGKILL);
  CHECK(killed_by([&] {
          const TemporaryFile file = open_named_temporary(folder.get());
          std::raise(SIGKILL);
        }) == SIGKILL);
  CHECK(names_in(scratch).size() == 2);
  TemporaryFile of_living_writer = open_named_temporary(folder.get());
  scratch.write(".selfagent-mine.tmp", "");
  scratch.write(".selfagent-0123456789abcdef-10.part", "");
  Files(sandbox).write(scratch / "a", "text");
  CHECK(names_in(scratch) == std::set<std::string>{of_living_writer.name,
                                                   ".selfagent-0123456789abcdef-10.part",
                                                   ".selfagent-mine.tmp", "a"});
  CHECK(rename_temporary(of_living_writer, folder.get(), "b"));
}

}  // namespace selfagent
