// Puts the pieces of streamed tool calls together, whatever the server thinks of `index` and `id`.
//
// The specification: id and name come once, arguments as fragments keyed by index. Gemini sends no
// index, proxies give two calls the same index, Ollama sends whole calls, some repeat the id or the
// name in each piece, some send the arguments from the beginning each time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "llm/client.h"

namespace selfagent {

/// Used by one thread.
class ToolCallSlots {
 public:
  /// Takes the `tool_calls` of one delta (or of a whole message).
  void add(const Json& entries);

  bool empty() const { return slots_.empty(); }

  /// The calls in order: glued objects split, missing ids made up, repeated ids replaced. A call
  /// whose arguments end in the middle is marked `truncated` if `cut` (the answer hit the output
  /// limit).
  std::vector<ToolCall> finish(bool cut) const;

 private:
  struct Slot {
    std::optional<int64_t> index;
    std::string id;
    std::string name;
    std::string arguments;
    Json extra = Json::object();
    int delta = 0;  ///< the delta that touched it last
  };

  void add_entry(const Json& entry);
  Slot* find(std::optional<int64_t> index, const std::string& id);
  bool begins_new(const Slot& slot, std::optional<int64_t> index, const std::string& id,
                  const std::string& name, const std::string& fragment) const;

  std::vector<Slot> slots_;
  int delta_ = 0;
};

}  // namespace selfagent
