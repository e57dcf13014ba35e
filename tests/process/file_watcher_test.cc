#include "process/file_watcher.h"

#include <atomic>
#include <semaphore>

#include "base/error.h"
#include "scratch.h"

namespace selfagent {

namespace {

namespace fs = std::filesystem;

struct Watching {
  Scratch folder;
  Sandbox sandbox{{"", folder.path(), ""}};
  FileWatcher watcher{sandbox, milliseconds(0)};
  std::atomic<int> told{0};

  std::unique_ptr<FileWatcher::Watch> watch(const std::string& path) {
    return watcher.add(folder.path(), folder.path() / path, [this] { ++told; });
  }

  /// True if `change` is told of.
  bool tells(const std::function<void()>& change) {
    const int before = told;
    change();
    return eventually([&] { return told > before; });
  }

  /// Returns when everything until now has been told: after the second news of another file, as
  /// all that was heard with the first is told before more is heard.
  void settle() {
    std::atomic<int> heard{0};
    const auto marker = watcher.add(folder.path(), folder.path() / "marker", [&heard] { ++heard; });
    for (int round = 1; round <= 2; ++round) {
      const int before = heard;
      folder.write("marker", std::to_string(round));
      REQUIRE(eventually([&] { return heard > before; }));
    }
  }
};

}  // namespace

TEST_CASE_METHOD(Watching, "a file that is written, replaced, removed and comes again is told of") {
  folder.write("a.txt", "old");
  const auto watch = this->watch("a.txt");
  CHECK(tells([&] { folder.write("a.txt", "new"); }));
  CHECK(tells([&] {
    folder.write("b.txt", "newer");
    fs::rename(folder.path() / "b.txt", folder.path() / "a.txt");
  }));
  CHECK(tells([&] { fs::remove(folder.path() / "a.txt"); }));
  CHECK(tells([&] { folder.write("a.txt", "again"); }));
  CHECK(tells([&] { std::ofstream(folder / "a.txt", std::ios::app) << "more"; }));
}

TEST_CASE_METHOD(Watching, "other files are not told of") {
  folder.write("a.txt", "old");
  folder.write("deep/b.txt", "old");
  const auto watch = this->watch("a.txt");
  folder.write("deep/b.txt", "new");
  folder.write("a.txt.bak", "new");
  settle();
  CHECK(told == 0);
}

TEST_CASE_METHOD(Watching, "what is not there yet is told of when it comes, its folders too") {
  const auto watch = this->watch("build/out/log.txt");
  CHECK(tells([&] { folder.write("build/out/log.txt", "1"); }));
  CHECK(tells([&] { folder.write("build/out/log.txt", "2"); }));
  CHECK(tells([&] { fs::remove_all(folder.path() / "build"); }));
  CHECK(tells([&] { folder.write("build/out/log.txt", "3"); }));
  CHECK(tells([&] { fs::rename(folder.path() / "build", folder.path() / "old"); }));
  // The folder that has moved away is another one now.
  settle();
  const int before = told;
  folder.write("old/out/log.txt", "4");
  settle();
  CHECK(told == before);
}

TEST_CASE_METHOD(Watching, "of a folder the names in it are told of") {
  folder.write("src/a.cc", "");
  const auto watch = this->watch("src/");
  CHECK(tells([&] { folder.write("src/b.cc", ""); }));
  CHECK(tells([&] { fs::remove(folder.path() / "src/a.cc"); }));
  CHECK(tells([&] { fs::rename(folder.path() / "src/b.cc", folder.path() / "src/c.cc"); }));
}

TEST_CASE_METHOD(Watching,
                 "of a symlink what it points to is told of, too, wherever it points next") {
  folder.write("data/v1.txt", "1");
  folder.write("data/v2.txt", "2");
  fs::create_symlink("data/v1.txt", folder / "data.lnk");
  fs::create_symlink(folder / "data.lnk", folder / "latest");
  const auto watch = this->watch("latest");
  CHECK(tells([&] { folder.write("data/v1.txt", "new"); }));
  folder.write("data/v2.txt", "new");
  settle();
  const int before = told;
  folder.write("data/v2.txt", "newer");
  settle();
  CHECK(told == before);
  const auto link_to = [&](const char* target) {
    fs::create_symlink(target, folder / "next");
    fs::rename(folder.path() / "next", folder.path() / "data.lnk");
  };
  CHECK(tells([&] { link_to("data/v2.txt"); }));
  CHECK(tells([&] { folder.write("data/v2.txt", "newest"); }));
  CHECK(tells([&] { link_to("to/come.txt"); }));
  CHECK(tells([&] { folder.write("to/come.txt", "here"); }));
  CHECK(tells([&] { fs::remove_all(folder.path() / "to"); }));
}

TEST_CASE_METHOD(Watching,
                 "a symlink that leads out of the root, or in a circle, is all that is watched") {
  const Scratch elsewhere;
  elsewhere.write("a.txt", "old");
  fs::create_symlink(elsewhere / "a.txt", folder / "out");
  fs::create_symlink("circle", folder / "circle");
  const auto out = this->watch("out");
  const auto circle = this->watch("circle");
  elsewhere.write("a.txt", "new");
  settle();
  CHECK(told == 0);
  CHECK(tells([&] { fs::remove(folder.path() / "out"); }));
  CHECK(tells([&] { fs::remove(folder.path() / "circle"); }));
}

TEST_CASE("two changes within the interval are told of at its end") {
  const Scratch folder;
  const Sandbox sandbox({"", folder.path(), ""});
  FileWatcher watcher(sandbox, milliseconds(200));
  std::mutex mutex;
  std::vector<Clock::time_point> times;
  const auto watch = watcher.add(folder.path(), folder.path() / "a.txt", [&] {
    const std::lock_guard lock(mutex);
    times.push_back(Clock::now());
  });
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return times.size();
  };
  folder.write("a.txt", "1");
  REQUIRE(eventually([&] { return count() == 1; }));
  folder.write("a.txt", "2");
  REQUIRE(eventually([&] { return count() == 2; }));
  CHECK(times[1] - times[0] >= milliseconds(200));
}

TEST_CASE("the end of a watch waits for what it is telling") {
  const Scratch folder;
  const Sandbox sandbox({"", folder.path(), ""});
  FileWatcher watcher(sandbox, milliseconds(0));
  std::binary_semaphore begun(0);
  std::binary_semaphore go(0);
  std::atomic<bool> done{false};
  auto watch = watcher.add(folder.path(), folder.path() / "a.txt", [&] {
    begun.release();
    go.acquire();
    done = true;
  });
  folder.write("a.txt", "1");
  begun.acquire();
  bool waited = false;
  std::jthread ending([&] {
    watch.reset();
    waited = done;
  });
  go.release();
  ending.join();
  CHECK(waited);
}

TEST_CASE("a root that is no folder is refused") {
  const Scratch folder;
  const Sandbox sandbox({"", folder.path(), ""});
  FileWatcher watcher(sandbox);
  CHECK_THROWS_WITH(watcher.add(folder.path() / "none", folder.path() / "none/a", [] {}),
                    ContainsSubstring("is not a readable folder"));
}

}  // namespace selfagent
