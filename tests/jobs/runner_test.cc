// The queue: order, lanes, limits, cancelling, shutdown and restart.
#include "jobs/runner.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

#include "jobs/world.h"
#include "loopback_port.h"

namespace selfagent {
namespace {

TEST_CASE("a prompt job has a conversation, and its outcome becomes the row") {
  World world;
  RunRequest seen;
  world.run_prompt = [&](const RunRequest& request, const std::stop_token&) {
    seen = request;
    if (request.prompt == "fail") return RunOutcome{JobState::failed, "no model", "half", 1};
    return RunOutcome{JobState::succeeded, "", "answer", 1};
  };
  const Job job = world.run("prompt", "  write\n\ttoday's notes " + std::string(100, 'x'), 7);
  CHECK(job.state == JobState::succeeded);
  CHECK(job.reply == "answer");
  CHECK(job.error == "");
  CHECK(seen.job_id == job.id);
  CHECK(seen.conversation_id == job.conversation_id);
  CHECK(seen.max_time == std::chrono::seconds(7));
  const Conversation conversation = world.store->conversation(job.conversation_id).value();
  CHECK(conversation.title == "write today's notes " + std::string(40, 'x'));

  const Job second =
      world.finished(world.runner().submit({"prompt", "fail", conversation.id, 0}).id);
  CHECK(second.conversation_id == conversation.id);
  CHECK(second.state == JobState::failed);
  CHECK(second.error == "no model");
  CHECK(second.reply == "half");
  CHECK(world.store->conversations().size() == 1);
}

TEST_CASE("wrong requests are refused with the value and the limit") {
  World world;
  const auto refused = [&](JobRequest request, ErrorCode code) {
    return error_of([&] { world.runner().submit(request); }, code);
  };
  CHECK_THAT(refused({"perl", "x", "", 0}, ErrorCode::invalid_argument),
             ContainsSubstring("kind \"perl\" is none of prompt, shell"));
  CHECK_THAT(refused({"shell", " \n", "", 0}, ErrorCode::invalid_argument),
             ContainsSubstring("the code is empty"));
  CHECK_THAT(refused({"prompt", "", "", 0}, ErrorCode::invalid_argument),
             ContainsSubstring("the prompt is empty"));
  CHECK_THAT(refused({"shell", "x", "", -1}, ErrorCode::invalid_argument),
             ContainsSubstring("timeout_s=-1 is outside 0 to 86400"));
  CHECK_THAT(refused({"shell", std::string(1'048'577, 'x'), "", 0}, ErrorCode::invalid_argument),
             ContainsSubstring("the limit is 1048576"));
  CHECK_THAT(refused({"prompt", "x", "c-none", 0}, ErrorCode::not_found),
             ContainsSubstring("there is no conversation \"c-none\""));
  CHECK_THAT(refused({"gui", "click 1 2\nclik 1 2", "", 0}, ErrorCode::invalid_argument),
             ContainsSubstring("line 2: there is no tool \"clik\""));
  CHECK_THAT(error_of([&] { world.runner().status("j-none"); }, ErrorCode::not_found),
             ContainsSubstring("there is no job \"j-none\""));
  CHECK_THAT(error_of([&] { world.runner().cancel("j-none"); }, ErrorCode::not_found),
             ContainsSubstring("j-none"));
  CHECK(world.store->jobs(10).empty());
}

TEST_CASE("the desktop has one job at a time, in order; code runs beside it") {
  HeldPrompts prompts;
  World world;
  world.run_prompt = prompts.runner();
  const std::string first = world.submit("prompt", "one");
  const std::string second = world.submit("prompt", "two");
  const std::string third = world.submit("gui", "click 1 2");
  prompts.wait_for(1);
  // Neither ends before both run.
  EventWatch watch(*world.store);
  const std::string meet = "echo ready; while [ ! -e go ]; do sleep 0.01; done";
  const std::string left = world.submit("shell", meet);
  const std::string right = world.submit("shell", meet);
  for (const auto& id : {left, right}) watch.wait_for_output(id, "ready");
  for (const auto& id : {left, right}) std::ofstream(world.workspace(id) / "go").put('\n');
  CHECK(world.finished(left).state == JobState::succeeded);
  CHECK(world.finished(right).state == JobState::succeeded);
  CHECK(world.store->job(second)->state == JobState::queued);
  CHECK(world.store->job(third)->state == JobState::queued);
  prompts.let_go();
  CHECK(world.finished(third).state == JobState::succeeded);
  CHECK(prompts.started == std::vector<std::string>{"one", "two"});
  CHECK(world.store->job(first)->finished_ms <= world.store->job(second)->started_ms);
  CHECK(world.store->job(second)->finished_ms <= world.store->job(third)->started_ms);
}

TEST_CASE("the queue is bounded") {
  HeldPrompts prompts;
  World world;
  world.run_prompt = prompts.runner();
  world.settings.most_queued = 2;
  world.submit("prompt", "runs");
  prompts.wait_for(1);
  world.submit("prompt", "a");
  const std::string last = world.submit("prompt", "b");
  CHECK_THAT(error_of([&] { world.submit("prompt", "c"); }, ErrorCode::resource_exhausted),
             ContainsSubstring("2 jobs are queued"));
  world.runner().cancel(last);
  world.submit("prompt", "c");
}

TEST_CASE("a queued prompt is cancelled at once, and its conversation says so") {
  HeldPrompts prompts;
  World world;
  world.run_prompt = prompts.runner();
  const std::string running = world.submit("prompt", "one");
  const std::string queued = world.submit("prompt", "two");
  prompts.wait_for(1);
  const Job job = world.runner().cancel(queued);
  CHECK(job.state == JobState::cancelled);
  CHECK(job.started_ms == 0);
  CHECK(world.kinds(queued) == "state:queued user_message run_finished state:cancelled");
  const auto events = world.store->events(job.conversation_id, "", 0, 10);
  CHECK(events.at(0).data["text"] == "two");
  CHECK(events.at(1).data["state"] == "cancelled");
  CHECK(world.runner().cancel(running).state == JobState::cancelled);
  CHECK(world.store->job(running)->error == "stopped");
  CHECK(prompts.started == std::vector<std::string>{"one"});
}

TEST_CASE("a run takes up what the user says meanwhile in its conversation, and nothing else") {
  World world;
  std::mutex mutex;
  std::condition_variable changed;
  int asked = 0;  // how often the run was told to look
  std::vector<std::string> heard;
  std::vector<std::string> runs;
  world.run_prompt = [&](const RunRequest& request, const std::stop_token&) {
    std::unique_lock lock(mutex);
    runs.push_back(request.prompt);
    changed.notify_all();
    if (request.prompt != "one") return RunOutcome{JobState::succeeded, "", "alone", 1};
    changed.wait_for(lock, std::chrono::seconds(20), [&] { return asked > 0; });
    for (const Event& event : request.take_messages()) {
      heard.push_back(event.kind + " " + event.data["text"].get<std::string>());
    }
    return RunOutcome{JobState::succeeded, "", "both", 1};
  };
  const auto ask = [&](const std::string& text, const std::string& conversation, bool joins) {
    JobRequest request{"prompt", text, conversation};
    request.joins_run = joins;
    return world.runner().submit(request);
  };
  const Job first = ask("one", "", true);
  {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return !runs.empty(); }));
  }
  const Job joined = ask("two", first.conversation_id, true);
  const Job command = ask("/help", first.conversation_id, true);
  const Job apart = ask("three", first.conversation_id, false);
  const Job other = ask("four", "", true);
  {
    const std::lock_guard lock(mutex);
    asked = 1;
    changed.notify_all();
  }
  for (const Job& job : {first, joined, command, apart, other}) {
    CHECK(world.finished(job.id).state == JobState::succeeded);
  }
  CHECK(heard == std::vector<std::string>{"user_message two"});
  CHECK(runs == std::vector<std::string>{"one", "/help", "three", "four"});
  CHECK_THAT(world.store->job(joined.id)->reply, ContainsSubstring(first.id));
  CHECK(world.kinds(joined.id) == "state:queued run_finished state:succeeded");
  const auto events = world.store->events(first.conversation_id, first.id, 0, 10);
  REQUIRE(events.size() == 1);
  CHECK(events[0].data["joined"] == joined.id);
}

