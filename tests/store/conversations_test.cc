// Renaming, deleting, searching, forking and rewinding conversations.
#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/error.h"
#include "catch.h"
#include "store/cut.h"
#include "store/folder.h"
#include "store/search_text.h"
#include "store/store.h"

namespace selfagent {
namespace {

constexpr std::chrono::seconds patience{20};

std::string error_of(const std::function<void()>& call, ErrorCode code) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.code() == code);
    return error.what();
  }
  FAIL("no Error was thrown");
  return "";
}

Job prompt_job(Store& store, const std::string& conversation, const std::string& id,
               JobState state = JobState::succeeded) {
  Job made;
  made.id = id;
  made.kind = "prompt";
  made.text = "do it";
  made.conversation_id = conversation;
  store.insert_job(made);
  if (state != JobState::queued) {
    made.state = state;
    store.update_job(made);
  }
  return made;
}

struct ToldRun {
  int64_t message = 0;
  int64_t second_answer = 0;
  int64_t finished = 0;
};

// A run of two answers of the model, with a call and a picture.
ToldRun tell_run(Store& store, const std::string& conversation, const std::string& job,
                 const std::string& prompt, const std::string& picture = "") {
  ToldRun run;
  const auto say = [&](const char* kind, Json data) {
    return store.append(conversation, job, kind, std::move(data)).seq;
  };
  run.message = say("user_message", {{"text", prompt}});
  say("run_started", {{"model", "m"}});
  say("assistant_message",
      {{"text", "I look"}, {"tool_calls", {{{"id", job + "-1"}, {"name", "screenshot"}}}}});
  say("action_intent",
      {{"call_id", job + "-1"}, {"tool", "screenshot"}, {"arguments", Json::object()}});
  Json images = Json::array();
  if (!picture.empty()) images.push_back({{"sha256", picture}, {"mime", "image/png"}});
  say("action_result", {{"call_id", job + "-1"},
                        {"tool", "screenshot"},
                        {"ok", true},
                        {"text", "a screen of " + prompt},
                        {"images", images}});
  run.second_answer = say("assistant_message", {{"text", "It is done"}});
  run.finished = say("run_finished", {{"state", "succeeded"}, {"reason", ""}, {"reply", "done"}});
  return run;
}

std::vector<std::string> found_in(const Store& store, const std::string& query) {
  std::vector<std::string> ids;
  const auto result = store.search(query, 50, patience);
  CHECK(result.unread == 0);
  for (const auto& found : result.found) ids.push_back(found.conversation.id);
  return ids;
}

using Ids = std::vector<std::string>;

TEST_CASE("a conversation is renamed, and an unknown one is not") {
  const TemporaryFolder folder;
  Store store(folder.path);
  const std::string id = store.create_conversation("old").id;
  CHECK(store.rename_conversation(id, "neu 美").title == "neu 美");
  CHECK(store.conversation(id)->title == "neu 美");
  CHECK_THAT(error_of([&] { store.rename_conversation("c-x", "t"); }, ErrorCode::not_found),
             ContainsSubstring("c-x"));
}

TEST_CASE("a deleted conversation takes its jobs, events, words and pictures with it") {
  const TemporaryFolder folder;
  Store store(folder.path);
  const std::string gone = store.create_conversation("secret plan").id;
  const std::string stays = store.create_conversation("other").id;
  const std::string own = store.put_blob("picture of the one");
  const std::string shared = store.put_blob("picture of both");
  prompt_job(store, gone, "j-1");
  prompt_job(store, stays, "j-2");
  tell_run(store, gone, "j-1", "aardvark", own);
  tell_run(store, gone, "j-1", "zebra", shared);
  tell_run(store, stays, "j-2", "zebra", shared);
  REQUIRE(found_in(store, "aardvark") == Ids{gone});

  store.delete_conversation(gone);
  CHECK_FALSE(store.conversation(gone));
  CHECK_FALSE(store.job("j-1"));
  REQUIRE(store.catch_up(patience));
  CHECK(store.events(gone, "", 0, 100).empty());
  CHECK(store.events("", "j-1", 0, 100).empty());
  CHECK(found_in(store, "aardvark").empty());
  CHECK(found_in(store, "secret").empty());
  CHECK(found_in(store, "zebra") == Ids{stays});
  CHECK_FALSE(store.blob(own));
  CHECK(store.blob(shared));
  CHECK(store.job("j-2"));
  CHECK(store.events("", "j-2", 0, 100).size() > 2);
  error_of([&] { store.delete_conversation(gone); }, ErrorCode::not_found);
}

