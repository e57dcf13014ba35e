// JSON-RPC 2.0 messages: reading, classifying and writing them. Source: jsonrpc.org/specification.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace selfagent::rpc {

// Error codes of the specification, section 5.1.
constexpr int parse_error = -32700;
constexpr int invalid_request = -32600;
constexpr int method_not_found = -32601;
constexpr int invalid_params = -32602;
constexpr int internal_error = -32603;

/// A failed request as it goes over the wire. `data` may be null: it is left out then.
class RpcError : public std::runtime_error {
 public:
  RpcError(int error_code, const std::string& message, Json error_data = nullptr)
      : std::runtime_error(message), code(error_code), data(std::move(error_data)) {}
  int code;
  Json data;
};

/// "Method not found" with the sentence `detail` in data.detail.
RpcError unknown_method(const std::string& detail);

/// A call. A notification has no id and gets no answer.
struct Request {
  Json id;
  bool notification = false;
  std::string method;
  Json params;  ///< object, array or null
};

/// One element of what a peer sent: a request, an answer to a request of ours, or something
/// illegal.
struct Message {
  enum class Kind { request, response, invalid };
  Kind kind = Kind::invalid;
  Request request;      ///< for Kind::request
  Json body;            ///< for Kind::response
  std::string problem;  ///< for Kind::invalid
  Json id;              ///< for Kind::invalid: the id if it could be read, else null
};

/// What one frame, line or body held.
struct Incoming {
  bool batch = false;
  std::vector<Message> messages;
  std::string problem;  ///< not empty: the text was no JSON (parse_error)
  bool empty_batch = false;
};

/// Never throws: problems are part of the result.
Incoming parse(std::string_view text);

/// {"jsonrpc":"2.0","id":…,"result":…}; `result` is JSON text and is copied as it is.
std::string result_message(const Json& id, std::string_view result);

std::string error_message(const Json& id, const RpcError& error);

/// {"jsonrpc":"2.0","method":…,"params":…}
std::string notification_message(std::string_view method, const Json& params);

}  // namespace selfagent::rpc
