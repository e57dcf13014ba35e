// What a page sees of programs under their keepers, with a socket that remembers.
#include "net/terminal_viewer.h"

#include <sys/stat.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <thread>

#include "catch.h"
#include "process/process_table.h"
#include "process/scratch.h"

using namespace selfagent;
using namespace std::chrono_literals;

namespace {

/// Joins the output and tells what came with it.
class TerminalClient : public WebSocket {
 public:
  void send_text(std::string text) override {
    const std::lock_guard lock(mutex_);
    const Json message = parse_json(text);
    if (message["type"] == "missing") {
      gaps_ += message["end"].get<uint64_t>() - message["begin"].get<uint64_t>();
      in_order_ = in_order_ && message["begin"].get<uint64_t>() == next_;
      next_ = message["end"].get<uint64_t>();
    }
    texts_.push_back(message);
    changed_.notify_all();
  }
  void send_binary(std::string bytes) override {
    const std::lock_guard lock(mutex_);
    uint64_t offset = 0;
    for (size_t i = 0; i < 8; ++i) offset = offset << 8 | static_cast<unsigned char>(bytes[i]);
    if ((offset >> 63) != 0) errors_ += bytes.size() - 8;
    offset &= ~(uint64_t{1} << 63);
    in_order_ = in_order_ && offset == next_;
    next_ = offset + bytes.size() - 8;
    output_ += bytes.substr(8);
    changed_.notify_all();
  }
  size_t queued() const override { return 0; }
  void close(int code, const std::string&) override {
    const std::lock_guard lock(mutex_);
    code_ = code;
    changed_.notify_all();
  }

  bool within_20_s(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, condition);
  }
  bool shows(const std::string& text) {
    return within_20_s([&] { return output_.find(text) != std::string::npos; });
  }
  bool has(uint64_t next) {
    return within_20_s([&] { return next_ >= next; });
  }
  bool is_closed() {
    return within_20_s([&] { return code_ != 0; });
  }
  /// The first text message of `type`; null if none comes.
  Json said(const std::string& type) {
    Json found;
    within_20_s([&] {
      for (const Json& text : texts_) {
        if (text["type"] == type) found = text;
        if (!found.is_null()) return true;
      }
      return false;
    });
    return found;
  }
  uint64_t next() {
    const std::lock_guard lock(mutex_);
    return next_;
  }

  // Read when closed, or by conditions:
  std::string output_;
  std::vector<Json> texts_;
  uint64_t next_ = 0;
  uint64_t gaps_ = 0;
  uint64_t errors_ = 0;
  bool in_order_ = true;  // without a gap and without a repetition
  int code_ = 0;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

/// A viewer with its thread.
class Watching {
 public:
  explicit Watching(const ProcessPtr& process, uint64_t from = 0)
      : viewer(std::make_shared<TerminalViewer>(
            process, from,
            [this](const TerminalViewer&, TerminalSize size) { columns = size.columns; })) {
    client->next_ = from;
    thread_ = std::thread([this] { viewer->run(client); });
  }
  ~Watching() {
    viewer->close();
    thread_.join();
  }

  void type(const std::string& bytes) const { viewer->receive(bytes, true); }
  void order(const Json& order) const { viewer->receive(dump_json(order), false); }
  /// Takes all that comes until the end.
  bool read_to_the_end() const {
    uint64_t taken = 0;
    do {
      taken = client->next();
      order({{"type", "taken"}, {"offset", taken}});
      if (!client->within_20_s([&] { return client->next_ > taken || client->code_ != 0; })) {
        return false;
      }
    } while (client->next() > taken);
    return client->in_order_;
  }

  std::shared_ptr<TerminalClient> client = std::make_shared<TerminalClient>();
  std::shared_ptr<TerminalViewer> viewer;
  std::atomic<int> columns = 0;

 private:
  std::thread thread_;
};

struct TerminalPrograms {
  Scratch scratch;
  Sandbox sandbox{{"", scratch.path(), ":77"}};
  ProcessTable table;

  explicit TerminalPrograms(uint64_t log_bytes = 1 << 30, uint64_t chunk_bytes = 32 << 20)
      : table(sandbox, settings(scratch, log_bytes, chunk_bytes)) {}
  ~TerminalPrograms() { table.end_all(0ms); }

  static ProcessTable::Settings settings(const Scratch& scratch, uint64_t log_bytes,
                                         uint64_t chunk_bytes) {
    ProcessTable::Settings made;
    made.folder = scratch.path() / "processes";
    made.log_bytes = log_bytes;
    made.chunk_bytes = chunk_bytes;
    return made;
  }
  ProcessPtr start(const std::string& command, bool terminal = true) {
    ProcessRequest request;
    request.argv = {"bash", "-c", command};
    request.command = command;
    request.terminal = terminal;
    return table.start(request);
  }
};

}  // namespace

