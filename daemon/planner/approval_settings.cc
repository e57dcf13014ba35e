#include "planner/approval_settings.h"

#include <array>

#include "base/error.h"

namespace selfagent {

namespace {

constexpr std::array policy_words{"off", "risky", "always"};

}  // namespace

const char* to_string(ApprovalPolicy policy) { return policy_words[static_cast<size_t>(policy)]; }

ApprovalPolicy approval_policy_named(const std::string& word) {
  for (size_t i = 0; i < policy_words.size(); ++i) {
    if (word == policy_words[i]) return static_cast<ApprovalPolicy>(i);
  }
  throw Error(ErrorCode::invalid_argument,
              "\"approvals\" is off, risky or always, not \"" + word.substr(0, 50) + "\"");
}

}  // namespace selfagent
