// The durable memory of the daemon: one SQLite database (WAL) and a folder of pictures.
//
// The event log is append-only and is the truth: the chat page, the prompt and /status are views of
// it. What append() has returned survives kill -9. Source of the schema: store.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace selfagent {

/// One fact. `kind` and `data` are listed in docs/protocol.md.
struct Event {
  int64_t seq = 0;  ///< Position in the log, 0 for transient events, which are not stored.
  int64_t ts_ms = 0;
  std::string conversation_id;  ///< "" if it belongs to no conversation.
  std::string job_id;
  std::string kind;
  Json data;  ///< An object.
};

struct Conversation {
  std::string id;  ///< "c-" and 16 hexadecimal digits
  std::string title;
  int64_t created_ms = 0;
  int64_t updated_ms = 0;
  std::string forked_from = {};  ///< The conversation that it began as a copy of; "": none.
  int64_t forked_at = 0;         ///< The newest event of that one that it has.
};

/// Error(not_found) that says so.
Error no_conversation(const std::string& id);

/// A conversation in which words were found.
struct FoundConversation {
  Conversation conversation;
  int64_t seq = 0;      ///< Of the newest event that has all of the words; 0: the title has them.
  std::string kind;     ///< Of that event; "" for the title.
  std::string excerpt;  ///< The text around the first word.
};
struct ConversationSearch {
  std::vector<FoundConversation> found;  ///< Titles first, then the newest event first.
  int64_t unread = 0;  ///< Events that were not searched, as the index has not come to them yet.
};

/// Events of one conversation in which words were found.
struct FoundEvents {
  std::vector<int64_t> seqs;  ///< The best first.
  /// Every event up to this one was searched, of each the first 64 KiB of text. 0: none was, as
  /// there is no index, or no word in the query.
  int64_t through = 0;
};

/// Where a conversation was cut.
struct ConversationCut {
  int64_t last = 0;    ///< The newest event that stays; 0: none does.
  std::string prompt;  ///< The message of the user at which it was cut, which does not stay.
};

enum class JobState { queued, running, succeeded, failed, cancelled, interrupted };
const char* to_string(JobState state);

/// When a job starts and how often it is tried.
struct JobPlan {
  int priority = 0;           ///< Higher ones start first.
  int64_t not_before_ms = 0;  ///< 0: as soon as it can
  int64_t deadline_ms = 0;    ///< By then it has ended, or is ended; 0: none.
  int retries = 0;            ///< How often it starts again after a failure.
  int retry_delay_s = 0;      ///< Before the first of these; doubled before each further one.
  bool retry_timeouts = false;
  /// Of a schedule, which does not run itself but makes a job at each of these times (the next is
  /// not_before_ms); "": none.
  std::string cron = {};
  std::string idempotency_key = {};  ///< Of one job alone; "": none.
  std::string webhook_url = {};      ///< Is told of the end; "": nobody is.
  std::string webhook_secret = {};   ///< "whsec_…"; "": unsigned
  std::string request_sha256 = {};   ///< Of the request that came with that key.
};

struct Job {
  std::string id;               ///< "j-" and 16 hexadecimal digits
  std::string kind;             ///< prompt, shell, python, typescript, gui
  std::string text;             ///< The prompt or the code.
  std::string conversation_id;  ///< "" for code jobs
  JobState state = JobState::queued;
  int64_t created_ms = 0;
  int64_t started_ms = 0;   ///< 0: not started
  int64_t finished_ms = 0;  ///< 0: not finished
  std::optional<int> exit_code;
  std::string reply;
  std::string error;
  int timeout_s = 0;
  bool network = true;  ///< Of a code job: whether its program may use the network.
  JobPlan plan = {};
  int attempt = 0;               ///< How often it has been started.
  std::string approvals = {};    ///< Which calls of a prompt's run wait; "": the daemon's setting.
  std::string schedule_id = {};  ///< Of the schedule that made it; "": none.
};

/// How far a webhook has told of the end of its job.
struct WebhookDelivery {
  std::string job_id;
  int attempts = 0;
  int64_t next_ms = 0;       ///< When it is tried again; 0: no more.
  int64_t delivered_ms = 0;  ///< 0: not yet, or never
  int status = 0;            ///< The HTTP status of the last answer; 0: there was none.
  std::string error;         ///< Why the last attempt failed.
};

/// Thread-safe: one connection behind one mutex; every call may block for a write to disk. Throws
/// Error(resource_exhausted) when the disk is full or read-only; nothing that was confirmed is lost
/// then, and the next call tries again.
class Store {
 public:
  /// Opens `folder`, or creates it (mode 0700). Throws Error(conflict) if another daemon uses the
  /// folder or a newer program wrote it, Error(internal) with what to do if the database is
  /// damaged: it is left as it is.
  explicit Store(const std::filesystem::path& folder);
  ~Store();

  /// Appends, makes durable, then tells the subscribers. Returns the event with its seq and time.
  Event append(const std::string& conversation_id, const std::string& job_id,
               const std::string& kind, Json data);
  /// Tells the subscribers only.
  void announce(const std::string& conversation_id, const std::string& job_id,
                const std::string& kind, Json data);