TEST_CASE("a picture that was put again and is not named yet outlives the conversation") {
  const TemporaryFolder folder;
  Store store(folder.path);
  const std::string gone = store.create_conversation("a").id;
  const std::string picture = store.put_blob("the same screen");
  tell_run(store, gone, "j-1", "p", picture);
  REQUIRE(store.catch_up(patience));
  store.put_blob("the same screen");
  store.delete_conversation(gone);
  REQUIRE(store.catch_up(patience));
  CHECK(store.blob(picture));
}

TEST_CASE("a conversation with a run that waits or goes on is not deleted") {
  const TemporaryFolder folder;
  Store store(folder.path);
  const std::string id = store.create_conversation("busy").id;
  Job job = prompt_job(store, id, "j-1", JobState::queued);
  CHECK_THAT(error_of([&] { store.delete_conversation(id); }, ErrorCode::conflict),
             ContainsSubstring("j-1 is queued") && ContainsSubstring("POST /cancel/j-1"));
  job.state = JobState::running;
  store.update_job(job);
  CHECK_THAT(error_of([&] { store.delete_conversation(id); }, ErrorCode::conflict),
             ContainsSubstring("j-1 goes on"));
  job.state = JobState::cancelled;
  store.update_job(job);
  store.delete_conversation(id);
  CHECK(store.conversations().empty());
}

