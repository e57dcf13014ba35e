// Something that answers requests, and the rules of the specification around it: batches,
// notifications, errors.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "rpc/message.h"

namespace selfagent::rpc {

/// A large result that is written straight into its message: a picture of a megabyte is copied
/// once.
struct ResultWriter {
  std::function<void(std::string& out)> append;  ///< adds the JSON text of the result
  size_t about_bytes = 0;                        ///< how much that will be, roughly
};

/// The JSON text of a result, something that writes it, or an error.
using Outcome = std::variant<std::string, ResultWriter, RpcError>;

/// The message that answers the request `id`.
std::string answer_message(const Json& id, const Outcome& outcome);

using Done = std::function<void(Outcome)>;

/// Answers requests. `handle` is called on the network thread and must not block; it may call
/// `done` at once or later on any thread, exactly once, for notifications too (their outcome is
/// dropped). What it throws instead of calling `done` is answered as an internal error.
class Service {
 public:
  virtual ~Service() = default;
  virtual void handle(Request request, Done done) = 0;
  /// A peer's answer to a request of ours.
  virtual void on_response(const Json& /*body*/) {}
};

/// Bound of one batch: a longer one is refused whole, so that a small body cannot start unbounded
/// work.
constexpr size_t max_batch = 100;

/// Answers everything in `text` and calls `reply` once with the text to send back, "" if there is
/// nothing to send (notifications, responses). The answers of a batch stand in the order of its
/// requests.
void answer(std::string_view text, const std::shared_ptr<Service>& service,
            std::function<void(std::string)> reply);

/// The same for a text that parse() has read.
void answer(Incoming incoming, const std::shared_ptr<Service>& service,
            std::function<void(std::string)> reply);

}  // namespace selfagent::rpc
