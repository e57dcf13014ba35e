// What happens in the sandbox while the model thinks, which no action of the run has reported:
// windows that open or close, downloads that end, notifications, a person who takes the mouse.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "tool/registry.h"

namespace selfagent {

/// Used by the run's thread alone. What cannot be looked at (no display, no such folder) is no
/// news.
class News {
 public:
  News(const Registry& registry, const ContextFactory& contexts)
      : registry_(registry), contexts_(contexts) {}

  /// Before the model is asked: what is there now is not news.
  void look(const std::stop_token& stop, Deadline deadline);

  /// After its answer, before that is acted on: a sentence for each change since look(). Ended
  /// downloads, notifications and who has the mouse are told once, whenever in the run they came.
  std::vector<std::string> tell(const std::stop_token& stop, Deadline deadline);

 private:
  using Names = std::map<std::string, std::string>;  ///< by what is told apart
  std::optional<Json> ask(const std::string& tool, const Json& arguments,
                          const std::stop_token& stop, Deadline deadline) const;
  std::optional<Names> windows(const std::stop_token& stop, Deadline deadline) const;
  std::set<std::string> downloads(const std::stop_token& stop, Deadline deadline) const;
  std::string person(const ToolContext& context);

  const Registry& registry_;
  const ContextFactory& contexts_;
  std::optional<Names> windows_;
  std::optional<std::set<std::string>> downloads_;
  std::optional<uint64_t> notified_;  ///< the number of the newest that was there
  std::optional<uint64_t> taken_;     ///< how often a person had taken the mouse
};

}  // namespace selfagent
