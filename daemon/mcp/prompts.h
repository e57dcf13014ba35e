// Prompts: ready-made instructions that a person picks in the client.
#pragma once

#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "mcp/resources.h"
#include "tool/client_link.h"

namespace selfagent::mcp {

struct PromptArgument {
  std::string name;
  std::string title;
  std::string description;
  bool required = false;
  Complete complete = {};  ///< empty: nothing to propose
};

struct Prompt {
  std::string name;
  std::string title;
  std::string description;
  std::vector<PromptArgument> arguments;
  std::set<Profile> profiles = {Profile::full};  ///< whose tools can do what it asks for
  /// The messages for checked `values` ("" for an argument that was left out), in the
  /// specification's form. May block; `link` is never null, see tool/client_link.h.
  std::function<Json(const Variables& values, ClientLink& link)> messages;
};

/// Filled at start, constant afterwards: no locks.
class Prompts {
 public:
  void add(Prompt prompt) { prompts_.push_back(std::move(prompt)); }
  /// The prompt called `name`, if it is for `principal`. Throws rpc::RpcError(invalid_params) with
  /// the names of those that are.
  const Prompt& find(const std::string& name, const Principal& principal) const;
  /// Prompt objects of the specification: those for `principal`.
  Json list(const Principal& principal) const;

 private:
  std::deque<Prompt> prompts_;
};

/// The values of `given` (params.arguments) for `prompt`. Throws rpc::RpcError(invalid_params) that
/// names a missing, unknown or mistyped argument.
Variables prompt_values(const Prompt& prompt, const Json& given);

/// A message of `role` ("user", "assistant") with one text block.
Json text_message(const std::string& role, const std::string& text);

}  // namespace selfagent::mcp
