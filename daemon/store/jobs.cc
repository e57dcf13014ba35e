// The rows of jobs, their `state` events, and the end of jobs whose daemon died.
#include <SQLiteCpp/Transaction.h>

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "store/upkeep.h"

namespace selfagent {

namespace {

constexpr std::array state_words{"queued", "running",   "succeeded",
                                 "failed", "cancelled", "interrupted"};

JobState state_of_word(const std::string& word) {
  for (size_t i = 0; i < state_words.size(); ++i) {
    if (word == state_words[i]) return static_cast<JobState>(i);
  }
  throw Error(ErrorCode::internal, "the store has a job in the unknown state \"" + word + "\"");
}

std::optional<Job> find(SQLite::Database& database, const std::string& id) {
  SQLite::Statement row(database, std::string(job_columns) + "WHERE id = ?");
  row.bind(1, id);
  if (!row.executeStep()) return std::nullopt;
  return job_of_row(row);
}

std::vector<Job> select(SQLite::Statement& rows) {
  std::vector<Job> found;
  while (rows.executeStep()) found.push_back(job_of_row(rows));
  return found;
}

void bind_outcome(SQLite::Statement& statement, const Job& job) {
  statement.bind(":state", to_string(job.state));
  statement.bind(":created_ms", job.created_ms);
  statement.bind(":started_ms", job.started_ms);
  statement.bind(":finished_ms", job.finished_ms);
  if (job.exit_code) {
    statement.bind(":exit_code", *job.exit_code);
  } else {
    statement.bind(":exit_code");
  }
  statement.bind(":reply", to_utf8(job.reply));
  statement.bind(":error", to_utf8(job.error));
  statement.bind(":timeout_s", job.timeout_s);
  statement.bind(":not_before_ms", job.plan.not_before_ms);
  statement.bind(":attempt", job.attempt);
}

void bind_plan(SQLite::Statement& statement, const JobPlan& plan) {
  statement.bind(":priority", plan.priority);
  statement.bind(":deadline_ms", plan.deadline_ms);
  statement.bind(":retries", plan.retries);
  statement.bind(":retry_delay_s", plan.retry_delay_s);
  statement.bind(":retry_timeouts", plan.retry_timeouts ? 1 : 0);
  statement.bind(":idempotency_key", plan.idempotency_key);
  statement.bind(":request_sha256", plan.request_sha256);
  statement.bind(":cron", plan.cron);
  statement.bind(":webhook_url", plan.webhook_url);
  statement.bind(":webhook_secret", plan.webhook_secret);
}

// What a `state` event tells. A job that is queued again tells why, and when it starts.
Json state_of(const Job& job) {
  Json data = {{"state", to_string(job.state)}};
  const bool again = job.state == JobState::queued && job.attempt > 0;
  if (again || (job.state == JobState::running && job.plan.retries > 0)) {
    data["attempt"] = job.attempt;
  }
  if (again) {
    data["error"] = to_utf8(job.error);
    data["not_before_ms"] = job.plan.not_before_ms;
  }
  return data;
}

void write(SQLite::Database& database, const Job& job) {
  SQLite::Statement update(
      database,
      "UPDATE jobs SET state = :state, created_ms = :created_ms, started_ms = :started_ms, "
      "finished_ms = :finished_ms, exit_code = :exit_code, reply = :reply, error = :error, "
      "timeout_s = :timeout_s, not_before_ms = :not_before_ms, attempt = :attempt "
      "WHERE id = :id");
  bind_outcome(update, job);
  update.bind(":id", job.id);
  update.exec();
  const bool over = job.state != JobState::queued && job.state != JobState::running;
  if (!over || job.plan.webhook_url.empty() || !job.plan.cron.empty()) return;
  SQLite::Statement due(database, "INSERT OR IGNORE INTO webhooks (job_id, next_ms) VALUES (?, ?)");
  due.bind(1, job.id);
  due.bind(2, job.finished_ms);
  due.exec();
}

void add(SQLite::Database& database, const Job& job) {
  SQLite::Statement insert(
      database,
      "INSERT INTO jobs (id, kind, text, conversation_id, state, created_ms, started_ms, "
      "finished_ms, exit_code, reply, error, timeout_s, network, priority, not_before_ms, "
      "deadline_ms, retries, retry_delay_s, retry_timeouts, idempotency_key, request_sha256, "
      "attempt, cron, schedule_id, webhook_url, webhook_secret, approvals) VALUES (:id, :kind, "
      ":text, "
      "NULLIF(:conversation_id, ''), "
      ":state, "
      ":created_ms, :started_ms, :finished_ms, :exit_code, :reply, :error, :timeout_s, "
      ":network, :priority, :not_before_ms, :deadline_ms, :retries, :retry_delay_s, "
      ":retry_timeouts, NULLIF(:idempotency_key, ''), :request_sha256, :attempt, :cron, "
      ":schedule_id, :webhook_url, :webhook_secret, :approvals)");
  bind_outcome(insert, job);
  insert.bind(":id", job.id);
  insert.bind(":kind", job.kind);
  insert.bind(":text", to_utf8(job.text));
  insert.bind(":conversation_id", job.conversation_id);
  insert.bind(":network", job.network ? 1 : 0);
  bind_plan(insert, job.plan);
  insert.bind(":schedule_id", job.schedule_id);
  insert.bind(":approvals", job.approvals);
  insert.exec();
}

// The newest event of `kind` of the job; any kind if it is "".
std::optional<std::pair<int64_t, Json>> last_event(SQLite::Database& database,
                                                   const std::string& job_id,
                                                   const std::string& kind) {
  SQLite::Statement row(database,
                        "SELECT ts_ms, data FROM events WHERE job_id <> '' AND job_id = ?1 "
                        "AND (?2 = '' OR kind = ?2) ORDER BY seq DESC LIMIT 1");
  row.bind(1, job_id);
  row.bind(2, kind);
  if (!row.executeStep()) return std::nullopt;
  return std::pair{row.getColumn(0).getInt64(),
                   Json::parse(row.getColumn(1).getString(), nullptr, false)};
}

std::string text_in(const Json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

}  // namespace

const char* to_string(JobState state) { return state_words[static_cast<size_t>(state)]; }

const char* const job_columns =
    "SELECT id, kind, text, COALESCE(conversation_id, ''), state, created_ms, started_ms, "
    "finished_ms, exit_code, reply, error, timeout_s, network, priority, not_before_ms, "
    "deadline_ms, retries, retry_delay_s, retry_timeouts, COALESCE(idempotency_key, ''), "
    "request_sha256, attempt, cron, schedule_id, webhook_url, webhook_secret, approvals FROM jobs ";

Job job_of_row(SQLite::Statement& row) {
  Job job;
  job.id = row.getColumn(0).getString();
  job.kind = row.getColumn(1).getString();
  job.text = row.getColumn(2).getString();
  job.conversation_id = row.getColumn(3).getString();
  job.state = state_of_word(row.getColumn(4).getString());
  job.created_ms = row.getColumn(5).getInt64();
  job.started_ms = row.getColumn(6).getInt64();
  job.finished_ms = row.getColumn(7).getInt64();
  if (!row.isColumnNull(8)) job.exit_code = row.getColumn(8).getInt();
  job.reply = row.getColumn(9).getString();
  job.error = row.getColumn(10).getString();
  job.timeout_s = row.getColumn(11).getInt();
  job.network = row.getColumn(12).getInt() != 0;
  job.plan.priority = row.getColumn(13).getInt();
  job.plan.not_before_ms = row.getColumn(14).getInt64();
  job.plan.deadline_ms = row.getColumn(15).getInt64();
  job.plan.retries = row.getColumn(16).getInt();
  job.plan.retry_delay_s = row.getColumn(17).getInt();
  job.plan.retry_timeouts = row.getColumn(18).getInt() != 0;
  job.plan.idempotency_key = row.getColumn(19).getString();
  job.plan.request_sha256 = row.getColumn(20).getString();
  job.attempt = row.getColumn(21).getInt();
  job.plan.cron = row.getColumn(22).getString();
  job.schedule_id = row.getColumn(23).getString();
  job.plan.webhook_url = row.getColumn(24).getString();
  job.plan.webhook_secret = row.getColumn(25).getString();
  job.approvals = row.getColumn(26).getString();
  return job;
}

void Store::insert_job(const Job& job) {
  state_->publish([&] {
    SQLite::Transaction transaction(state_->database);
    add(state_->database, job);
    std::vector events{state_->insert("", job.id, "state", state_of(job))};
    transaction.commit();
    return events;
  });
}

void Store::fire_schedule(const Job& schedule, const Job& job, int64_t due_ms) {
  state_->publish([&] {
    SQLite::Transaction transaction(state_->database);
    add(state_->database, job);
    write(state_->database, schedule);
    std::vector events{
        state_->insert("", schedule.id, "fired", {{"job", job.id}, {"due_ms", due_ms}}),
        state_->insert("", job.id, "state", state_of(job))};
    transaction.commit();
    return events;
  });
}

Event Store::take_up(const Job& job, const std::string& run_id) {
  return state_
      ->publish([&] {
        SQLite::Transaction transaction(state_->database);
        write(state_->database, job);
        std::vector events{state_->insert(job.conversation_id, run_id, "user_message",
                                          {{"text", job.text}, {"joined", job.id}}),
                           state_->insert(job.conversation_id, job.id, "run_finished",
                                          {{"state", to_string(job.state)},
                                           {"reason", ""},
                                           {"reply", ""},
                                           {"steps", 0},
                                           {"elapsed_ms", 0},
                                           {"joined", run_id}}),
                           state_->insert("", job.id, "state", state_of(job))};
        transaction.commit();
        return events;
      })
      .front();
}

std::optional<Job> Store::unfinished_of(const std::string& schedule_id) const {
  return state_->locked([&]() -> std::optional<Job> {
    SQLite::Statement row(state_->database,
                          std::string(job_columns) +
                              "WHERE schedule_id <> '' AND schedule_id = ? AND state IN "
                              "('queued', 'running') LIMIT 1");
    row.bind(1, schedule_id);
    if (!row.executeStep()) return std::nullopt;
    return job_of_row(row);
  });
}

void Store::update_job(const Job& job) {
  state_->publish([&] {
    SQLite::Transaction transaction(state_->database);
    const std::optional<Job> stored = find(state_->database, job.id);
    if (!stored) throw Error(ErrorCode::not_found, "there is no job \"" + job.id + "\"");
    write(state_->database, job);
    std::vector<Event> events;
    if (stored->state != job.state) {
      events.push_back(state_->insert("", job.id, "state", state_of(job)));
    }
    transaction.commit();
    return events;
  });
}

std::optional<Job> Store::job(const std::string& id) const {
  return state_->locked([&] { return find(state_->database, id); });
}

std::optional<Job> Store::job_with_key(const std::string& idempotency_key) const {
  return state_->locked([&]() -> std::optional<Job> {
    SQLite::Statement row(state_->database, std::string(job_columns) + "WHERE idempotency_key = ?");
    row.bind(1, idempotency_key);
    if (!row.executeStep()) return std::nullopt;
    return job_of_row(row);
  });
}

std::vector<Job> Store::jobs(size_t limit) const {
  return state_->locked([&] {
    SQLite::Statement rows(state_->database,
                           std::string(job_columns) + "ORDER BY number DESC LIMIT ?");
    rows.bind(1, static_cast<int64_t>(std::min<size_t>(limit, 1'000'000'000)));
    return select(rows);
  });
}

std::vector<Job> Store::jobs_in(JobState state) const {
  return state_->locked([&] {
    SQLite::Statement rows(state_->database,
                           std::string(job_columns) + "WHERE state = ? ORDER BY number");
    rows.bind(1, to_string(state));
    return select(rows);
  });
}

std::vector<Job> Store::ended_jobs(size_t limit) const {
  return state_->locked([&] {
    SQLite::Statement rows(state_->database,
                           std::string(job_columns) +
                               "WHERE conversation_id IS NULL AND state NOT IN ('queued', "
                               "'running') ORDER BY finished_ms, number LIMIT ?");
    rows.bind(1, static_cast<int64_t>(std::min<size_t>(limit, 1'000'000'000)));
    return select(rows);
  });
}

void Store::delete_job(const std::string& id) {
  state_->locked([&] {
    SQLite::Transaction transaction(state_->database);
    const auto job = find(state_->database, id);
    if (!job) throw Error(ErrorCode::not_found, "there is no job \"" + id + "\"");
    if (job->state == JobState::queued || job->state == JobState::running ||
        !job->conversation_id.empty()) {
      throw Error(ErrorCode::conflict,
                  "the job " + id + " has not ended, or belongs to a conversation: cancel it, or " +
                      "delete the conversation");
    }
    for (const char* sql :
         {"DELETE FROM webhooks WHERE job_id = ?", "DELETE FROM jobs WHERE id = ?",
          "INSERT OR IGNORE INTO removals VALUES ('', ?)"}) {
      SQLite::Statement statement(state_->database, sql);
      statement.bind(1, id);
      statement.exec();
    }
    transaction.commit();
  });
  state_->upkeep->wake();
}

void Store::interrupt_jobs(const std::function<bool(const Job&)>& goes_on) {
  for (const Job& job : jobs_in(JobState::running)) {
    if (goes_on && goes_on(job)) continue;
    state_->publish([&] {
      SQLite::Transaction transaction(state_->database);
      std::vector<Event> events = state_->end_interrupted(job);
      transaction.commit();
      return events;
    });
  }
}

std::vector<Event> Store::State::end_interrupted(Job job) {
  std::vector<Event> events;
  const auto finish = last_event(database, job.id, "run_finished");
  if (finish && text_in(finish->second, "state") != "") {
    // The planner had written its last event; only the row did not follow.
    job.state = state_of_word(text_in(finish->second, "state"));
    job.error = text_in(finish->second, "reason");
    job.reply = text_in(finish->second, "reply");
    job.finished_ms = finish->first;
  } else {
    job.state = JobState::interrupted;
    job.error = "the daemon was stopped while the job ran";
    job.finished_ms = unix_ms();
    if (!job.conversation_id.empty()) events.push_back(insert_interruption(job));
  }
  write(database, job);
  events.push_back(insert("", job.id, "state", {{"state", to_string(job.state)}}));
  log::info("job {} is {}: the daemon was stopped while it ran", job.id, to_string(job.state));
  return events;
}

Event Store::State::insert_interruption(const Job& job) {
  SQLite::Statement steps(database,
                          "SELECT COUNT(*) FROM events WHERE job_id <> '' AND job_id = ? "
                          "AND kind = 'assistant_message'");
  steps.bind(1, job.id);
  steps.executeStep();
  // It ran at least until its last event; the time until this start was not its own.
  const auto last = last_event(database, job.id, "");
  const int64_t elapsed_ms = last ? std::max<int64_t>(last->first - job.started_ms, 0) : 0;
  return insert(job.conversation_id, job.id, "run_finished",
                {{"state", "interrupted"},
                 {"reason", job.error},
                 {"reply", ""},
                 {"steps", steps.getColumn(0).getInt64()},
                 {"elapsed_ms", elapsed_ms}});
}

}  // namespace selfagent