TEST_CASE("waiting ends at its own limits without touching the job") {
  HeldPrompts prompts;
  World world;
  world.run_prompt = prompts.runner();
  const std::string id = world.submit("prompt", "one");
  CHECK_THAT(error_of([&] { world.runner().wait(id, {}, Deadline::after(milliseconds(1))); },
                      ErrorCode::timeout),
             ContainsSubstring("GET /status/" + id));
  std::stop_source stop;
  stop.request_stop();
  error_of([&] { world.runner().wait(id, stop.get_token(), Deadline::never()); },
           ErrorCode::cancelled);
  error_of([&] { world.runner().wait("j-none", {}, Deadline::never()); }, ErrorCode::not_found);
  prompts.let_go();
  CHECK(world.finished(id).state == JobState::succeeded);
}

TEST_CASE("at shutdown running jobs are interrupted and queued ones start at the next start") {
  HeldPrompts prompts;
  World world;
  world.run_prompt = prompts.runner();
  const std::string prompt = world.submit("prompt", "one");
  const std::string next = world.submit("prompt", "two");
  EventWatch watch(*world.store);
  const std::string shell = world.submit("shell", "echo ready; sleep 1000");
  prompts.wait_for(1);
  watch.wait_for_output(shell, "ready");
  CHECK(world.runner().shutdown(Deadline::after(std::chrono::seconds(20))));
  CHECK(world.store->job(prompt)->state == JobState::interrupted);
  CHECK(world.store->job(prompt)->error == "the daemon was shut down while the job ran");
  CHECK(world.store->job(shell)->state == JobState::interrupted);
  CHECK(world.store->job(shell)->finished_ms > 0);
  CHECK(world.store->job(next)->state == JobState::queued);
  error_of([&] { world.submit("shell", "true"); }, ErrorCode::unavailable);
  CHECK_THAT(
      error_of([&] { world.runner().wait(next, {}, Deadline::never()); }, ErrorCode::cancelled),
      ContainsSubstring("starts with it again"));
  world.runner_.reset();
  prompts.let_go();
  CHECK(world.finished(next).state == JobState::succeeded);
  CHECK(prompts.started == std::vector<std::string>{"one", "two"});
}

