// Writes the body of a chat completions request for a server's capabilities.
#pragma once

#include <string>

#include "llm/capabilities.h"
#include "llm/client.h"

namespace selfagent {

/// How many picture parts `messages` have.
int count_images(const Json& messages);

/// The JSON text. The messages come last and in their order, so that a request whose messages begin
/// with those of the one before has its body as a prefix (up to the closing brackets), which is
/// what prompt caches need.
std::string request_body(const std::string& model, const CompletionRequest& request,
                         const Capabilities& capabilities);

}  // namespace selfagent
