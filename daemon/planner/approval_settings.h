// Which calls of the model wait for a person, and for how long.
#pragma once

#include <chrono>
#include <string>

namespace selfagent {

/// From the most trusting to the strictest.
enum class ApprovalPolicy {
  off,     ///< none waits
  risky,   ///< those that planner/risk.h finds risky
  always,  ///< every call that does not only read
};

const char* to_string(ApprovalPolicy policy);
/// Throws Error(invalid_argument) for another word.
ApprovalPolicy approval_policy_named(const std::string& word);
inline ApprovalPolicy stricter(ApprovalPolicy a, ApprovalPolicy b) { return a > b ? a : b; }

struct ApprovalSettings {
  ApprovalPolicy policy = ApprovalPolicy::off;
  std::chrono::seconds wait{600};  ///< for an answer, before the run ends
};

}  // namespace selfagent
