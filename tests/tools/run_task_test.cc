#include <deque>
#include <optional>

#include "base/error.h"
#include "call.h"
#include "catch.h"
#include "tool/client_link.h"
#include "tool/principal.h"
#include "tool/tasks.h"

namespace selfagent {

Tool run_task();

namespace {

/// Each run ends as the script says; without a script it goes on for ever.
class ScriptedTasks : public Tasks {
 public:
  struct End {
    std::string state;
    std::string outcome;
    std::string reply;
  };
  std::deque<End> script;
  std::vector<std::pair<std::string, std::string>> started;  ///< prompt, conversation
  std::vector<std::string> cancelled;

  TaskState start(const std::string& prompt, const std::string& conversation_id) override {
    started.emplace_back(prompt, conversation_id);
    const std::string number = std::to_string(started.size());
    runs_["j-" + number] = {
        "j-" + number, conversation_id.empty() ? "c-new" : conversation_id, "running", "", "", "",
        "click"};
    return runs_["j-" + number];
  }
  TaskState look(const std::string& job_id) override {
    const auto run = runs_.find(job_id);
    if (run == runs_.end()) throw Error(ErrorCode::not_found, "there is no job " + job_id);
    return run->second;
  }
  TaskState wait(const std::string& job_id, Deadline, const std::stop_token& stop,
                 const std::function<void(const std::string&)>& doing) override {
    TaskState& run = runs_.at(job_id);
    doing("click");
    if (script.empty() || stop.stop_requested()) return run;
    run.state = script.front().state;
    run.outcome = script.front().outcome;
    run.reply = script.front().reply;
    if (run.state == "failed" && !run.asks()) run.error = "it could not do it";
    script.pop_front();
    return run;
  }
  TaskState cancel(const std::string& job_id) override {
    cancelled.push_back(job_id);
    runs_.at(job_id).state = "cancelled";
    return runs_.at(job_id);
  }

 private:
  std::map<std::string, TaskState> runs_;
};

/// A client of either era, whose person gives the answers.
class PersonLink : public ClientLink {
 public:
  explicit PersonLink(bool waits) : waits_(waits) {}
  std::deque<Json> answers;
  std::vector<std::string> questions;
  Json kept = nullptr;

  bool can(const std::string& capability) const override { return capability == "elicitation"; }
  Json ask(const Json& requests, bool bound) override {
    CHECK(bound);
    REQUIRE(requests.size() == 1);
    const std::string key = requests.begin().key();
    const Json& params = requests.front()["params"];
    questions.push_back(params["message"].get<std::string>());
    CHECK(params["requestedSchema"]["required"] == Json::array({"answer"}));
    const Json answer = answers.front();
    answers.pop_front();
    return {{key, answer}};
  }
  Json state() const override { return kept; }
  bool waits() const override { return waits_; }
  void stop_with(std::stop_token) override {}
  void log(const std::string&, const Json&) override {}
  void release_stream() override {}

 private:
  const bool waits_;
};

struct TaskWorld {
  Workshop shop;
  ScriptedTasks tasks;
  std::stop_source stop;
  const Tool tool = run_task();
  std::vector<std::string> progress;

