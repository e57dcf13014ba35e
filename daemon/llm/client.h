// A client of OpenAI-compatible model servers: streaming chat completions with tools.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "llm/dialect.h"
#include "llm/metrics.h"

namespace selfagent {

/// How long to wait for what. The defaults suit real servers; tests shorten them.
struct LlmTimeouts {
  std::chrono::milliseconds connect{10'000};
  /// Silence from the request to the first byte. A server on this machine or in the private network
  /// may be loading the model, or reading a long prompt on a processor.
  std::chrono::milliseconds first_byte_local{600'000};
  std::chrono::milliseconds first_byte_remote{300'000};
  /// Silence between two bytes of the answer.
  std::chrono::milliseconds idle_local{300'000};
  std::chrono::milliseconds idle_remote{120'000};
  /// Silence of a server that is asked how large the context window is; it may know no such
  /// question.
  std::chrono::milliseconds question{2'000};
  /// The first wait before another try; it doubles each time.
  std::chrono::milliseconds retry{1'000};
};

struct LlmSettings {
  std::string base_url;  ///< e.g. "https://api.example.com/v1"; "/chat/completions" is appended
  std::string model;
  std::string api_key;  ///< may be empty for local servers; never logged
  LlmTimeouts timeouts = {};
  ModelMetrics* metrics = nullptr;  ///< outlives the client; null: nothing is counted
  Dialect dialect = {};

  bool configured() const { return !base_url.empty() && !model.empty(); }
  /// The environment variables that are still to be set.
  std::vector<std::string> missing() const;
};

/// The model to be asked, and the one that stands in for it, which may be missing.
struct ModelSettings {
  LlmSettings first;
  LlmSettings fallback = {};
  /// Where what is learned about them is kept; "": nowhere.
  std::filesystem::path learned = {};
  /// Whether they are asked to sum up what no longer fits their windows.
  bool summaries = true;
};

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;        ///< JSON text as the model wrote it
  Json extra = Json::object();  ///< opaque members to be sent back (thought signatures)
  bool truncated = false;       ///< the answer was cut inside the arguments: never run it
};

class LearnedCapabilities;

struct Completion {
  std::string text;
  std::string reasoning;
  std::string reasoning_field;  ///< the member in which it came, for replay
  Json reasoning_details;       ///< opaque array to be sent back, or null
  std::vector<ToolCall> tool_calls;
  std::string finish_reason;
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t cached_tokens = 0;  ///< of the prompt, read from the server's cache
  bool saw_pictures = true;   ///< false: the model takes text only, pictures were left out
  /// The text with the calls that stood in it, for replay; "" if there were none.
  std::string written = {};
  /// Why a call in the text could not be read, and how to write it; "" if all could. What stands
  /// before it is in tool_calls.
  std::string malformed = {};
  /// What is known of the model that answered; null where nothing can be learned.
  std::shared_ptr<LearnedCapabilities> model = nullptr;
};

struct CompletionRequest {
  /// Array in the chat completions format. An assistant's message may have "written", see
  /// Completion.
  Json messages;
  Json tools;  ///< array, may be empty
  std::function<void(const std::string&)> on_text;
  std::function<void(const std::string&)> on_reasoning;
  /// Makes the same request for a model that sees no pictures; called at most once, when it turns
  /// out that this model is one. May be empty: the pictures are then left out.
  std::function<CompletionRequest()> without_pictures = {};
  /// Where a fallback model stands by: that one is to answer, the first only if it fails.
  bool by_fallback = false;
  /// Retries and adaptations. After one, the deltas begin again from the start of the answer.
  std::function<void(const std::string&)> on_notice;
};

/// What was learned about a model server from its refusals; shared by the clients of one server.
/// Thread-safe.
std::shared_ptr<LearnedCapabilities> make_learned_capabilities();
/// The same, kept in `file` ("": nowhere) beside what is known of other models, and with what the
/// operator says about `model`. A file that cannot be read or written is logged, and costs no more
/// than learning anew.
std::shared_ptr<LearnedCapabilities> make_learned_capabilities(const LlmSettings& model,
                                                               std::filesystem::path file);

/// One request at a time per object; blocking. The connection is kept between requests.
class LlmClient {
 public:
  explicit LlmClient(LlmSettings settings,
                     std::shared_ptr<LearnedCapabilities> learned = make_learned_capabilities());
  ~LlmClient();
  LlmClient(const LlmClient&) = delete;
  LlmClient& operator=(const LlmClient&) = delete;

  /// Sends `request` and reads the whole answer. Transient failures are tried again, at most 5
  /// times; a member that the server refuses is left out from then on. Nothing of the answer may be
  /// acted upon before this returns.
  ///
  /// Throws Error(cancelled) within 100 ms of `stop`; Error(unavailable), (timeout),
  /// (permission_denied) or (not_found) with the server's own message and the next step;
  /// Error(resource_exhausted) if the prompt is larger than the context window;
  /// Error(invalid_argument) for an answer that is no model server's (HTML).
  Completion complete(const CompletionRequest& request, const std::stop_token& stop);
  const LlmSettings& settings() const { return settings_; }

 private:
  struct State;
  LlmSettings settings_;
  std::unique_ptr<State> state_;
};

}  // namespace selfagent
