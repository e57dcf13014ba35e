#include "net/conversation_routes.h"

#include <algorithm>
#include <charconv>

#include "base/trim.h"
#include "base/utf8.h"
#include "jobs/trajectory.h"
#include "net/approval_routes.h"
#include "net/archive_download.h"
#include "net/body.h"

namespace selfagent {

namespace {

constexpr size_t longest_title = 200;  // characters
constexpr int most_found = 200;

Json conversation_json(const Conversation& conversation, const Json& running_job) {
  Json json = {{"id", conversation.id},
               {"title", conversation.title},
               {"created_ms", conversation.created_ms},
               {"updated_ms", conversation.updated_ms},
               {"running_job", running_job},
               {"forked_from", nullptr}};
  if (!conversation.forked_from.empty()) {
    json["forked_from"] = {{"conversation_id", conversation.forked_from},
                           {"seq", conversation.forked_at}};
  }
  return json;
}

// What each conversation does and asks now.
class Present {
 public:
  Present(const Store& store, const Approvals& approvals) : approvals_(approvals) {
    for (const JobState state : {JobState::queued, JobState::running}) {
      for (const auto& job : store.jobs_in(state)) {
        if (job.plan.cron.empty()) jobs_[job.conversation_id] = job.id;
      }
    }
  }
  Json json_of(const Conversation& conversation) const {
    const auto job = jobs_.find(conversation.id);
    Json json = conversation_json(conversation, job == jobs_.end() ? Json() : Json(job->second));
    json["approval"] = open_approval_json(approvals_, conversation.id);
    // They may be a whole file, and the list is asked for again and again.
    if (json["approval"].is_object()) json["approval"].erase("arguments");
    return json;
  }

 private:
  const Approvals& approvals_;
  /// The run of each conversation that is queued or goes on.
  std::map<std::string, std::string> jobs_;
};

Json list_conversations(const Store& store, const Approvals& approvals) {
  Json list = Json::array();
  const Present present(store, approvals);
  for (const auto& conversation : store.conversations()) {
    list.push_back(present.json_of(conversation));
  }
  return {{"conversations", list}};
}

size_t limit_of(const HttpRequest& request) {
  const auto text = request.query_value("limit");
  if (!text) return 50;
  int limit = 0;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (failure != std::errc() || end != text->data() + text->size() || limit < 1 ||
      limit > most_found) {
    throw Error(ErrorCode::invalid_argument, "limit=\"" + text->substr(0, 50) +
                                                 "\" is no number from 1 to " +
                                                 std::to_string(most_found));
  }
  return static_cast<size_t>(limit);
}

Json search_conversations(const Store& store, const Approvals& approvals, const std::string& query,
                          size_t limit) {
  const ConversationSearch search = store.search(query, limit);
  const Present present(store, approvals);
  Json list = Json::array();
  for (const auto& found : search.found) {
    Json json = present.json_of(found.conversation);
    json["match"] = {{"seq", found.seq == 0 ? Json() : Json(found.seq)},
                     {"kind", found.seq == 0 ? "title" : found.kind},
                     {"excerpt", found.excerpt}};
    list.push_back(std::move(json));
  }
  return {{"conversations", list}, {"unread", search.unread}};
}

std::string title_of(const HttpRequest& request) {
  std::string given = to_utf8(text_member(body_object(request, {"title"}), "title", true));
  std::replace_if(
      given.begin(), given.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }, ' ');
  const std::string title(trim(given));
  const size_t characters = code_points(title).size();
  if (characters == 0) {
    throw Error(ErrorCode::invalid_argument, "the title is empty: give a letter at least");
  }
  if (characters > longest_title) {
    throw Error(ErrorCode::invalid_argument, "the title has " + std::to_string(characters) +
                                                 " characters, the limit is " +
                                                 std::to_string(longest_title));
  }
  return title;
}

// The event that a body names; 0 if it may be absent and is.
int64_t event_member(const HttpRequest& request, const std::string& name, bool required) {
  if (!required && request.body.empty()) return 0;
  const Json body = body_object(request, {name});
  const auto at = body.find(name);
  if (at == body.end() && !required) return 0;
  if (at == body.end() || !at->is_number_integer() || at->get<int64_t>() < 1) {
    throw Error(ErrorCode::invalid_argument, name +
                                                 " is the seq of an event, a number from 1 on: GET "
                                                 "/api/conversations/{id}/events tells it");
  }
  return at->get<int64_t>();
}

HttpResponse fork(Store& store, const HttpRequest& request) {
  ConversationCut cut;
  const Conversation made =
      store.fork_conversation(request.captures.at("id"), event_member(request, "at", false), &cut);
  Json body = conversation_json(made, nullptr);
  body["approval"] = nullptr;
  body["prompt"] = cut.prompt;
  return HttpResponse::json(201, body);
}

HttpResponse rewind(Store& store, const HttpRequest& request) {
  const std::string& id = request.captures.at("id");
  const ConversationCut cut = store.rewind_conversation(id, event_member(request, "to", true));
  return HttpResponse::json(200,
                            {{"conversation_id", id}, {"to", cut.last}, {"prompt", cut.prompt}});
}

}  // namespace

void add_conversation_routes(Router& router, Store& store, const Approvals& approvals,
                             const std::filesystem::path& temporary, const std::string& version) {
  router.add_blocking("GET", "/api/conversations", Access::full,
                      [&store, &approvals](const HttpRequest& request) {
                        const auto query = request.query_value("query");
                        if (!query)
                          return HttpResponse::json(200, list_conversations(store, approvals));
                        return HttpResponse::json(
                            200, search_conversations(store, approvals, *query, limit_of(request)));
                      });
  router.add_blocking("PATCH", "/api/conversations/{id}", Access::full,
                      [&store, &approvals](const HttpRequest& request) {
                        const Conversation renamed =
                            store.rename_conversation(request.captures.at("id"), title_of(request));
                        return HttpResponse::json(200, Present(store, approvals).json_of(renamed));
                      });
  router.add_blocking("DELETE", "/api/conversations/{id}", Access::full,
                      [&store](const HttpRequest& request) {
                        store.delete_conversation(request.captures.at("id"));
                        return HttpResponse{204, {}, ""};
                      });
  router.add_blocking(
      "POST", "/api/conversations/{id}/fork", Access::full,
      [&store](const HttpRequest& request) { return fork(store, request); }, Body::optional_json);
  router.add_blocking("POST", "/api/conversations/{id}/rewind", Access::full,
                      [&store](const HttpRequest& request) { return rewind(store, request); });
  router.add_streaming(
      "GET", "/api/conversations/{id}/export", Access::full,
      [&store, temporary, version](const HttpRequest& request, const ResponderPtr& responder) {
        const auto format = export_format(request.query_value("format").value_or("jsonl"));
        send_archive(
            export_conversation({store, temporary, version}, request.captures.at("id"), format),
            format == ExportFormat::jsonl ? "application/x-ndjson" : "application/zip", responder);
      });
}

}  // namespace selfagent
