// Opening, mending and closing; the translation of SQLite's errors.
//
// Durability: in WAL mode a commit appends pages to store.db-wal with write(2) before it returns.
// With synchronous=NORMAL it does not wait for the disk: what was confirmed is in the kernel's page
// cache, so it survives kill -9 of this process at any moment, while a power loss may take the last
// transactions (never the consistency of the file). An fsync for each event would cost 1-20 ms;
// this way an append takes about 0.02 ms. The log is written back at every 1000 pages, which is the
// rare append that takes milliseconds. Source: https://www.sqlite.org/wal.html,
// https://www.sqlite.org/pragma.html#pragma_synchronous.
#include "store/store.h"

#include <SQLiteCpp/Transaction.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/utf8.h"
#include "store/upkeep.h"

namespace selfagent {

namespace fs = std::filesystem;

namespace {

fs::path prepared_folder(const fs::path& folder) {
  std::error_code failure;
  const bool created = fs::create_directories(folder, failure);
  if (failure) throw system_error("cannot create " + folder.string(), failure.value());
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) throw system_error(folder.string(), errno);
  if (!S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::invalid_argument, folder.string() + " is not a folder");
  }
  if (created) {
    ::chmod(folder.c_str(), 0700);
  } else if ((status.st_mode & 0077) != 0) {
    // A folder that existed may be anything, even /tmp: its mode is its owner's affair.
    log::warn("{} can be entered by other users; chmod 700 it", folder.string());
  }
  return fs::absolute(folder);
}

UniqueFd open_private(const fs::path& file) {
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) throw system_error("cannot open " + file.string(), errno);
  return fd;
}

UniqueFd taken_lock(const fs::path& folder) {
  UniqueFd fd = open_private(folder / "store.lock");
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    throw Error(ErrorCode::conflict, "another selfagent uses " + folder.string() +
                                         ": stop it, or give another --data-dir");
  }
  return fd;
}

SQLite::Database opened(const fs::path& folder) {
  const fs::path file = folder / "store.db";
  open_private(file);  // SQLite would create it readable by everyone; the WAL inherits the mode.
  try {
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE, 5000);
    // The first statement reads the header, so a damaged file is noticed here.
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = NORMAL");
    database.exec("PRAGMA foreign_keys = ON");
    database.exec("PRAGMA journal_size_limit = 67108864");
    migrate(database);
    return database;
  } catch (const SQLite::Exception& error) {
    const int code = error.getErrorCode();
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) {
      throw Error(ErrorCode::internal,
                  file.string() + " is damaged (" + error.what() +
                      "). Nothing was changed. Restore a backup, try to save its content with "
                      "`sqlite3 store.db .recover`, or move store.db and store.db-wal aside to "
                      "start with an empty history");
    }
    throw Error(ErrorCode::unavailable, "cannot open " + file.string() + ": " + error.what() +
                                            ". Check the free space and the permissions");
  }
}

constexpr const char* insert_event_sql =
    "INSERT INTO events (ts_ms, conversation_id, job_id, kind, data) VALUES (?, ?, ?, ?, ?)";

}  // namespace

Store::State::State(const fs::path& at)
    : folder(prepared_folder(at)),
      lock(taken_lock(folder)),
      database(opened(folder)),
      insert_event(database, insert_event_sql),
      upkeep(std::make_unique<Upkeep>(*this)) {}

Store::State::~State() = default;

Error Store::State::translated(const SQLite::Exception& error) const {
  const std::string what = error.what();
  const std::string kept = "; nothing that was confirmed is lost";
  switch (error.getErrorCode()) {
    case SQLITE_FULL:
      return Error(ErrorCode::resource_exhausted,
                   "the disk of " + folder.string() + " is full: free some space" + kept);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return Error(ErrorCode::resource_exhausted, "cannot write to " + folder.string() + " (" +
                                                      what + "): check the disk and its space" +
                                                      kept);
    case SQLITE_READONLY:
      return Error(ErrorCode::resource_exhausted,
                   folder.string() + " is read-only (" + what + "): make it writable" + kept);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Error(ErrorCode::unavailable, "another program holds " + folder.string() +
                                               "/store.db locked: end it and try again");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Error(ErrorCode::internal, folder.string() + "/store.db is damaged (" + what +
                                            "): stop the daemon and restore a backup");
    default:
      return Error(ErrorCode::internal, "the store failed: " + what);
  }
}

Store::Store(const fs::path& folder) : state_(std::make_unique<State>(folder)) {}

Store::~Store() = default;

uint64_t used_pages_bytes(SQLite::Database& database) {
  const auto number = [&](const char* pragma) { return database.execAndGet(pragma).getInt64(); };
  const int64_t pages = number("PRAGMA page_count") - number("PRAGMA freelist_count");
  return static_cast<uint64_t>(pages * number("PRAGMA page_size"));
}

uint64_t Store::used_bytes() const {
  const uint64_t rows = state_->locked([&] { return used_pages_bytes(state_->database); });
  const auto index = state_->upkeep->index();
  return rows + (index ? index->used_bytes() : 0) + state_->blob_bytes();
}

std::string Store::problem() const {
  try {
    state_->locked([&] {
      // Larger than an event with its index entries, wherever in a page the database ends: a
      // smaller row may still fit when events do not.
      SQLite::Statement probe(
          state_->database,
          "INSERT OR REPLACE INTO probe (id, filler) VALUES (1, zeroblob(32768))");
      probe.exec();
    });
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace selfagent
