// One request under way on a connection. Internal to this layer.
#pragma once

#include <string>
#include <vector>

#include "mcp/connection.h"

namespace selfagent::mcp {

struct Connection::Turn {
  rpc::Request request;
  Exchange exchange;
  rpc::Done done;
  Era era = Era::legacy;
  std::string id;  // the request id's JSON text, "" for a notification
};

// A subscriptions/listen that is open.
struct Connection::Listening {
  TurnPtr turn;
  std::vector<Subscriptions::Handle> handles;
};

// What a subscriptions/listen may hear of.
struct Connection::Topic {
  std::string name;  // a URI, or the method of a list_changed notification
  std::string flag;  // how the client has asked for the latter
  std::optional<Resources::Found> found;
};

/// The string `member` of the params. Throws rpc::RpcError(invalid_params) that calls it `what`.
const std::string& named(const rpc::Request& request, const char* member, const char* what);

}  // namespace selfagent::mcp