TEST_CASE("what a daemon that ended has left to delete goes at the next start") {
  const TemporaryFolder folder;
  std::string id;
  {
    Store store(folder.path);
    id = store.create_conversation("large").id;
    for (int i = 0; i < 3'000; ++i) store.append(id, "j-1", "notice", {{"text", "x"}});
    store.delete_conversation(id);
  }
  Store store(folder.path);
  REQUIRE(store.catch_up(patience));
  CHECK(store.events("", "", 0, 10).empty());
}

TEST_CASE("words are found in messages, replies, calls, results and titles") {
  const TemporaryFolder folder;
  Store store(folder.path);
  const std::string id = store.create_conversation("Grüße aus Köln").id;
  const auto say = [&](const char* kind, Json data) {
    return store.append(id, "j-1", kind, std::move(data)).seq;
  };
  say("user_message", {{"text", "Please open the Invoice"}});
  say("assistant_message", {{"text", "Opening the spreadsheet"}});
  say("action_intent",
      {{"call_id", "c1"}, {"tool", "launch"}, {"arguments", {{"command", "gnumeric"}}}});
  const int64_t result = say("action_result", {{"call_id", "c1"},
                                               {"tool", "launch"},
                                               {"ok", true},
                                               {"text", "window: 我们去美国旅行, total 4711.50"}});
  say("notice", {{"text", "hidden words"}});
  for (const char* query : {"invoice", "OPEN invoice", "spread", "launch gnumeric", "4711.50",
                            "美国", "旅行 美国", "gruße", "Köln"}) {
    CAPTURE(query);
    CHECK(found_in(store, query) == Ids{id});
  }
  // Of one event; as a phrase; not what is no text of a turn.
  for (const char* query : {"invoice gnumeric", "国美", "美旅", "hidden", "ppreadsheet"}) {
    CAPTURE(query);
    CHECK(found_in(store, query).empty());
  }
  const auto hit = store.search("美国", 10, patience).found.at(0);
  CHECK(hit.seq == result);
  CHECK(hit.kind == "action_result");
  CHECK_THAT(hit.excerpt, ContainsSubstring("我们去美国旅行"));
  CHECK(store.search("koln", 10, patience).found.at(0).seq == 0);
  store.rename_conversation(id, "Bonn");
  CHECK(found_in(store, "koln").empty());
  CHECK(found_in(store, "bonn") == Ids{id});
  for (const char* query : {"", "  ", "\"", "… — !"}) {
    CAPTURE(query);
    CHECK_THAT(error_of([&] { store.search(query, 10); }, ErrorCode::invalid_argument),
               ContainsSubstring("no word"));
  }
  CHECK(found_in(store, "\"open\" OR NEAR(").empty());
}

TEST_CASE("events of one conversation are found, the best first") {
  const TemporaryFolder folder;
  Store store(folder.path);
  const std::string one = store.create_conversation("One").id;
  const std::string other = store.create_conversation("Other").id;
  const auto say = [&](const std::string& conversation, const std::string& text) {
    return store.append(conversation, "", "user_message", {{"text", text}}).seq;
  };
  const auto found = [&](const std::string& query, int64_t last = 1'000'000, size_t limit = 10) {
    return store.search_events(one, 0, last, query, limit, patience).seqs;
  };
  using Seqs = std::vector<int64_t>;
  const int64_t long_one = say(one, "the code stands here: " + std::string(2'000, '.') +
                                        " and much else is said around it, word by word by word");
  const int64_t short_one = say(one, "the code is K7919");
  const int64_t beginning = say(one, "the codes are many");
  say(other, "the code of another conversation");
  const int64_t chinese = say(one, "请打开设置窗口，然后截图");

  CHECK(found("code K7919") == Seqs{short_one});
  CHECK(found("k79") == Seqs{short_one});
  CHECK(found("7919").empty());
  // A short text before a long one, a whole word before a beginning.
  CHECK(found("code") == Seqs{short_one, long_one, beginning});
  CHECK(found("code", short_one) == Seqs{short_one, long_one});
  CHECK(found("code", 1'000'000, 1) == Seqs{short_one});
  CHECK(found("设置") == Seqs{chinese});
  CHECK(found("置设").empty());
  CHECK(store.search_events(one, 0, 1'000'000, "code", 10, patience).through >= chinese);
  CHECK(store.search_events("c-none", 0, 1'000'000, "code", 10, patience).seqs.empty());

  const int64_t syntax = say(one, "NEAR AND OR NOT text a b \xC3\xBC");
  CHECK(found("NEAR AND OR NOT") == Seqs{syntax});
  for (const char* query : {"\"",     "\"\"\"",   "a\"b", "a* OR b*", "(",   ")", "NEAR(a b, 2)",
                            "text:a", "{text}:a", "^a",   "- a",      "a +", "'", ";",
                            "a AND",  "AND",      "\\",   "\xC3",     "!!!", " ", ""}) {
    INFO(query);
    CHECK_NOTHROW(found(query));
  }
  const std::string with_nul("code\0K7919", 10);
  CHECK(found(with_nul).empty());
  CHECK_NOTHROW(store.search(with_nul, 10, patience));
  const FoundEvents nothing = store.search_events(one, 0, 1'000'000, "!?", 10, patience);
  CHECK(nothing.through == 0);
  CHECK(nothing.seqs.empty());
}

TEST_CASE("a long excerpt is cut around the word, at characters") {
  const std::string text = std::string(300, 'a') + " größe\nNEEDLE " + std::string(300, 'b');
  const std::string excerpt = excerpt_of(text, "needle");
  CHECK_THAT(excerpt, ContainsSubstring("größe NEEDLE bbb"));
  CHECK(excerpt.size() < 220);
  CHECK(excerpt.starts_with("…"));
  CHECK(excerpt.ends_with("…"));
}

TEST_CASE("the index is made anew when it is missing or damaged, and of an older store") {
  const TemporaryFolder folder;
  std::string id;
  {
    Store store(folder.path);
    id = store.create_conversation("title").id;
    tell_run(store, id, "j-1", "needle");
    REQUIRE(found_in(store, "needle") == Ids{id});
  }
  for (const char* content : {"", "this is no database, but some other file of the user"}) {
    std::filesystem::remove(folder.path / "index.db-wal");
    std::filesystem::remove(folder.path / "index.db");
    if (*content != '\0') std::ofstream(folder.path / "index.db") << content;
    Store store(folder.path);
    CHECK(found_in(store, "needle") == Ids{id});
    CHECK(found_in(store, "title") == Ids{id});
  }
}

TEST_CASE("a store from before there was a search keeps everything and is searched") {
  const TemporaryFolder folder;
  std::string id;
  std::string picture;
  {
    Store store(folder.path);
    id = store.create_conversation("older").id;
    picture = store.put_blob("old picture");
    tell_run(store, id, "j-1", "needle", picture);
    REQUIRE(store.catch_up(patience));
  }
  std::filesystem::remove(folder.path / "index.db-wal");
  std::filesystem::remove(folder.path / "index.db");
  {
    // As the version before left it.
    SQLite::Database database((folder.path / "store.db").string(), SQLite::OPEN_READWRITE);
    database.exec(
        "DROP TABLE removals; DROP INDEX jobs_of_conversation; DROP INDEX "
        "approval_requests; ALTER TABLE jobs DROP COLUMN approvals; ALTER TABLE conversations DROP "
        "COLUMN forked_from; ALTER TABLE conversations DROP COLUMN forked_at; PRAGMA user_version "
        "= 6");
  }
  Store store(folder.path);
  CHECK(store.conversation(id)->forked_from.empty());
  CHECK(found_in(store, "needle") == Ids{id});
  CHECK(found_in(store, "older") == Ids{id});
  store.delete_conversation(id);
  REQUIRE(store.catch_up(patience));
  CHECK_FALSE(store.blob(picture));
}

TEST_CASE("a fork has the events up to the cut, with runs of its own") {
  const TemporaryFolder folder;
  Store store(folder.path);
  const std::string id = store.create_conversation("trip").id;
  const std::string picture = store.put_blob("screen");
  const ToldRun first = tell_run(store, id, "j-1", "first", picture);
  const ToldRun second = tell_run(store, id, "j-2", "second");

  ConversationCut cut;
  const Conversation fork = store.fork_conversation(id, second.message, &cut);
  CHECK(fork.title == "Fork of trip");
  CHECK(fork.forked_from == id);
  CHECK(fork.forked_at == first.finished);
  CHECK(cut.last == first.finished);
  CHECK(cut.prompt == "second");
  CHECK(store.conversation(fork.id)->forked_from == id);
  const auto copies = store.events(fork.id, "", 0, 100);
  const auto origin = store.events(id, "", 0, 100);
  REQUIRE(copies.size() == 8);
  for (size_t i = 0; i < 7; ++i) {
    CHECK(copies[i].kind == origin[i].kind);
    CHECK(copies[i].data == origin[i].data);
    CHECK(copies[i].ts_ms == origin[i].ts_ms);
    CHECK(copies[i].job_id == copies[0].job_id);
  }
  CHECK(copies[0].job_id != "j-1");
  CHECK(copies[7].kind == "forked");
  CHECK(copies[7].data == Json({{"from", id}, {"at", first.finished}}));
  CHECK(store.events("", "j-1", 0, 100).size() == 7);

  // The picture is shared: it stays for the fork.
  CHECK(store.fork_conversation(id, 0).forked_at == second.finished);
  store.delete_conversation(id);
  REQUIRE(store.catch_up(patience));
  CHECK(store.blob(picture));
  CHECK(found_in(store, "first").size() == 2);
}

TEST_CASE("a fork between two answers of the model ends the run there") {
  const TemporaryFolder folder;
  Store store(folder.path);
  const std::string id = store.create_conversation("trip").id;
  const ToldRun run = tell_run(store, id, "j-1", "first");
  const Conversation fork = store.fork_conversation(id, run.second_answer);
  const auto copies = store.events(fork.id, "", 0, 100);
  REQUIRE(copies.size() == 7);
  CHECK(copies[4].kind == "action_result");
  CHECK(copies[5].kind == "run_finished");
  CHECK(copies[5].job_id == copies[0].job_id);
  CHECK(copies[5].data["state"] == "cancelled");
}

TEST_CASE("a cut in the middle of a run is refused with the nearest good places") {
  const TemporaryFolder folder;
  Store store(folder.path);
  const std::string id = store.create_conversation("trip").id;
  const ToldRun first = tell_run(store, id, "j-1", "first");
  const ToldRun second = tell_run(store, id, "j-2", "second");
  const std::string message = error_of([&] { store.rewind_conversation(id, second.message + 2); },
                                       ErrorCode::invalid_argument);
  CHECK_THAT(message, ContainsSubstring("event " + std::to_string(second.message + 2)));
  CHECK_THAT(message, ContainsSubstring(std::to_string(second.message) + " and " +
                                        std::to_string(second.finished)));
  error_of([&] { store.rewind_conversation(id, first.second_answer); },
           ErrorCode::invalid_argument);
  error_of([&] { store.fork_conversation(id, first.message + 2); }, ErrorCode::invalid_argument);
  error_of([&] { store.fork_conversation(id, 999); }, ErrorCode::invalid_argument);
  const std::string empty = store.create_conversation("empty").id;
  CHECK_THAT(error_of([&] { store.rewind_conversation(empty, 1); }, ErrorCode::invalid_argument),
             ContainsSubstring("none yet"));
  error_of([&] { store.fork_conversation(empty, 0); }, ErrorCode::conflict);
}

TEST_CASE("runs that overlap are not cut apart") {
  const std::vector<CutEvent> view{{1, "a", "user_message"}, {2, "b", "user_message"},
                                   {3, "b", "run_finished"}, {4, "a", "run_finished"},
                                   {5, "c", "user_message"}, {6, "c", "run_finished"}};
  CHECK(cut_at(view, 1, false).size == 0);
  CHECK(cut_at(view, 4, false).size == 4);
  CHECK(cut_at(view, 5, false).size == 4);
  CHECK(cut_at(view, 0, false).size == 6);
  CHECK_THROWS_AS(cut_at(view, 2, true), Error);
  CHECK_THROWS_AS(cut_at(view, 3, true), Error);
}

TEST_CASE("a rewind is an event, deletes nothing, and is left out of what comes after") {
  const TemporaryFolder folder;
  Store store(folder.path);
  const std::string id = store.create_conversation("trip").id;
  const ToldRun first = tell_run(store, id, "j-1", "first");
  const ToldRun second = tell_run(store, id, "j-2", "second");
  const size_t before = store.events(id, "", 0, 100).size();
  const ConversationCut cut = store.rewind_conversation(id, second.message);
  CHECK(cut.last == first.finished);
  CHECK(cut.prompt == "second");
  const auto events = store.events(id, "", 0, 100);
  REQUIRE(events.size() == before + 1);
  CHECK(events.back().kind == "rewound");
  CHECK(events.back().data == Json({{"to", first.finished}}));
  // What was left out is no place to cut any more.
  error_of([&] { store.rewind_conversation(id, second.finished); }, ErrorCode::invalid_argument);
  const ToldRun third = tell_run(store, id, "j-3", "third");
  const auto copies = store.events(store.fork_conversation(id, third.finished).id, "", 0, 100);
  REQUIRE(copies.size() == 15);
  CHECK(copies[0].data["text"] == "first");
  CHECK(copies[7].data["text"] == "third");
  prompt_job(store, id, "j-4", JobState::running);
  CHECK_THAT(error_of([&] { store.rewind_conversation(id, first.message); }, ErrorCode::conflict),
             ContainsSubstring("j-4"));
}

}  // namespace
}  // namespace selfagent
