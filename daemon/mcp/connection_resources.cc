// Resources and prompts: reading them, and hearing of changes.
#include "base/error.h"
#include "mcp/envelope.h"
#include "mcp/turn.h"

namespace selfagent::mcp {

namespace {

using rpc::RpcError;

// A read is of this moment and of this token.
constexpr const char* keep_not = R"("ttlMs":0,"cacheScope":"private",)";

// Source: MCP up to 2025-11-25, resources/read. Later revisions use invalid_params.
constexpr int legacy_resource_not_found = -32002;

RpcError resource_not_found(Era era, const std::string& uri, const std::string& why) {
  return RpcError(era == Era::modern ? rpc::invalid_params : legacy_resource_not_found,
                  "Resource not found: " + why, {{"uri", uri}});
}

RpcError unknown_resource(Era era, const std::string& uri) {
  return resource_not_found(
      era, uri,
      "there is nothing at \"" + uri.substr(0, 200) +
          "\": resources/list and resources/templates/list tell what there is");
}

}  // namespace

void Connection::read_resource(const TurnPtr& turn) {
  const std::string& uri = named(turn->request, "uri", "the URI of a resource");
  const auto found = server_.resources().find(uri, principal());
  if (!found) throw unknown_resource(turn->era, uri);
  run_blocking(turn, keep_not,
               [found = *found, uri, era = turn->era](ClientLink&, const std::stop_token& stop) {
                 try {
                   return contents_json(uri, found.resource->read(uri, found.variables, stop));
                 } catch (const Error& error) {
                   if (error.code() != ErrorCode::not_found) throw;
                   throw resource_not_found(era, uri, error.what());
                 }
               });
}

void Connection::get_prompt(const TurnPtr& turn) {
  const Prompt& prompt =
      server_.prompts().find(named(turn->request, "name", "a prompt's name"), principal());
  const Variables values = prompt_values(prompt, turn->request.params.value("arguments", Json()));
  run_blocking(turn, "", [&prompt, values](ClientLink& link, const std::stop_token&) {
    return dump_json(
        {{"description", prompt.description}, {"messages", prompt.messages(values, link)}});
  });
}

void Connection::subscribe(const TurnPtr& turn, bool on) {
  const std::string uri = named(turn->request, "uri", "the URI of a resource");
  const auto found = server_.resources().find(uri, principal());
  if (!found) throw unknown_resource(turn->era, uri);
  if (!found->resource->watch) {
    throw RpcError(rpc::invalid_params, "\"" + uri.substr(0, 200) + "\" cannot be subscribed to");
  }
  const Notify notify = options_.exchange.notify;
  if (!notify) {
    throw RpcError(rpc::invalid_request,
                   "resources/subscribe needs a session: send the Mcp-Session-Id that initialize "
                   "answered, and open the event stream with GET");
  }
  Subscriptions::Handle handle;
  if (on) {
    handle = server_.subscriptions().add(uri, *found->resource, [notify, uri] {
      notify(rpc::notification_message("notifications/resources/updated", {{"uri", uri}}));
    });
  }
  {
    const std::lock_guard lock(mutex_);
    std::swap(subscriptions_[uri], handle);
    if (!on) subscriptions_.erase(uri);
  }
  turn->done("{}");
}

void Connection::listen(const TurnPtr& turn) {
  const Json& params = turn->request.params;
  const Json wanted = params.value("notifications", Json());
  if (!wanted.is_object()) {
    throw RpcError(rpc::invalid_params,
                   R"(subscriptions/listen needs "notifications", an object such as )"
                   R"({"resourceSubscriptions":["screen://current"]})");
  }
  const Notify notify = turn->exchange.notify;
  if (!notify) {
    throw RpcError(rpc::invalid_request,
                   "subscriptions/listen is answered with an event stream: send an Accept header "
                   "with text/event-stream");
  }
  const Json meta = {{subscription_key, turn->request.id}};
  Json honoured = Json::object();
  std::vector<std::pair<std::string, const Resource*>> topics;
  if (server_.options().conformance) {
    for (const char* kind : {"tools", "prompts"}) {
      const std::string flag = std::string(kind) + "ListChanged";
      if (wanted.value(flag, Json(false)) != true) continue;
      honoured[flag] = true;
      topics.emplace_back("notifications/" + std::string(kind) + "/list_changed", nullptr);
    }
  }
  const Json uris = wanted.value("resourceSubscriptions", Json::array());
  for (const Json& uri : uris.is_array() ? uris : Json::array()) {
    if (!uri.is_string()) continue;
    const auto found = server_.resources().find(uri.get<std::string>(), principal());
    if (!found || !found->resource->watch) continue;
    honoured["resourceSubscriptions"].push_back(uri);
    topics.emplace_back(uri.get<std::string>(), found->resource);
  }
  const auto listening = std::make_shared<Listening>();
  listening->turn = turn;
  {
    const std::lock_guard lock(mutex_);
    listening_[turn->id] = listening;
  }
  notify(rpc::notification_message("notifications/subscriptions/acknowledged",
                                   {{"notifications", honoured}, {"_meta", meta}}));
  std::vector<Subscriptions::Handle> handles;
  for (const auto& wish : topics) {
    const std::string& topic = wish.first;
    const bool list = wish.second == nullptr;
    auto tell = [notify, topic, list, meta] {
      Json news = {{"_meta", meta}};
      if (!list) news["uri"] = topic;
      notify(rpc::notification_message(list ? topic : "notifications/resources/updated", news));
    };
    handles.push_back(list ? server_.subscriptions().add(topic, std::move(tell))
                           : server_.subscriptions().add(topic, *wish.second, std::move(tell)));
  }
  const std::lock_guard lock(mutex_);
  listening->handles.swap(handles);
}

void Connection::end_listening(const std::string& id) {
  std::shared_ptr<Listening> listening;
  {
    const std::lock_guard lock(mutex_);
    const auto at = listening_.find(id);
    if (at == listening_.end()) return;
    listening = std::move(at->second);
    listening_.erase(at);
  }
  const TurnPtr& turn = listening->turn;
  turn->done(complete("{}", "", {{subscription_key, turn->request.id}}));
}

}  // namespace selfagent::mcp