TEST_CASE("what is typed arrives, what is written is shown, and the end is told last") {
  TerminalPrograms programs;
  const Watching watching(programs.start("read name; echo \"hello $name\"; exit 3"));
  const Json greeting = watching.client->said("attached");
  CHECK(greeting["terminal"] == true);
  CHECK(greeting["state"] == "running");
  watching.type("wor");
  watching.type("ld\n");
  CHECK(watching.client->shows("hello world\r\n"));
  REQUIRE(watching.client->is_closed());
  CHECK(watching.client->code_ == 1000);
  const Json& last = watching.client->texts_.back();
  CHECK(last["type"] == "state");
  CHECK(last["state"] == "ended");
  CHECK(last["exit_code"] == 3);
  CHECK(last["output_end"] == watching.client->next_);
}

TEST_CASE("a new size reaches the program and the other viewers") {
  TerminalPrograms programs;
  const ProcessPtr process =
      programs.start("trap 'stty size' WINCH; echo ready; while :; do read -t 1 x; done");
  const Watching watching(process);
  REQUIRE(watching.client->shows("ready"));
  watching.order({{"type", "resize"}, {"rows", 31}, {"columns", 101}});
  CHECK(watching.client->shows("31 101"));
  CHECK(eventually([&] { return watching.columns == 101; }));
  const Watching other(process);
  other.viewer->tell({31, 101});
  CHECK(other.client->said("size")["columns"] == 101);
}

TEST_CASE("a client that shows nothing costs one window and holds up nobody") {
  TerminalPrograms programs;
  constexpr uint64_t total = 5'000'000;
  const ProcessPtr process =
      programs.start("head -c " + std::to_string(total) + " /dev/zero | tr '\\0' x", false);
  const Watching stalled(process);
  const Watching reader(process);
  REQUIRE(reader.read_to_the_end());
  CHECK(reader.client->output_ == std::string(total, 'x'));
  REQUIRE(stalled.client->has(TerminalViewer::window_bytes));
  CHECK(stalled.client->next() == TerminalViewer::window_bytes);
  // It may not say that it has shown what it never got.
  stalled.order({{"type", "taken"}, {"offset", total}});
  REQUIRE(stalled.client->has(2 * TerminalViewer::window_bytes));
  CHECK(stalled.client->next() == 2 * TerminalViewer::window_bytes);
  REQUIRE(stalled.read_to_the_end());
  CHECK(stalled.client->output_ == std::string(total, 'x'));
}

TEST_CASE("a reader begins at any byte, and both streams come in one order") {
  TerminalPrograms programs;
  const ProcessPtr process = programs.start("printf abc; printf def >&2", false);
  process->wait_for_end(Deadline::after(20s), {});
  const Watching watching(process, 2);
  REQUIRE(watching.client->is_closed());
  CHECK(watching.client->output_.size() == 4);
  CHECK(watching.client->errors_ == (watching.client->output_ == "cdef" ? 3 : 1));
}

TEST_CASE("what is no longer in the log is said to be missing") {
  TerminalPrograms programs(1 << 20, 128 << 10);
  const ProcessPtr process =
      programs.start("head -c 4000000 /dev/zero | tr '\\0' y; printf end", false);
  process->wait_for_end(Deadline::after(20s), {});
  const Watching watching(process);
  REQUIRE(watching.read_to_the_end());
  CHECK(watching.client->gaps_ > 2'000'000);
  CHECK(watching.client->next_ == 4'000'003);
  CHECK(watching.client->output_.ends_with("yend"));
}

TEST_CASE("what a program has not read yet waits, and what is too much is refused") {
  TerminalPrograms programs;
  REQUIRE(::mkfifo((programs.scratch / "gate").c_str(), 0600) == 0);
  const ProcessPtr process = programs.start(
      "stty raw -echo; echo ready; read x <gate; head -c 4194304 | sha256sum; echo done");
  const Watching watching(process);
  REQUIRE(watching.client->shows("ready"));
  std::string all;
  for (int i = 0; i < 5; ++i) {
    std::string part(1 << 20, 'a');
    for (size_t at = 0; at < part.size(); at += 97) part[at] = static_cast<char>('b' + i);
    watching.type(part);
    if (i < 4) all += part;
  }
  const Json refusal = watching.client->said("error");
  REQUIRE(!refusal.is_null());
  CHECK(refusal["code"] == "resource_exhausted");
  CHECK_THAT(refusal["message"].get<std::string>(), ContainsSubstring("these 1048576 are dropped"));
  programs.scratch.write("gate", "\n");
  REQUIRE(watching.client->shows("done"));
  CHECK(watching.client->output_.find(sha256_hex(all)) != std::string::npos);
}

TEST_CASE("nothing is typed into what has no terminal, and bad orders are answered") {
  TerminalPrograms programs;
  const Watching watching(programs.start("sleep 100", false));
  watching.type("x");
  const Json refusal = watching.client->said("error");
  REQUIRE(!refusal.is_null());
  CHECK_THAT(refusal["message"].get<std::string>(), ContainsSubstring("has no terminal"));
  const Watching second(programs.start("sleep 100"));
  second.viewer->receive("ls", false);
  CHECK(second.client->said("error")["code"] == "invalid_argument");
}
