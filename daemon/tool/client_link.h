// What a running call may ask of the client that made it.
//
// Two eras of MCP, one interface. In the older one the server sends its question as a request of
// its own and waits for the answer. In the newer one (2026-07-28) there are no such requests: the
// call ends with InputRequired, the client answers by making the call anew, and ask() then returns
// what it brought. A handler written for the newer one (it starts from the beginning, and asks
// before it does anything) works in both.
#pragma once

#include <stop_token>
#include <string>

#include "base/json.h"

namespace selfagent {

/// Thrown by ClientLink to end a call that its client has to make again with the answers. Not an
/// std::exception, so that no handler takes it for a failure.
struct InputRequired {
  Json
      requests;  ///< key -> {"method","params"}; may be empty: then only `state` goes to the client
  Json state;    ///< comes back with the answers, see ClientLink::state()
};

/// Thrown by ClientLink when the client did not declare what the call needs of it.
struct CapabilityMissing {
  Json capabilities;  ///< e.g. {"elicitation":{}}
};

/// A question to the person at the client, for ClientLink::ask: a form with `properties` (JSON
/// Schemas of plain values), of which `required` must be filled in. Source: MCP 2025-06-18 and
/// later, elicitation/create.
Json form_request(const std::string& message, Json properties, Json required);

class ClientLink {
 public:
  virtual ~ClientLink() = default;

  /// True if the client declared `capability`: "elicitation", "sampling" or "roots".
  virtual bool can(const std::string& capability) const = 0;

  /// The client's answers to `requests` (key -> {"method","params"}), by the same keys. Blocks
  /// until they are there, or throws InputRequired; CapabilityMissing or Error(unavailable) for a
  /// question of a kind that the client does not take; Error(cancelled) when the call is cancelled
  /// meanwhile. `bound`: only answers to this very question count, asked for this very call;
  /// otherwise a client may bring its answers unasked.
  virtual Json ask(const Json& requests, bool bound) = 0;

  /// What a previous round of this call left with InputRequired::state; null in the first round,
  /// and always in the older era.
  virtual Json state() const = 0;

  /// True if ask() blocks for the answer, false if it ends the call.
  virtual bool waits() const = 0;

  /// From now on `stop` ends the waits of ask(). Called before the call begins.
  virtual void stop_with(std::stop_token stop) = 0;

  /// Sends a log message to the client, if it wants messages of this level. Source: MCP, Logging.
  virtual void log(const std::string& level, const Json& data) = 0;

  /// Closes the stream that carries the answer, where the client can come back for the rest; does
  /// nothing elsewhere. Source: MCP 2025-11-25, Streamable HTTP, resumability.
  virtual void release_stream() = 0;
};

}  // namespace selfagent
