// The tables, and how an older database becomes the newest one.
//
// PRAGMA user_version counts the steps of `migrations` that a database has seen; each step runs
// once, in one transaction with the new number. A released step is never edited: a change is a new
// step at the end.
//
// events.seq is AUTOINCREMENT, so a number is never used twice, even after the newest events were
// deleted: clients resume by it (Last-Event-ID). The indexes are partial because most events lack
// one of the two ids.
#include <SQLiteCpp/Transaction.h>

#include <array>

#include "store/state.h"

namespace selfagent {

namespace {

constexpr std::array migrations{
    R"sql(
CREATE TABLE conversations (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  ts_ms INTEGER NOT NULL,
  conversation_id TEXT NOT NULL,
  job_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  data TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_conversation ON events (conversation_id, seq) WHERE conversation_id <> '';
CREATE INDEX events_of_job ON events (job_id, seq) WHERE job_id <> '';

CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  conversation_id TEXT REFERENCES conversations (id),
  state TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  finished_ms INTEGER NOT NULL,
  exit_code INTEGER,
  reply TEXT NOT NULL,
  error TEXT NOT NULL,
  timeout_s INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_in_state ON jobs (state, number);

CREATE TABLE probe (id INTEGER PRIMARY KEY, filler BLOB NOT NULL) STRICT;
)sql", "ALTER TABLE jobs ADD COLUMN network INTEGER NOT NULL DEFAULT 1",
    R"sql(
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN not_before_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN deadline_ms INTEGER NOT NULL DEFAULT 0;
)sql",
    R"sql(
ALTER TABLE jobs ADD COLUMN idempotency_key TEXT;
ALTER TABLE jobs ADD COLUMN request_sha256 TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX jobs_by_key ON jobs (idempotency_key) WHERE idempotency_key IS NOT NULL;
ALTER TABLE jobs ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN retry_delay_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN retry_timeouts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
)sql",
    R"sql(
ALTER TABLE jobs ADD COLUMN cron TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN schedule_id TEXT NOT NULL DEFAULT '';
CREATE INDEX jobs_of_schedule ON jobs (schedule_id, state) WHERE schedule_id <> '';
)sql",
    R"sql(
ALTER TABLE jobs ADD COLUMN webhook_url TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN webhook_secret TEXT NOT NULL DEFAULT '';
CREATE TABLE webhooks (
  job_id TEXT PRIMARY KEY REFERENCES jobs (id),
  attempts INTEGER NOT NULL DEFAULT 0,
  next_ms INTEGER NOT NULL,
  delivered_ms INTEGER NOT NULL DEFAULT 0,
  status INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX webhooks_waiting ON webhooks (next_ms) WHERE next_ms > 0;
)sql",
    R"sql(
ALTER TABLE conversations ADD COLUMN forked_from TEXT NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN forked_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX jobs_of_conversation ON jobs (conversation_id) WHERE conversation_id IS NOT NULL;
CREATE TABLE removals (
  conversation_id TEXT NOT NULL,
  job_id TEXT NOT NULL,
  PRIMARY KEY (conversation_id, job_id)
) STRICT;
)sql",
    R"sql(
ALTER TABLE jobs ADD COLUMN approvals TEXT NOT NULL DEFAULT '';
CREATE INDEX approval_requests ON events (conversation_id, seq) WHERE kind = 'approval_request';
)sql",
};

}  // namespace

void migrate(SQLite::Database& database) {
  const int known = static_cast<int>(migrations.size());
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  if (version > known) {
    throw Error(ErrorCode::conflict,
                database.getFilename() + " was written by a newer selfagent (schema " +
                    std::to_string(version) + ", this one knows " + std::to_string(known) +
                    "): start that version, or give another --data-dir");
  }
  for (int step = version; step < known; ++step) {
    SQLite::Transaction transaction(database);
    database.exec(migrations[static_cast<size_t>(step)]);
    database.exec("PRAGMA user_version = " + std::to_string(step + 1));
    transaction.commit();
  }
}

}  // namespace selfagent
