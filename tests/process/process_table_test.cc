// Programs under their keepers: output, exit codes, input, signals, and what outlives the table.
#include "process/process_table.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <optional>
#include <thread>

#include "base/error.h"
#include "catch.h"
#include "process/scratch.h"

using namespace selfagent;
using namespace std::chrono_literals;

namespace {

struct Programs {
  Scratch scratch;
  Sandbox sandbox{{"", scratch.path(), ":77"}};
  ProcessTable::Settings settings;
  std::optional<ProcessTable> table;

  Programs() {
    settings.folder = scratch.path() / "processes";
    table.emplace(sandbox, settings);
  }
  ~Programs() {
    if (table) table->end_all(0ms);
  }

  static ProcessRequest bash(const std::string& command) {
    ProcessRequest request;
    request.argv = {"bash", "-c", command};
    request.command = command;
    return request;
  }
  ProcessPtr start(const std::string& command) const {
    return const_cast<ProcessTable&>(*table).start(bash(command));
  }
};

ProcessState end_of(const ProcessPtr& process) {
  return process->wait_for_end(Deadline::after(20s), {});
}
ProcessState exit_of(const ProcessPtr& process) {
  return process->wait([](const ProcessState& state) { return state.has_exited(); },
                       Deadline::after(20s), {});
}

std::string all(const ProcessPtr& process, std::optional<bool> error = {}) {
  std::string text;
  for (const OutputPiece& piece : process->read(0, 1u << 30).pieces) {
    if (!error || piece.error == *error) text += piece.bytes;
  }
  return text;
}

bool says(const ProcessPtr& process, const std::string& text) {
  process->wait(
      [&](const ProcessState& state) {
        return state.has_exited() || all(process).find(text) != std::string::npos;
      },
      Deadline::after(20s), {});
  return all(process).find(text) != std::string::npos;
}

/// The same as another user, where can_switch_users().
struct ProgramsOfNobody {
  Scratch scratch;
  Sandbox sandbox{{"nobody", scratch.path(), ":77"}};
  ProcessTable::Settings settings = [this] {
    ProcessTable::Settings made;
    made.folder = scratch.path() / "processes";
    return made;
  }();
  ProcessTable table{sandbox, settings};
};

bool alive(pid_t pid) { return ::kill(pid, 0) == 0; }

}  // namespace

TEST_CASE_METHOD(Programs, "exit codes and signals arrive, however fast the program ends") {
  for (int code = 0; code < 40; ++code) {
    const auto process = start("printf x; exit " + std::to_string(code));
    const ProcessState state = end_of(process);
    REQUIRE(state.phase == ProcessPhase::ended);
    REQUIRE(state.exit_code == code);
    REQUIRE(all(process) == "x");
  }
  const ProcessState killed = end_of(start("kill -9 $$"));
  REQUIRE(killed.exit_code == -1);
  REQUIRE(killed.signal == SIGKILL);
}

TEST_CASE_METHOD(Programs, "both streams are kept apart, whole and in order") {
  // Each piece is seen before the next is written: what comes together has no order.
  const auto process = start(
      "for i in 1 2 3; do echo out$i; until [ -e out$i ]; do sleep 0.01; done; "
      "echo err$i >&2; until [ -e err$i ]; do sleep 0.01; done; done; printf end");
  for (const char* piece : {"out1", "err1", "out2", "err2", "out3", "err3"}) {
    REQUIRE(says(process, piece));
    scratch.write(piece, "");
  }
  const ProcessState state = end_of(process);
  REQUIRE(all(process, false) == "out1\nout2\nout3\nend");
  REQUIRE(all(process, true) == "err1\nerr2\nerr3\n");
  REQUIRE(all(process) == "out1\nerr1\nout2\nerr2\nout3\nerr3\nend");
  REQUIRE(state.out_bytes == 18);
  REQUIRE(state.err_bytes == 15);
  REQUIRE(state.output_end == 33);
  // From any offset, as little at a time as one likes.
  std::string pieces;
  for (uint64_t at = 0; at < 33;) {
    const OutputRead read = process->read(at, 2);
    REQUIRE(read.missing.empty());
    for (const OutputPiece& piece : read.pieces) pieces += piece.bytes;
    REQUIRE(read.next > at);
    at = read.next;
  }
  REQUIRE(pieces == all(process));
}

