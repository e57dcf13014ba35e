// A client of OpenAI-compatible model servers: streaming chat completions with tools.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"

namespace selfagent {

struct LlmSettings {
  std::string base_url;  ///< e.g. "https://api.example.com/v1"; "/chat/completions" is appended
  std::string model;
  std::string api_key;  ///< may be empty for local servers; never logged

  bool configured() const { return !base_url.empty() && !model.empty(); }
  /// The environment variables that are still to be set.
  std::vector<std::string> missing() const;
};

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  ///< JSON text as the model wrote it
  Json extra;             ///< opaque members to be sent back (thought signatures)
};

struct Completion {
  std::string text;
  std::string reasoning;
  std::string reasoning_field;  ///< the member in which it came, for replay
  std::vector<ToolCall> tool_calls;
  std::string finish_reason;
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
};

struct CompletionRequest {
  Json messages;  ///< array in the chat completions format
  Json tools;     ///< array, may be empty
  std::function<void(const std::string&)> on_text;
  std::function<void(const std::string&)> on_reasoning;
  std::function<void(const std::string&)> on_notice;  ///< retries, repaired answers
};

/// One request at a time per object; blocking. Throws Error(unavailable) with the server's own message,
/// Error(cancelled) within 100 ms of `stop`, Error(invalid_argument) for an answer that is no model's (HTML).
class LlmClient {
 public:
  explicit LlmClient(LlmSettings settings);
  Completion complete(const CompletionRequest& request, const std::stop_token& stop);
  const LlmSettings& settings() const { return settings_; }

 private:
  LlmSettings settings_;
};

}  // namespace selfagent