TEST_CASE("queued jobs survive the daemon and start in order") {
  HeldPrompts prompts;
  World world;
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    Job job;
    job.id = "j-" + std::to_string(i);
    job.kind = "prompt";
    job.text = std::to_string(i);
    job.conversation_id = world.store->create_conversation("t").id;
    world.store->insert_job(job);
  }
  prompts.open = true;
  world.run_prompt = prompts.runner();
  CHECK(world.finished("j-4").state == JobState::succeeded);
  CHECK(prompts.started == std::vector<std::string>{"0", "1", "2", "3", "4"});
}

// Runs `body` in a child process, which is killed with -9 as soon as it has printed a line.
void run_until_line_then_kill(const std::function<void(int fd)>& body) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    body(ends[1]);
    ::_exit(0);
  }
  char byte = 0;
  REQUIRE(::read(ends[0], &byte, 1) == 1);
  ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK(WIFSIGNALED(status));
}

TEST_CASE("the next daemon goes on with the program of a job, or interrupts what has none") {
  World world;
  world.store.reset();
  // It waits until the first daemon is dead, however late that is killed.
  const std::string code =
      "echo before; echo odd >&2; until [ -e gate ]; do sleep 0.01; done; echo after; exit 3";
  bool ends_meanwhile = false;
  bool too_late = false;
  SECTION("that still runs") {}
  SECTION("that ended meanwhile") { ends_meanwhile = true; }
  SECTION("that is too late") { too_late = true; }
  run_until_line_then_kill([&](int fd) {
    world.store = std::make_unique<Store>(world.folder.path / "data");
    EventWatch watch(*world.store);
    const std::string id = world.submit("shell", code, too_late ? 3600 : 0);
    watch.wait_for_output(id, "before");
    if (::write(fd, "\n", 1) != 1) ::_exit(1);
    ::pause();
  });
  world.store = std::make_unique<Store>(world.folder.path / "data");
  const std::string id = world.store->jobs(1).at(0).id;
  CHECK(world.store->job(id)->state == JobState::running);
  const auto open_gate = [&] { std::ofstream(world.workspace(id) / "gate").flush(); };
  if (ends_meanwhile) {
    // What its keeper does last.
    const std::filesystem::path exit = world.folder.path / "processes" / "p1" / "exit";
    REQUIRE_FALSE(std::filesystem::exists(exit));
    open_gate();
    const Deadline deadline = Deadline::after(std::chrono::seconds(20));
    while (!std::filesystem::exists(exit) && !deadline.passed()) {
      sleep_until(Deadline::after(milliseconds(2)), {});
    }
    REQUIRE(std::filesystem::exists(exit));
  }
  if (too_late) {
    Job begun = world.store->job(id).value();
    begun.started_ms -= 3'600'000;
    world.store->update_job(begun);
  }
  world.runner();
  if (!ends_meanwhile && !too_late) open_gate();
  const Job job = world.finished(id);
  CHECK(job.state == JobState::failed);
  const JobStatus status = world.runner().status(id);
  if (!too_late) {
    CHECK(job.exit_code == 3);
    CHECK(status.out == "before\nafter\n");
    CHECK(status.err == "odd\n");
  } else {
    CHECK(job.error == "the job was stopped at its limit, timeout_s=3600");
    CHECK(status.out == "before\n");
  }
  std::string told;
  for (const Event& event : world.store->events("", id, 0, 100)) {
    if (event.kind != "stdout") continue;
    CHECK(event.data["offset"] == told.size());
    told += event.data["text"].get<std::string>();
  }
  CHECK(told == status.out);
  CHECK(world.processes->list().empty());
}

