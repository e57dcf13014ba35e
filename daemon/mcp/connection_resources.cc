// Resources and prompts: reading them, and hearing of changes.
#include "base/error.h"
#include "base/log.h"
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

// Each may have a watch of its own.
constexpr size_t most_subscriptions = 100;

void check_subscriptions(size_t count) {
  if (count <= most_subscriptions) return;
  throw RpcError(rpc::invalid_params, "at most " + std::to_string(most_subscriptions) +
                                          " resources can be subscribed to at a time: end some, or "
                                          "subscribe to a folder instead of its files");
}

// What is told before the acknowledgement waits for it.
class EarlyNews {
 public:
  explicit EarlyNews(Notify notify) : notify_(std::move(notify)) {}

  void tell(const std::string& message) {
    const std::lock_guard lock(mutex_);
    if (begun_) {
      notify_(message);
    } else {
      waiting_.insert(message);
    }
  }

  void begin(const std::string& acknowledgement) {
    const std::lock_guard lock(mutex_);
    begun_ = true;
    notify_(acknowledgement);
    for (const std::string& message : waiting_) notify_(message);
    waiting_.clear();
  }

 private:
  const Notify notify_;
  std::mutex mutex_;  // protects the members below
  bool begun_ = false;
  std::set<std::string> waiting_;
};

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
  if (!on) {
    Subscriptions::Handle ended;  // outside of the lock
    {
      const std::lock_guard lock(mutex_);
      ended.swap(subscriptions_[uri]);
      subscriptions_.erase(uri);
    }
    return turn->done("{}");
  }
  {
    const std::lock_guard lock(mutex_);
    if (!subscriptions_.contains(uri)) check_subscriptions(subscriptions_.size() + 1);
    subscriptions_[uri];  // until it is unsubscribed
  }
  run_blocking(turn, "", [this, notify, uri, found = *found](ClientLink&, const std::stop_token&) {
    begin_subscription(uri, found, notify);
    return "{}";
  });
}

// Blocks.
void Connection::begin_subscription(const std::string& uri, const Resources::Found& found,
                                    const Notify& notify) {
  Subscriptions::Handle handle;
  try {
    handle = server_.subscriptions().add(uri, found, [notify, uri] {
      notify(rpc::notification_message("notifications/resources/updated", {{"uri", uri}}));
    });
  } catch (const Error& error) {
    const std::lock_guard lock(mutex_);
    subscriptions_.erase(uri);
    if (error.code() != ErrorCode::not_found) throw;
    throw resource_not_found(Era::legacy, uri, error.what());
  }
  const std::lock_guard lock(mutex_);
  const auto wanted = subscriptions_.find(uri);
  if (wanted != subscriptions_.end()) wanted->second.swap(handle);
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
  std::vector<Topic> topics;
  if (server_.options().conformance) {
    for (const char* kind : {"tools", "prompts"}) {
      const std::string flag = std::string(kind) + "ListChanged";
      if (wanted.value(flag, Json(false)) != true) continue;
      topics.push_back({"notifications/" + std::string(kind) + "/list_changed", flag, {}});
    }
  }
  const Json uris = wanted.value("resourceSubscriptions", Json::array());
  check_subscriptions(uris.is_array() ? uris.size() : 0);
  for (const Json& uri : uris.is_array() ? uris : Json::array()) {
    if (!uri.is_string()) continue;
    const auto found = server_.resources().find(uri.get<std::string>(), principal());
    if (found && found->resource->watch) topics.push_back({uri.get<std::string>(), "", found});
  }
  {
    const auto listening = std::make_shared<Listening>();
    listening->turn = turn;
    const std::lock_guard lock(mutex_);
    listening_[turn->id] = listening;
  }
  try {
    server_.caller().pool().submit(
        [self = shared_from_this(), id = turn->id, request = turn->request, notify, topics] {
          self->begin_listening(id, {{subscription_key, request.id}}, notify, topics);
        });
  } catch (const Error& error) {
    const std::lock_guard lock(mutex_);
    listening_.erase(turn->id);
    throw RpcError(rpc::internal_error, error.what());
  }
}

// Blocks. Only what can be watched is honoured.
void Connection::begin_listening(const std::string& id, const Json& meta, const Notify& notify,
                                 const std::vector<Topic>& topics) {
  const auto early = std::make_shared<EarlyNews>(notify);
  std::vector<Subscriptions::Handle> handles;
  Json honoured = Json::object();
  for (const Topic& topic : topics) {
    Json news = {{"_meta", meta}};
    if (topic.found) news["uri"] = topic.name;
    const std::string method = topic.found ? "notifications/resources/updated" : topic.name;
    auto tell = [early, message = rpc::notification_message(method, news)] {
      early->tell(message);
    };
    try {
      Subscriptions& all = server_.subscriptions();
      handles.push_back(topic.found ? all.add(topic.name, *topic.found, std::move(tell))
                                    : all.add(topic.name, std::move(tell)));
    } catch (const Error& error) {
      log::info("a subscription of \"{}\" is not honoured: {}", topic.name, error.what());
      continue;
    }
    if (topic.found) {
      honoured["resourceSubscriptions"].push_back(topic.name);
    } else {
      honoured[topic.flag] = true;
    }
  }
  {
    const std::lock_guard lock(mutex_);
    const auto at = listening_.find(id);
    if (at == listening_.end()) return;  // cancelled meanwhile
    at->second->handles.swap(handles);
  }
  early->begin(rpc::notification_message("notifications/subscriptions/acknowledged",
                                         {{"notifications", honoured}, {"_meta", meta}}));
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
