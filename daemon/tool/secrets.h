// Secrets that the user has given by name: a tool may use their values, a model sees their names.
//
// What keeps the values back: calls name the secret only; every result of a tool is searched for
// them before anyone gets it, in plain, as Base64 and percent-encoded. That guards against
// accidents, not against a model that wants to have them: a command that gets a secret can send it
// anywhere, and no picture is searched.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tool/tool.h"

namespace selfagent {

/// The value of a secret for a tool that was given its name. Throws Error(not_found).
std::string secret_of(const ToolContext& context, const std::string& name);

/// Thread-safe.
class Secrets {
 public:
  /// Kept in `file`, mode 0600. Throws Error(internal) if that exists and cannot be read.
  explicit Secrets(std::filesystem::path file);

  /// Throws Error(invalid_argument) unless the name fits an environment variable (letters, digits
  /// and _, at most 64, no digit first) and the value is UTF-8 of 4 to 4096 bytes without NUL,
  /// Error(resource_exhausted) for more than 100, or if it cannot be written: nothing has changed
  /// then.
  void set(const std::string& name, const std::string& value);
  /// Throws Error(not_found).
  void remove(const std::string& name);

  std::vector<std::string> names() const;
  /// Throws Error(not_found) with the names that there are.
  std::string value(const std::string& name) const;

  /// Replaces every value in the texts of a result by "[secret NAME]".
  void redact(ToolResult& result) const;

 private:
  using Values = std::map<std::string, std::string>;
  struct Needles;
  void change(Values values);
  void take(Values values);

  const std::filesystem::path file_;
  mutable std::mutex mutex_;  // protects the rest
  Values values_;
  std::shared_ptr<const Needles> needles_;  ///< null without any secret
};

}  // namespace selfagent