TEST_CASE("a job without a program of its own is interrupted when the daemon was killed") {
  World world;
  world.store.reset();
  run_until_line_then_kill([&](int fd) {
    world.store = std::make_unique<Store>(world.folder.path / "data");
    EventWatch watch(*world.store);
    watch.wait_for_output(world.submit("gui", "hang"), "> hang");
    if (::write(fd, "\n", 1) != 1) ::_exit(1);
    ::pause();
  });
  world.store = std::make_unique<Store>(world.folder.path / "data");
  const Job started = world.store->jobs(1).at(0);
  world.runner();
  const Job job = world.store->job(started.id).value();
  CHECK(job.state == JobState::interrupted);
  CHECK(job.error == "the daemon was stopped while the job ran");
  CHECK(world.kinds(job.id) == "state:queued state:running action_intent stdout state:interrupted");
  CHECK(world.run("shell", "true").state == JobState::succeeded);
}

TEST_CASE("the run of a prompt goes on with the next daemon, unless something is in its way") {
  World world;
  Job job;
  job.id = "j-prompt";
  job.kind = "prompt";
  job.text = "count";
  job.conversation_id = world.store->create_conversation("count").id;
  world.store->insert_job(job);
  job.state = JobState::running;
  job.attempt = 1;
  world.store->update_job(job);
  std::atomic<bool> went_on = false;
  world.run_prompt = [&](const RunRequest& request, const std::stop_token&) {
    went_on = request.goes_on;
    return RunOutcome{JobState::succeeded, "", "counted", 1};
  };
  SECTION("nothing is") {
    world.settings.obstacle = [](const Job&) { return ""; };
    world.runner();
    const Job ended = world.finished(job.id);
    CHECK(ended.state == JobState::succeeded);
    CHECK(ended.reply == "counted");
    CHECK(ended.attempt == 1);
    CHECK(went_on);
  }
  SECTION("something is") {
    world.settings.obstacle = [](const Job&) { return "nobody knows whether shell happened"; };
    world.runner();
    CHECK(world.store->job(job.id)->state == JobState::interrupted);
  }
}

TEST_CASE("the network of a job is on or off") {
  World world;
  const LoopbackPort port;
  port.listen(4);
  const std::string connect = "exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(port.number());
  CHECK(world.run("shell", connect).state == JobState::succeeded);
  const std::string id = world.runner().submit({"shell", connect, "", 0, false}).id;
  CHECK(world.finished(id).state == JobState::failed);
  CHECK(status_json(world.runner().status(id))["isolation"]["network"] == "off");
  CHECK_THAT(error_of([&] { world.runner().submit({"gui", "screenshot", "", 0, false}); },
                      ErrorCode::invalid_argument),
             ContainsSubstring("network=false is for"));
}

TEST_CASE("the end of a job is stored as soon as the full disk has space again") {
  World world;
  world.store.reset();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    world.store = std::make_unique<Store>(world.folder.path / "data");
    rlimit all{};
    ::getrlimit(RLIMIT_FSIZE, &all);
    std::atomic<bool> full = false;
    world.run_prompt = [&](const RunRequest&, const std::stop_token&) {
      // No file may be written any more: like a full disk.
      const rlimit none{0, all.rlim_max};
      ::setrlimit(RLIMIT_FSIZE, &none);
      full = true;
      return RunOutcome{JobState::succeeded, "", "answer", 1};
    };
    const std::string id = world.submit("prompt", "x");
    while (!full || world.store->problem().empty()) std::this_thread::yield();
    ::setrlimit(RLIMIT_FSIZE, &all);
    const Job job = world.runner().wait(id, {}, Deadline::after(std::chrono::seconds(20)));
    ::_exit(job.state == JobState::succeeded && job.reply == "answer" ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace selfagent
