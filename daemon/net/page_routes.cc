#include "net/page_routes.h"

#include <algorithm>
#include <cctype>
#include <mutex>

#include "jobs/job_json.h"
#include "net/body.h"

namespace selfagent {

namespace {

void stream_conversation(const PageParts& parts, const HttpRequest& request,
                         const ResponderPtr& responder) {
  EventQuery query;
  query.conversation_id = request.captures.at("id");
  query.after = resume_position(request);
  if (!parts.store.conversation(query.conversation_id)) {
    throw no_conversation(query.conversation_id);
  }
  parts.streams.serve(responder, std::move(query));
}

HttpResponse chat_reply(const Job& job) {
  Json body = {{"reply", job.reply},
               {"job_id", job.id},
               {"conversation_id", job.conversation_id},
               {"state", to_string(job.state)}};
  if (!job.error.empty()) body["error"] = job.error;
  return HttpResponse::json(200, body);
}

// Answers when the job has finished, without holding a thread until then.
class ReplyLater : public std::enable_shared_from_this<ReplyLater> {
 public:
  ReplyLater(const PageParts& parts, std::string job_id, ResponderPtr responder)
      : parts_(parts), job_id_(std::move(job_id)), responder_(std::move(responder)) {}

  void start() {
    auto subscription = parts_.store.subscribe([self = shared_from_this()](const Event& event) {
      if (event.job_id == self->job_id_ && event.kind == "state") self->check_soon();
    });
    {
      const std::lock_guard lock(mutex_);
      subscription_ = std::move(subscription);
    }
    check();  // it may have finished before the subscription
  }

 private:
  // On the appending thread, which must not call the store.
  void check_soon() {
    try {
      parts_.pool.submit([self = shared_from_this()] { self->check(); });
    } catch (const Error& error) {
      responder_->send(HttpResponse::error(error));
    }
  }

  void check() {
    HttpResponse response;
    try {
      const auto job = parts_.store.job(job_id_);
      if (!job) {
        throw Error(ErrorCode::not_found, "the conversation was deleted when the run had ended");
      }
      if (!has_finished(job->state)) return;
      response = chat_reply(*job);
    } catch (const Error& error) {
      response = HttpResponse::error(error);
    }
    responder_->send(std::move(response));  // a second one is ignored
    std::unique_ptr<Store::Subscription> ended;
    const std::lock_guard lock(mutex_);
    ended.swap(subscription_);
  }

  const PageParts parts_;
  const std::string job_id_;
  const ResponderPtr responder_;
  std::mutex mutex_;  // protects subscription_
  std::unique_ptr<Store::Subscription> subscription_;
};

void chat(const PageParts& parts, const HttpRequest& request, const ResponderPtr& responder) {
  const Json body = body_object(request, {"prompt", "conversation_id", "wait", "approvals"});
  JobRequest wanted;
  wanted.kind = "prompt";
  wanted.text = text_member(body, "prompt", true);
  wanted.conversation_id = text_member(body, "conversation_id", false);
  wanted.approvals = text_member(body, "approvals", false);
  wanted.joins_run = true;
  const bool wait = !body.contains("wait") || body["wait"] != false;
  parts.prompted();
  const Job job = parts.runner.submit(wanted);
  if (!wait) {
    return responder->send(
        HttpResponse::json(202, {{"job_id", job.id}, {"conversation_id", job.conversation_id}}));
  }
  if (request.header("accept").find("text/event-stream") != std::string::npos) {
    EventQuery query;
    query.conversation_id = job.conversation_id;
    query.job_id = job.id;
    query.last = [](const Event& event) { return event.kind == "run_finished"; };
    return parts.streams.serve(responder, std::move(query));
  }
  std::make_shared<ReplyLater>(parts, job.id, responder)->start();
}

// Clients that are refused look for OAuth in these places, and give up on anything but a 404.
// Source: RFC 9728, RFC 8414, OpenID Connect Discovery; MCP 2025-11-25, Authorization.
void add_well_known_routes(Router& router) {
  for (const std::string name :
       {"oauth-protected-resource", "oauth-authorization-server", "openid-configuration"}) {
    for (const std::string& path :
         {"/.well-known/" + name, "/.well-known/" + name + "/mcp", "/mcp/.well-known/" + name}) {
      router.add(
          "*", path, Access::open,
          [](const HttpRequest& request, const ResponderPtr& responder) {
            auto response = HttpResponse::error(
                404, "not_found",
                "there is no OAuth here: send \"Authorization: Bearer TOKEN\" (`selfagent token` "
                "prints it)");
            if (request.method == "HEAD") response.body.clear();
            responder->send(std::move(response));
          },
          Body::any);
    }
  }
}

HttpResponse issue_ticket(const Router& router, Auth& auth, const HttpRequest& request) {
  const std::string path = text_member(body_object(request, {"path"}), "path", true);
  const bool plain = std::all_of(path.begin(), path.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '/' || c == '-' || c == '_';
  });
  if (!path.starts_with('/') || !plain || !router.takes_ticket(path)) {
    throw Error(ErrorCode::invalid_argument, "there are no tickets for the path \"" +
                                                 path.substr(0, 200) + "\", but for " +
                                                 router.ticket_patterns());
  }
  return auth.issue_ticket(request, path);
}

}  // namespace

void add_page_routes(Router& router, const PageParts& parts) {
  add_well_known_routes(router);
  router.add("POST", "/api/login", Access::open,
             [parts](const HttpRequest& request, const ResponderPtr& responder) {
               responder->send(parts.auth.login(request));
             });
  router.add(
      "POST", "/api/logout", Access::full,
      [parts](const HttpRequest&, const ResponderPtr& responder) {
        responder->send(parts.auth.logout());
      },
      Body::optional_json);
  router.add("POST", "/api/ticket", Access::full,
             [&router, parts](const HttpRequest& request, const ResponderPtr& responder) {
               responder->send(issue_ticket(router, parts.auth, request));
             });
  router.add_blocking("GET", "/api/state", Access::full, [parts](const HttpRequest&) {
    return HttpResponse::json(200, parts.state());
  });
  router.add_streaming("GET", "/api/conversations/{id}/events", Access::full,
                       [parts](const HttpRequest& request, const ResponderPtr& responder) {
                         stream_conversation(parts, request, responder);
                       });
  router.add_blocking(
      "GET", "/api/blobs/{sha256}", Access::full, [parts](const HttpRequest& request) {
        auto bytes = parts.store.blob(request.captures.at("sha256"));
        if (!bytes) throw Error(ErrorCode::not_found, "there is no such picture");
        const bool png = bytes->starts_with("\x89PNG");
        return HttpResponse{200,
                            {{"Content-Type", png ? "image/png" : "image/jpeg"},
                             {"X-Content-Type-Options", "nosniff"},
                             {"Cache-Control", "private, max-age=31536000, immutable"}},
                            std::move(*bytes)};
      });
  router.add_streaming("POST", "/api/chat", Access::full,
                       [parts](const HttpRequest& request, const ResponderPtr& responder) {
                         chat(parts, request, responder);
                       });
  router.add("GET", "/healthz", Access::open,
             [](const HttpRequest&, const ResponderPtr& responder) {
               responder->send(HttpResponse::json(200, {{"alive", true}}));
             });
  router.add_blocking("GET", "/readyz", Access::open, [parts](const HttpRequest&) {
    const auto problems = parts.problems();
    return HttpResponse::json(problems.empty() ? 200 : 503,
                              {{"ready", problems.empty()}, {"problems", problems}});
  });
}

}  // namespace selfagent
