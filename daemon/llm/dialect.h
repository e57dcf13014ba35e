// How a model is spoken to, as far as the operator says it; what is left to "auto" is learned.
#pragma once

#include <cstdint>

namespace selfagent {

/// How the model calls tools: by the members of the API, or written into its text as
/// `<tool_call>{"name":…,"arguments":{…}}</tool_call>` (hermes),
/// `<function=NAME><parameter=P>value</parameter></function>` in the same tag (function), or a
/// fenced block of JSON with "tool" and "arguments" (json).
enum class ToolProtocol { automatic, native, hermes, function, json };

/// Whether the model sees pictures.
enum class Vision { automatic, on, off };

/// Which numbers the model writes for a place in a picture: pixels of the picture, pixels of the
/// picture as it was resized for the model, thousandths of its sides, or fractions of them.
enum class CoordinateSpace { automatic, absolute, resized, thousand, unit };

struct Dialect {
  ToolProtocol tools = ToolProtocol::automatic;
  Vision vision = Vision::automatic;
  CoordinateSpace coordinates = CoordinateSpace::automatic;
  int64_t context_tokens = 0;  ///< of its context window; 0: the server is asked
};

}  // namespace selfagent
