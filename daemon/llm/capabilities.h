// What a model server does not take, learned from its own refusals.
//
// There is no list of providers: everything is sent until a server answers 400 and names a member;
// that one is left out from then on, and the request is sent once more.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "llm/client.h"
#include "llm/coordinates.h"
#include "llm/failure.h"

namespace selfagent {

/// One flag for each thing that a server may refuse.
struct Capabilities {
  bool stream_options = true;
  bool parallel_tool_calls = true;
  bool reasoning_replay = true;  ///< earlier reasoning is sent back in the member in which it came
  bool null_content = true;      ///< "content": null beside tool calls; otherwise ""
  bool tools = true;             ///< the members of the API for tools; otherwise they are text
  int max_images = std::numeric_limits<int>::max();  ///< per request; 0: text only
  bool operator==(const Capabilities&) const = default;
};

/// What of a refused request there is another way for.
struct RefusedRequest {
  int images = 0;              ///< how many pictures it had
  bool works_in_words = true;  ///< the model may go on without any
  bool tools_in_text = false;  ///< it had tools, and they may become text
};

/// Changes the one flag that `failure` names and returns a sentence for the user, or nothing if the
/// refusal is about something else.
std::optional<std::string> adapt(Capabilities& capabilities, const ModelFailure& failure,
                                 const RefusedRequest& request);

class LearnedCapabilities {
 public:
  LearnedCapabilities() = default;
  /// See make_learned_capabilities().
  LearnedCapabilities(std::string model, std::filesystem::path file, Dialect dialect = {});

  /// With what the operator says in place of what was learned.
  Capabilities read() const;
  void write(const Capabilities& capabilities);
  /// The notation of calls for a model of these capabilities; never automatic.
  ToolProtocol protocol(const Capabilities& capabilities) const;
  const Dialect& dialect() const { return dialect_; }

  /// How the model writes positions: as the operator says, or as was learned; nothing if neither.
  std::optional<Coordinates> coordinates() const;
  void keep(const Coordinates& coordinates);
  /// How many tokens the context window has: as the operator says, else as the server has answered,
  /// else as an overflow has told; 0 if none of them.
  int64_t window_tokens() const;
  /// What an overflow has told. It is newer than an answer that was larger.
  void keep_window(int64_t tokens);
  /// Calls `ask` unless the operator says how large the window is, or a call has answered before in
  /// this daemon: 0 if the server does not tell, nothing if it could not be asked, which lets the
  /// next one try again. Others wait meanwhile, or until `stop`.
  void learn_window(const std::function<std::optional<int64_t>()>& ask,
                    const std::stop_token& stop);

  /// Waits until no other run measures the coordinates, and keeps others waiting while the result
  /// lives. Null if `stop` ended the wait.
  std::shared_ptr<void> measure_alone(const std::stop_token& stop);

 private:
  void save() const;

  const std::string model_;           ///< its name in the file
  const std::filesystem::path file_;  ///< "" if nothing is kept
  const Dialect dialect_ = {};        ///< what the operator says
  mutable std::mutex mutex_;          // protects the rest
  std::condition_variable_any measured_;
  Capabilities capabilities_;
  std::optional<Coordinates> coordinates_;
  int64_t window_tokens_ = 0;       ///< of an overflow
  int64_t told_window_tokens_ = 0;  ///< of the server's answer
  bool window_asked_ = false;
  bool measuring_ = false;
};

}  // namespace selfagent
