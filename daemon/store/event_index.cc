#include "store/event_index.h"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Transaction.h>
#include <fcntl.h>

#include "base/log.h"
#include "base/unique_fd.h"
#include "store/search_text.h"
#include "store/state.h"

namespace selfagent {

namespace fs = std::filesystem;

namespace {

// Counts up with every change of the tables and of what search_text.h makes of an event: a word
// can only be taken out of the index as it was put in.
constexpr int index_version = 1;

// `words` keeps no text: the log has it. `entries` tells what is in it, which makes removing safe
// to repeat.
constexpr const char* index_tables = R"sql(
CREATE TABLE progress (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL) STRICT;
INSERT INTO progress VALUES (1, 0);
CREATE TABLE entries (seq INTEGER PRIMARY KEY, conversation_id TEXT NOT NULL) STRICT;
CREATE VIRTUAL TABLE words USING fts5(
  text, content = '', tokenize = 'unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE titles USING fts5(title, tokenize = 'unicode61 remove_diacritics 2');
CREATE TABLE pictures (
  sha256 TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (sha256, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE orphans (sha256 TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
)sql";

SQLite::Database open_index(const fs::path& file) {
  // SQLite would create it readable by everyone. Closed at once: later that would drop its locks.
  UniqueFd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)).reset();
  SQLite::Database database(file.string(), SQLite::OPEN_READWRITE, 5000);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = NORMAL");
  database.exec("PRAGMA journal_size_limit = 67108864");
  return database;
}

bool is_good(SQLite::Database& database, int64_t last_seq) {
  return database.execAndGet("PRAGMA user_version").getInt() == index_version &&
         database.execAndGet("SELECT seq FROM progress").getInt64() <= last_seq;
}

void remove_file(const fs::path& file) {
  for (const char* ending : {"", "-wal", "-shm"}) {
    std::error_code ignored;
    fs::remove(file.string() + ending, ignored);
  }
}

SQLite::Database opened_index(const fs::path& file, int64_t last_seq) {
  if (fs::exists(file)) {
    try {
      SQLite::Database database = open_index(file);
      if (is_good(database, last_seq)) return database;
    } catch (const SQLite::Exception& error) {
      log::warn("{} is made anew: {}", file.string(), error.what());
    }
    remove_file(file);
  }
  SQLite::Database database = open_index(file);
  SQLite::Transaction transaction(database);
  database.exec(index_tables);
  database.exec("PRAGMA user_version = " + std::to_string(index_version));
  transaction.commit();
  return database;
}

void execute(SQLite::Database& database, const char* sql, const std::string& text) {
  SQLite::Statement statement(database, sql);
  statement.bind(1, text);
  statement.exec();
}

}  // namespace

EventIndex::EventIndex(const fs::path& folder, int64_t last_seq)
    : database_(opened_index(folder / "index.db", last_seq)),
      upto_(database_.execAndGet("SELECT seq FROM progress").getInt64()) {}

int64_t EventIndex::upto() const {
  const std::lock_guard guard(mutex_);
  return upto_;
}

void EventIndex::add(const std::vector<Event>& events, int64_t read_upto) {
  const std::lock_guard guard(mutex_);
  SQLite::Transaction transaction(database_);
  for (const auto& event : events) add(event);
  SQLite::Statement progress(database_, "UPDATE progress SET seq = ?");
  progress.bind(1, read_upto);
  progress.exec();
  transaction.commit();
  upto_ = read_upto;
}

void EventIndex::add(const Event& event) {
  for (const auto& name : pictures_of(event.data)) {
    SQLite::Statement picture(database_, "INSERT OR IGNORE INTO pictures VALUES (?, ?)");
    picture.bind(1, name);
    picture.bind(2, event.seq);
    picture.exec();
  }
  if (event.conversation_id.empty()) return;
  const std::string text = with_words_apart(searched_text(event));
  if (text.empty()) return;
  SQLite::Statement entry(database_, "INSERT INTO entries VALUES (?, ?)");
  entry.bind(1, event.seq);
  entry.bind(2, event.conversation_id);
  entry.exec();
  SQLite::Statement words(database_, "INSERT INTO words (rowid, text) VALUES (?, ?)");
  words.bind(1, event.seq);
  words.bind(2, text);
  words.exec();
}

void EventIndex::remove(const std::vector<Event>& events) {
  const std::lock_guard guard(mutex_);
  SQLite::Transaction transaction(database_);
  for (const auto& event : events) remove(event);
  transaction.commit();
}

void EventIndex::remove(const Event& event) {
  for (const auto& name : pictures_of(event.data)) {
    SQLite::Statement picture(database_, "DELETE FROM pictures WHERE sha256 = ? AND seq = ?");
    picture.bind(1, name);
    picture.bind(2, event.seq);
    picture.exec();
    execute(database_, "INSERT OR IGNORE INTO orphans VALUES (?)", name);
  }
  SQLite::Statement entry(database_, "DELETE FROM entries WHERE seq = ?");
  entry.bind(1, event.seq);
  if (entry.exec() == 0) return;
  SQLite::Statement words(database_,
                          "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)");
  words.bind(1, event.seq);
  words.bind(2, with_words_apart(searched_text(event)));
  words.exec();
}

void EventIndex::set_title(int64_t number, const std::string& title) {
  const std::lock_guard guard(mutex_);
  SQLite::Transaction transaction(database_);
  SQLite::Statement old(database_, "DELETE FROM titles WHERE rowid = ?");
  old.bind(1, number);
  old.exec();
  if (!title.empty()) {
    SQLite::Statement words(database_, "INSERT INTO titles (rowid, title) VALUES (?, ?)");
    words.bind(1, number);
    words.bind(2, with_words_apart(title));
    words.exec();
  }
  transaction.commit();
}

std::vector<std::string> EventIndex::orphans(size_t limit) const {
  const std::lock_guard guard(mutex_);
  SQLite::Statement rows(database_, "SELECT sha256 FROM orphans LIMIT ?");
  rows.bind(1, static_cast<int64_t>(limit));
  std::vector<std::string> names;
  while (rows.executeStep()) names.push_back(rows.getColumn(0).getString());
  return names;
}

bool EventIndex::is_shown(const std::string& sha256) const {
  const std::lock_guard guard(mutex_);
  SQLite::Statement row(database_, "SELECT 1 FROM pictures WHERE sha256 = ? LIMIT 1");
  row.bind(1, sha256);
  return row.executeStep();
}

void EventIndex::forget_orphan(const std::string& sha256) {
  const std::lock_guard guard(mutex_);
  execute(database_, "DELETE FROM orphans WHERE sha256 = ?", sha256);
}

uint64_t EventIndex::used_bytes() const {
  const std::lock_guard guard(mutex_);
  return used_pages_bytes(database_);
}

std::vector<EventIndex::Place> EventIndex::find(const std::string& match, int64_t before,
                                                size_t limit) const {
  const std::lock_guard guard(mutex_);
  SQLite::Statement rows(database_,
                         "SELECT entries.seq, conversation_id FROM words JOIN entries ON "
                         "entries.seq = words.rowid WHERE words MATCH ?1 AND words.rowid < ?2 "
                         "ORDER BY words.rowid DESC LIMIT ?3");
  rows.bind(1, match);
  rows.bind(2, before);
  rows.bind(3, static_cast<int64_t>(limit));
  std::vector<Place> places;
  while (rows.executeStep()) {
    places.push_back({rows.getColumn(0).getInt64(), rows.getColumn(1).getString()});
  }
  return places;
}

std::vector<int64_t> EventIndex::ranked(const std::string& match,
                                        const std::string& conversation_id, int64_t first,
                                        int64_t last, size_t limit) const {
  const std::lock_guard guard(mutex_);
  // The range keeps a common word from being looked up in all other conversations.
  SQLite::Statement rows(database_,
                         "SELECT entries.seq FROM words JOIN entries ON entries.seq = words.rowid "
                         "WHERE words MATCH ?1 AND words.rowid BETWEEN ?2 AND ?3 AND "
                         "conversation_id = ?4 ORDER BY bm25(words), words.rowid DESC LIMIT ?5");
  rows.bind(1, match);
  rows.bind(2, first);
  rows.bind(3, last);
  rows.bind(4, conversation_id);
  rows.bind(5, static_cast<int64_t>(limit));
  std::vector<int64_t> seqs;
  while (rows.executeStep()) seqs.push_back(rows.getColumn(0).getInt64());
  return seqs;
}

std::vector<int64_t> EventIndex::titled(const std::string& match, size_t limit) const {
  const std::lock_guard guard(mutex_);
  SQLite::Statement rows(
      database_, "SELECT rowid FROM titles WHERE titles MATCH ? ORDER BY rowid DESC LIMIT ?");
  rows.bind(1, match);
  rows.bind(2, static_cast<int64_t>(limit));
  std::vector<int64_t> numbers;
  while (rows.executeStep()) numbers.push_back(rows.getColumn(0).getInt64());
  return numbers;
}

}  // namespace selfagent
