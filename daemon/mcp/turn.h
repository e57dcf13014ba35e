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

/// The string `member` of the params. Throws rpc::RpcError(invalid_params) that calls it `what`.
const std::string& named(const rpc::Request& request, const char* member, const char* what);

}  // namespace selfagent::mcp