  ToolResult call(const Json& arguments, ClientLink* link = nullptr) {
    ToolContext context{shop.desktop, shop.sandbox, stop.get_token(), Deadline::never()};
    context.tasks = &tasks;
    context.link = link;
    context.progress = [this](double, const std::string& text) { progress.push_back(text); };
    return call_tool(tool, arguments, context);
  }
};

const Json accepted = {{"action", "accept"}, {"content", {{"answer", "the red one"}}}};

}  // namespace

TEST_CASE_METHOD(TaskWorld, "a task is handed on, waited for, and told") {
  tasks.script = {{"succeeded", "succeeded_verified", "Sorted 12 files."}};
  const ToolResult done = call({{"task", "sort my files"}, {"conversation_id", "c-old"}});
  CHECK(tasks.started ==
        std::vector{std::pair<std::string, std::string>("sort my files", "c-old")});
  CHECK_FALSE(done.is_error);
  CHECK(done.structured["outcome"] == "succeeded_verified");
  CHECK_THAT(done.all_text(), ContainsSubstring("task j-1 in conversation c-old is done"));
  CHECK_THAT(done.all_text(), ContainsSubstring("Sorted 12 files."));
  CHECK(progress == std::vector<std::string>{"click"});
  tasks.script = {{"failed", "failed", "No."}};
  const ToolResult failed = call({{"task", "fly"}});
  CHECK(failed.is_error);
  CHECK_THAT(failed.all_text(), ContainsSubstring("has failed (failed): it could not do it"));
}

TEST_CASE_METHOD(TaskWorld, "a task that takes longer says how to wait on, and can be stopped") {
  const ToolResult running = call({{"task", "a long one"}});
  CHECK_FALSE(running.is_error);
  CHECK_THAT(running.all_text(), ContainsSubstring("is still running (click)"));
  CHECK_THAT(running.all_text(), ContainsSubstring("call run_task with job_id \"j-1\""));
  tasks.script = {{"succeeded", "succeeded_unverified", "At last."}};
  CHECK_THAT(call({{"job_id", "j-1"}}).all_text(), ContainsSubstring("At last."));
  call({{"task", "another"}});
  CHECK(call({{"job_id", "j-2"}, {"cancel", true}}).structured["state"] == "cancelled");
  CHECK(tasks.cancelled == std::vector<std::string>{"j-2"});
  CHECK_THAT(call({{"job_id", "j-7"}}).all_text(), ContainsSubstring("there is no job j-7"));
}

TEST_CASE_METHOD(TaskWorld, "who cancels the call stops the task") {
  stop.request_stop();
  const ToolResult result = call({{"task", "a long one"}});
  CHECK(result.is_error);
  CHECK(tasks.cancelled == std::vector<std::string>{"j-1"});
}

TEST_CASE_METHOD(TaskWorld, "a question reaches the person at a client that waits for answers") {
  tasks.script = {{"failed", "needs_user", "Which one?"},
                  {"succeeded", "succeeded_verified", "OK"}};
  PersonLink link(true);
  link.answers = {accepted};
  const ToolResult done = call({{"task", "take one"}}, &link);
  CHECK(link.questions == std::vector<std::string>{"Which one?"});
  REQUIRE(tasks.started.size() == 2);
  CHECK(tasks.started[1] == std::pair<std::string, std::string>("the red one", "c-new"));
  CHECK(done.structured["job_id"] == "j-2");
  CHECK_THAT(done.all_text(), ContainsSubstring("OK"));
}

TEST_CASE_METHOD(TaskWorld,
                 "a question ends the round of a newer client and goes on with the next") {
  tasks.script = {{"failed", "needs_user", "Which one?"},
                  {"failed", "needs_user", "How large?"},
                  {"succeeded", "succeeded_verified", "OK"}};
  PersonLink link(false);
  std::optional<InputRequired> asked;
  const auto round = [&] {
    asked.reset();
    try {
      return call({{"task", "take one"}}, &link);
    } catch (const InputRequired& input) {
      asked = input;
      return ToolResult();
    }
  };
  round();
  REQUIRE(asked);
  CHECK(asked->requests["answer_j-1"]["params"]["message"] == "Which one?");
  link.kept = asked->state;
  link.answers = {accepted};
  round();
  REQUIRE(asked);
  CHECK(asked->requests["answer_j-2"]["params"]["message"] == "How large?");
  link.kept = asked->state;
  link.answers = {accepted};
  CHECK_THAT(round().all_text(), ContainsSubstring("OK"));
  CHECK_FALSE(asked);
  CHECK(tasks.started.size() == 3);
}

TEST_CASE_METHOD(TaskWorld, "a question that nobody answers comes back as the result") {
  tasks.script = {{"failed", "needs_user", "Which one?"}, {"failed", "needs_user", "Which one?"}};
  PersonLink link(true);
  link.answers = {{{"action", "decline"}}};
  for (ClientLink* any : {static_cast<ClientLink*>(&link), static_cast<ClientLink*>(nullptr)}) {
    const ToolResult result = call({{"task", "take one"}}, any);
    CHECK_FALSE(result.is_error);
    CHECK_THAT(result.all_text(), ContainsSubstring("asks the user:\nWhich one?"));
    CHECK_THAT(result.all_text(),
               ContainsSubstring("Answer with run_task, conversation_id \"c-new\""));
  }
}

TEST_CASE_METHOD(TaskWorld, "it is no way around the approval of other tools") {
  Principal principal;
  principal.approve = {"shell"};
  ToolContext context{shop.desktop, shop.sandbox, {}, Deadline::never()};
  context.tasks = &tasks;
  context.principal = &principal;
  const ToolResult refused = call_tool(tool, {{"task", "run it"}}, context);
  CHECK(refused.is_error);
  CHECK_THAT(refused.all_text(), ContainsSubstring("have run_task approved, too"));
  CHECK(tasks.started.empty());
  principal.approve = {"shell", "run_task"};
  tasks.script = {{"succeeded", "succeeded_verified", "OK"}};
  CHECK_FALSE(call_tool(tool, {{"task", "run it"}}, context).is_error);
}

TEST_CASE_METHOD(TaskWorld, "neither a task nor a job, or both, or no model") {
  for (const Json& wrong : {Json::object(), Json{{"task", "x"}, {"job_id", "j-1"}}}) {
    CHECK_THAT(call(wrong).all_text(), ContainsSubstring("give either task or job_id"));
  }
  ToolContext context{shop.desktop, shop.sandbox, {}, Deadline::never()};
  CHECK_THAT(call_tool(tool, {{"task", "x"}}, context).all_text(),
             ContainsSubstring("LLM_API_BASE_URL"));
}

}  // namespace selfagent