TEST_CASE_METHOD(Programs, "bytes of any kind are kept as they are") {
  const auto process = start(R"(printf 'a\0b\xff\xfe'; printf '\xe2\x82' >&2)");
  end_of(process);
  REQUIRE(all(process, false) == std::string("a\0b\xff\xfe", 5));
  REQUIRE(all(process, true) == "\xe2\x82");
}

TEST_CASE_METHOD(Programs, "what cannot be started is told and leaves nothing") {
  ProcessRequest request;
  request.argv = {"no-such-program"};
  REQUIRE_THROWS_WITH(table->start(request), ContainsSubstring("no program \"no-such-program\""));
  request.argv = {"true"};
  request.cwd = "/no/such/folder";
  REQUIRE_THROWS_WITH(table->start(request), ContainsSubstring("/no/such/folder"));
  request.cwd.clear();
  request.argv = {"bash", "-c", std::string(200'000, 'x')};
  REQUIRE_THROWS_WITH(table->start(request), ContainsSubstring("too long"));
  REQUIRE(table->list().empty());
  REQUIRE(std::filesystem::is_empty(settings.folder));
  REQUIRE_THROWS_WITH(table->find("p1"), ContainsSubstring("no process \"p1\""));
}

TEST_CASE_METHOD(Programs, "a long output is bounded, and says what is missing") {
  settings.log_bytes = 1 << 20;
  settings.chunk_bytes = 128 << 10;
  settings.folder = scratch.path() / "small";
  table.emplace(sandbox, settings);
  const auto process = start("echo begin; head -c 10000000 /dev/zero | tr '\\0' x; echo end");
  REQUIRE(end_of(process).output_end == 10'000'010);
  const OutputRead read = process->read(0, 1u << 30);
  REQUIRE(read.next == 10'000'010);
  REQUIRE(read.missing.size() == 1);
  REQUIRE(read.missing[0].begin == 128 << 10);
  const std::string text = all(process);
  REQUIRE(text.starts_with("begin\nxxx"));
  REQUIRE(text.ends_with("xxxend\n"));
  REQUIRE(text.size() + (read.missing[0].end - read.missing[0].begin) == 10'000'010);
  uint64_t on_disk = 0;
  for (const auto& file : std::filesystem::directory_iterator(process->folder())) {
    on_disk += file.is_regular_file() ? file.file_size() : 0;
  }
  REQUIRE(on_disk < (1 << 20) + 4096);
}

TEST_CASE_METHOD(Programs, "input arrives, ends, and is refused where there is none") {
  ProcessRequest request = bash("cat; echo done");
  request.open_input = true;
  const auto process = table->start(request);
  process->write("hello\n");
  REQUIRE(says(process, "hello\n"));
  const std::string large(300'000, 'z');
  process->write(large);
  process->end_input();
  end_of(process);
  REQUIRE(all(process) == "hello\n" + large + "done\n");
  REQUIRE_THROWS_WITH(process->write("more"), ContainsSubstring("has ended"));

  const auto deaf = start("cat; echo got nothing");
  REQUIRE_THROWS_WITH(deaf->write("x"), ContainsSubstring("reads nothing"));
  end_of(deaf);
  REQUIRE(all(deaf) == "got nothing\n");

  // One that does not read yet: what does not fit is refused at once, and the rest is not lost.
  REQUIRE(::mkfifo((scratch / "gate").c_str(), 0600) == 0);
  request = bash("read x <gate; wc -c");
  request.open_input = true;
  const auto idle = table->start(request);
  const std::string part(65536, 'i');
  size_t given = 0;
  std::string refused;
  while (refused.empty() && given < 100 * part.size()) {
    try {
      idle->write(part);
      given += part.size();
    } catch (const Error& error) {
      refused = error.what();
    }
  }
  REQUIRE_THAT(refused, ContainsSubstring("has not taken"));
  scratch.write("gate", "\n");
  idle->wait([](const ProcessState& state) { return state.input_left == 0; }, Deadline::after(20s),
             {});
  idle->end_input();
  end_of(idle);
  REQUIRE(all(idle) == std::to_string(given) + "\n");
}

TEST_CASE_METHOD(Programs, "a terminal is one: size, control keys, no streams apart") {
  ProcessRequest request = bash(
      "tty >/dev/null && stty size; trap 'echo resized; stty size' WINCH; "
      "trap 'echo interrupted' INT; while read -r x; do echo \"<$x>\"; done; echo bye");
  request.terminal = true;
  request.rows = 30;
  request.columns = 100;
  const auto process = table->start(request);
  REQUIRE(says(process, "30 100"));
  process->write("line\n");
  REQUIRE(says(process, "<line>"));
  process->write("\x03");
  REQUIRE(says(process, "interrupted"));
  process->resize(40, 120);
  process->write("more\n");
  REQUIRE(says(process, "40 120"));
  process->end_input();
  REQUIRE(end_of(process).exit_code == 0);
  REQUIRE_THAT(all(process), ContainsSubstring("bye"));
  REQUIRE(process->state().err_bytes == 0);
}

TEST_CASE_METHOD(Programs,
                 "the end of the program is told while its children go on, whose output is kept") {
  const auto process = start("(until [ -e go ]; do sleep 0.01; done; echo late) & echo now");
  ProcessState state = exit_of(process);
  REQUIRE(state.phase == ProcessPhase::exited);
  REQUIRE(state.exit_code == 0);
  REQUIRE(all(process) == "now\n");
  scratch.write("go", "");
  state = end_of(process);
  REQUIRE(all(process) == "now\nlate\n");
  REQUIRE(state.phase == ProcessPhase::ended);
}

TEST_CASE_METHOD(Programs, "an end reaches what escaped its session and what ignores TERM") {
  const auto process = start(
      "setsid bash -c 'trap : TERM; echo $$ > a; sleep 1000; sleep 1000' & "
      "setsid setsid bash -c 'echo $$ > b; exec sleep 1000' & "
      "(setsid bash -c 'echo $$ > c; exec sleep 1000' &) ; "
      "until [ -s a ] && [ -s b ] && [ -s c ]; do sleep 0.01; done; echo ready; sleep 1000");
  REQUIRE(says(process, "ready"));
  std::vector<pid_t> pids;
  for (const char* name : {"a", "b", "c"}) pids.push_back(std::stoi(scratch.read(name)));
  for (const pid_t pid : pids) REQUIRE(alive(pid));
  process->end(200ms);
  REQUIRE(end_of(process).phase == ProcessPhase::ended);
  for (const pid_t pid : pids) REQUIRE_FALSE(alive(pid));
}

TEST_CASE("a fork bomb stays within its limit, and is ended") {
  // Without a limit for a user of its own it would take the machine with it.
  if (!can_switch_users()) return;
  ProgramsOfNobody nobody;
  ProcessRequest request = Programs::bash("f() { sleep 0.04; f & f & }; f; sleep 100");
  request.limits.processes = 150;
  const auto process = nobody.table.start(request);
  std::this_thread::sleep_for(500ms);
  process->end(0ms);
  REQUIRE(end_of(process).phase == ProcessPhase::ended);
}

TEST_CASE_METHOD(Programs, "limits hold") {
  ProcessRequest request = bash(
      "ulimit -v; ulimit -n; ulimit -t; nice; head -c 3000000 /dev/zero > big; echo $?; stat -c %s "
      "big");
  request.limits.memory_bytes = uint64_t{1} << 30;
  request.limits.files = 77;
  request.limits.cpu_s = 9;
  request.limits.file_bytes = 1 << 20;
  request.limits.nice = 5;
  const auto process = table->start(request);
  end_of(process);
  const std::string niceness = std::to_string(std::min(19, ::getpriority(PRIO_PROCESS, 0) + 5));
  REQUIRE_THAT(all(process, false), Catch::StartsWith("1048576\n77\n9\n" + niceness + "\n"));
  REQUIRE_THAT(all(process, false), Catch::EndsWith("\n1048576\n"));
}

TEST_CASE_METHOD(Programs, "everything goes on without the table, and a new one finds it again") {
  ProcessRequest request =
      bash("echo one; read -r x; echo \"two $x\"; (sleep 0.2; echo three) & exit 5");
  request.open_input = true;
  request.env = {{"SECRET", "value"}};
  const auto before = table->start(request);
  REQUIRE(says(before, "one\n"));
  const auto ended = start("echo gone; exit 3");
  end_of(ended);
  const std::string id = before->info().id;
  table.reset();  // hangs up; a killed daemon does the same
  table.emplace(sandbox, settings);
  const auto after = table->find(id);
  REQUIRE(after->state().phase == ProcessPhase::running);
  REQUIRE(after->state().output_end == 4);  // at once: a reader may come with its old offset
  REQUIRE(after->info().command == request.command);
  REQUIRE(after->info().environment == std::vector<std::string>{"SECRET"});
  after->write("again\n");
  const ProcessState state = end_of(after);
  REQUIRE(state.exit_code == 5);
  REQUIRE(all(after) == "one\ntwo again\nthree\n");
  const auto other = table->find(ended->info().id);
  REQUIRE(other->state().phase == ProcessPhase::ended);
  REQUIRE(other->state().exit_code == 3);
  REQUIRE(all(other) == "gone\n");
  REQUIRE(start("true")->info().id != id);
}

TEST_CASE_METHOD(Programs, "a process is found by the call that started it, also by a new table") {
  ProcessRequest request = bash("exec sleep 1000");
  request.call = "j-1/c1";
  const std::string id = table->start(request)->info().id;
  request.call = "j-1/c2";
  table->start(request);
  table->start(request);
  start("true");
  for (int round = 0; round < 2; ++round) {
    const ProcessPtr found = table->started_by("j-1/c1");
    REQUIRE(found);
    CHECK(found->info().id == id);
    CHECK_FALSE(table->started_by("j-1/c2"));  // which of them?
    CHECK_FALSE(table->started_by("j-1/c3"));
    CHECK_FALSE(table->started_by(""));
    table.reset();
    table.emplace(sandbox, settings);
  }
}

TEST_CASE_METHOD(Programs, "a process whose keeper was killed is lost, with its output") {
  const auto process = start("echo kept; sleep 1000");
  REQUIRE(says(process, "kept"));
  const std::string stat = [&] {
    std::ifstream file("/proc/" + std::to_string(process->state().pid) + "/stat");
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  const pid_t keeper = std::stoi(stat.substr(stat.rfind(')') + 4));
  ::kill(keeper, SIGKILL);
  REQUIRE(end_of(process).phase == ProcessPhase::lost);
  REQUIRE(all(process) == "kept\n");
  ::kill(process->state().pid, SIGKILL);
  table.emplace(sandbox, settings);
  REQUIRE(table->find(process->info().id)->state().phase == ProcessPhase::lost);
  REQUIRE(all(table->find(process->info().id)) == "kept\n");
}

TEST_CASE_METHOD(Programs, "a folder in which no program was begun is forgotten") {
  std::filesystem::create_directories(settings.folder / "p7");
  std::filesystem::create_directories(settings.folder / "p8");
  std::ofstream(settings.folder / "p8" / "info").close();
  table.emplace(sandbox, settings);
  REQUIRE(table->list().empty());
  REQUIRE(std::filesystem::is_empty(settings.folder));
  REQUIRE(start("true")->info().id == "p9");
}

TEST_CASE_METHOD(Programs, "what ended long ago is forgotten, with its files") {
  const auto process = start("true");
  end_of(process);
  settings.retention = std::chrono::hours(0);
  std::this_thread::sleep_for(5ms);
  table.emplace(sandbox, settings);
  REQUIRE(table->list().empty());
  REQUIRE(std::filesystem::is_empty(settings.folder));
}

TEST_CASE_METHOD(Programs,
                 "of too many that have ended, the oldest are forgotten, and none that runs") {
  settings.most_ended = 20;
  settings.folder = scratch.path() / "few";
  table.emplace(sandbox, settings);
  const auto running = start("sleep 1000");
  for (int i = 0; i < 40; ++i) end_of(start("true"));
  REQUIRE(eventually([&] { return table->list().size() <= 23; }));
  REQUIRE(table->find(running->info().id)->state().phase == ProcessPhase::running);
  REQUIRE(table->list().front()->info().id == "p41");
  const auto folders = [&] {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(settings.folder)) {
      ++count;
    }
    return count;
  };
  // They go a moment after their processes have left the list.
  REQUIRE(eventually([&] { return folders() <= 24; }));
}

TEST_CASE_METHOD(Programs, "many readers at once get every byte, and a slow one holds up nobody") {
  const auto process = start("for i in $(seq 20000); do echo line $i; done");
  std::vector<std::string> texts(6);
  {
    std::vector<std::jthread> readers;
    for (std::string& text : texts) {
      readers.emplace_back([&text, &process, slow = &text == &texts[0]] {
        uint64_t at = 0;
        while (true) {
          const ProcessState state = process->wait(
              [&](const ProcessState& now) { return now.output_end > at || now.is_over(); },
              Deadline::after(20s), {});
          const OutputRead read = process->read(at, slow ? 7000 : 65536);
          for (const OutputPiece& piece : read.pieces) text += piece.bytes;
          at = read.next;
          if (slow) std::this_thread::sleep_for(1ms);
          if (state.is_over() && at == state.output_end) break;
        }
      });
    }
  }
  for (const std::string& text : texts) REQUIRE(text == all(process));
  REQUIRE(all(process).ends_with("line 20000\n"));
}

TEST_CASE("a program under a keeper is the sandbox user, and cannot reach the keeper") {
  if (!can_switch_users()) return;
  ProgramsOfNobody nobody;
  ProcessRequest request;
  request.argv = {"bash", "-c",
                  "id -un; env | grep -c . ; kill -9 $PPID 2>&1; cat /proc/$PPID/environ 2>&1; ls "
                  "/proc/$PPID/fd 2>&1; "
                  "ls " +
                      nobody.settings.folder.string() + " 2>&1; ls /proc/self/fd; echo sure"};
  const auto process = nobody.table.start(request);
  REQUIRE(end_of(process).exit_code == 0);
  const std::string text = all(process);
  REQUIRE(text.starts_with("nobody\n"));
  REQUIRE_THAT(text, ContainsSubstring("Operation not permitted"));
  REQUIRE_THAT(text, ContainsSubstring("environ: Permission denied"));
  REQUIRE_THAT(text, ContainsSubstring("cannot open directory"));
  REQUIRE(text.ends_with("0\n1\n2\n3\nsure\n"));  // 3 is that of ls
}

namespace {

/// Children of this process that are called `name`.
std::vector<int> children_called(const std::string& name) {
  std::vector<int> pids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string pid;
    std::string called;
    std::string state;
    int parent = 0;
    if (!(file >> pid >> called >> state >> parent)) continue;
    if (parent == ::getpid() && called == "(" + name + ")" && state != "Z") {
      pids.push_back(std::stoi(pid));
    }
  }
  return pids;
}

}  // namespace

TEST_CASE_METHOD(Programs, "the next program is taken by a keeper that waits for it") {
  const auto spares = [] { return children_called("selfagent-spare"); };
  const auto keeper_of_one = [this] {
    const ProcessPtr process = start("echo $PPID");
    REQUIRE(end_of(process).is_over());
    return std::stoi(all(process));
  };
  // Nobody has started anything, but that of the test before may still be ending.
  REQUIRE(eventually([&] { return spares().empty(); }));
  keeper_of_one();
  REQUIRE(eventually([&] { return spares().size() == 1; }));
  const int waiting = spares().front();
  // It says that it is ready a moment after it has this name.
  REQUIRE(eventually([&] { return keeper_of_one() == waiting; }));
  REQUIRE(eventually([&] { return spares().size() == 1; }));
  const int killed = spares().front();
  ::kill(killed, SIGKILL);
  REQUIRE(eventually([&] { return spares().empty(); }));
  CHECK(keeper_of_one() != killed);  // one that is gone is no obstacle
  REQUIRE(eventually([&] { return spares().size() == 1; }));
  table.reset();
  CHECK(eventually([&] { return spares().empty(); }));
}

TEST_CASE_METHOD(Programs, "a keeper that waits is no process, and leaves nothing behind") {
  const auto spares = [] { return children_called("selfagent-spare"); };
  const auto folders = [this] {
    const auto all = std::filesystem::directory_iterator(settings.folder);
    return std::distance(begin(all), end(all));
  };
  REQUIRE(end_of(start("true")).is_over());
  REQUIRE(eventually([&] { return spares().size() == 1; }));
  CHECK(table->list().size() == 1);
  // Gone together with its daemon, as the next one sees it.
  ::kill(spares().front(), SIGKILL);
  REQUIRE(eventually([&] { return spares().empty(); }));
  CHECK(folders() == 2);
  {
    ProcessTable next(sandbox, settings);
    CHECK(next.list().size() == 1);
    CHECK(folders() == 1);
    REQUIRE(end_of(next.start(bash("true"))).is_over());
    REQUIRE(eventually([&] { return spares().size() == 1; }));
    CHECK(folders() == 3);
  }
  CHECK(folders() == 2);
}

TEST_CASE_METHOD(Programs, "what a keeper that waited keeps is found again, however it was asked") {
  const auto spares = [] { return children_called("selfagent-spare"); };
  REQUIRE(end_of(start("true")).is_over());
  REQUIRE(eventually([&] { return spares().size() == 1; }));
  // Longer than a message may be.
  const std::string filler(100'000, '#');
  ProcessPtr running;
  SECTION("by a message") { running = start("echo here; exec sleep 1000"); }
  SECTION("by a file") { running = start("echo here; exec sleep 1000 " + filler); }
  SECTION("after one that was killed") {
    ::kill(spares().front(), SIGKILL);
    REQUIRE(eventually([&] { return spares().empty(); }));
    running = start("echo here; exec sleep 1000");
  }
  REQUIRE(running);
  REQUIRE(eventually([&] { return all(running) == "here\n"; }));
  const std::string id = running->info().id;
  table.reset();
  table.emplace(sandbox, settings);
  const ProcessPtr found = table->find(id);
  CHECK(found->state().phase == ProcessPhase::running);
  CHECK(all(found) == "here\n");
  found->end(0ms);
  CHECK(end_of(found).signal == SIGKILL);
}

TEST_CASE_METHOD(Programs, "a process that has just ended can be forgotten at once") {
  for (int i = 0; i < 50; ++i) {
    const ProcessPtr process = start("echo " + std::to_string(i));
    REQUIRE(end_of(process).exit_code == 0);
    const auto folder = process->folder();
    table->forget(process->info().id);
    REQUIRE_FALSE(std::filesystem::exists(folder));
  }
}

TEST_CASE_METHOD(Programs, "what is being started when the table is closed is ended, too") {
  // A keeper that comes to its work when the test says so.
  const std::string file = scratch / "keeper";
  scratch.write("keeper", "#!/bin/bash\n[ \"$1\" ] && exit\ntouch " + (scratch / "waits") +
                              "\nuntil [ -e " + (scratch / "go") +
                              " ]; do sleep 0.01; done\nexec " + keeper_program().string());
  std::filesystem::permissions(file, std::filesystem::perms::all);
  table.reset();
  settings.keeper = file;
  table.emplace(sandbox, settings);
  std::string refused;
  std::thread starter([&] {
    try {
      start("echo $$ > pid; exec sleep 1000");
    } catch (const Error& error) {
      refused = error.what();
    }
  });
  const bool waits = eventually([&] { return std::filesystem::exists(scratch / "waits"); });
  table->close(0ms);
  scratch.write("go", "");
  starter.join();
  REQUIRE(waits);
  CHECK(refused == "the daemon stops: no program is started");
  REQUIRE(table->list().size() == 1);
  CHECK(end_of(table->list().front()).is_over());
  CHECK_THROWS_WITH(start("true"), ContainsSubstring("the daemon stops"));
}