  /// Events after `after`, oldest first: of the conversation, of the job, of the job in the
  /// conversation, or all if both are "".
  std::vector<Event> events(const std::string& conversation_id, const std::string& job_id,
                            int64_t after, size_t limit) const;

  /// The newest `approval_request` of each conversation that has one.
  std::vector<Event> newest_requests() const;

  using Listener = std::function<void(const Event&)>;
  /// Unsubscribes when destroyed; after that no call of the listener is running or will come. Must
  /// not be destroyed by a listener (it would wait for itself); may outlive the Store.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  /// `listener` is called on the appending thread, in the order of seq, and must be quick and must
  /// not call the store. To miss nothing: subscribe, then read events(), then drop what is heard
  /// twice (by seq).
  [[nodiscard]] std::unique_ptr<Subscription> subscribe(Listener listener);

  Conversation create_conversation(const std::string& title);
  std::vector<Conversation> conversations() const;  ///< newest first
  std::optional<Conversation> conversation(const std::string& id) const;
  /// These throw Error(not_found) for an unknown conversation.
  Conversation rename_conversation(const std::string& id, const std::string& title);
  /// With its jobs. Throws Error(conflict) while one of them is queued or runs. It is gone when
  /// this returns; its events, and the pictures that nothing else shows, go in the background.
  void delete_conversation(const std::string& id);
  /// Makes a conversation with the events of another one up to `at`, which is a good place to cut
  /// (see store/cut.h), or 0 for the newest one. Pictures are shared.
  Conversation fork_conversation(const std::string& id, int64_t at, ConversationCut* cut = nullptr);
  /// Appends an event `rewound`: what lies between `to`, a good place to cut, and that event is no
  /// longer part of the conversation's view. Throws Error(conflict) while a run is queued or goes
  /// on.
  ConversationCut rewind_conversation(const std::string& id, int64_t to);
  /// What the conversation was rewound over: events after the first up to the second number.
  std::vector<std::pair<int64_t, int64_t>> rewound(const std::string& id) const;
  /// Conversations in which all of the words of `query` occur, in one event or in the title. Waits
  /// up to `longest` for the index. Throws Error(invalid_argument) for a query without a word,
  /// Error(unavailable) while there is no index.
  ConversationSearch search(const std::string& query, size_t limit,
                            std::chrono::milliseconds longest = std::chrono::seconds(2)) const;
  /// Events of the conversation, from `first` to `last`, in each of which all of the words of
  /// `query` occur, also those that it was rewound over. Waits like search().
  FoundEvents search_events(const std::string& conversation_id, int64_t first, int64_t last,
                            const std::string& query, size_t limit,
                            std::chrono::milliseconds longest = std::chrono::seconds(2)) const;
  /// Waits until the index has read every event and what was deleted is gone; false: it took too
  /// long.
  bool catch_up(std::chrono::milliseconds longest) const;

  /// Adds a row and its first `state` event. Throws for an id that is taken or a conversation that
  /// does not exist.
  void insert_job(const Job& job);
  /// Replaces the row of `job.id` and appends a `state` event if the state differs from the stored
  /// one.
  void update_job(const Job& job);
  /// Replaces the row of `job`, a prompt that the run `run_id` of its conversation takes up, with a
  /// user_message of that run, and a run_finished of the job for those who follow it. Returns the
  /// message.
  Event take_up(const Job& job, const std::string& run_id);
  /// Replaces the row of `schedule` and adds `job`, both or none, with a `fired` event.
  void fire_schedule(const Job& schedule, const Job& job, int64_t due_ms);
  /// A job of that schedule that is queued or runs.
  std::optional<Job> unfinished_of(const std::string& schedule_id) const;
  /// With the end of a job that has a webhook, a delivery is stored that is due at once.
  std::optional<WebhookDelivery> webhook(const std::string& job_id) const;
  std::vector<WebhookDelivery> webhooks_waiting() const;  ///< The next one first.
  void update_webhook(const WebhookDelivery& delivery);
  std::optional<Job> job(const std::string& id) const;
  std::optional<Job> job_with_key(const std::string& idempotency_key) const;
  std::vector<Job> jobs(size_t limit) const;       ///< newest first
  std::vector<Job> jobs_in(JobState state) const;  ///< oldest first
  /// Jobs without a conversation that have ended, oldest first.
  std::vector<Job> ended_jobs(size_t limit) const;
  /// A job without a conversation; its events go in the background. Throws Error(not_found),
  /// Error(conflict) unless it has ended.
  void delete_job(const std::string& id);
  /// For the start of a daemon: jobs that an earlier one left running become interrupted, with the
  /// events that say so (run_finished for planner jobs with state "interrupted"), unless their
  /// run_finished was written already, or `goes_on` is true for them. Null: for none.
  void interrupt_jobs(const std::function<bool(const Job&)>& goes_on = {});

  /// Stores a picture under its SHA-256 (atomic; once), returns the 64 digits.
  std::string put_blob(const std::string& bytes);
  /// The bytes, or nothing for an unknown or malformed name.
  std::optional<std::string> blob(const std::string& sha256) const;

  /// Bytes of the rows, the index and the pictures: of the files, without what is free in them. The
  /// first call looks at every picture.
  uint64_t used_bytes() const;

  /// "" if a row can be written now, otherwise a sentence (disk full, read-only).
  std::string problem() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace selfagent
