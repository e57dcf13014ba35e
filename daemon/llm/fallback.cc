#include "llm/fallback.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "llm/members.h"

namespace selfagent {

namespace {

constexpr std::chrono::seconds first_pause{30};
constexpr std::chrono::seconds longest_pause{600};
constexpr int most_doublings = 5;

// The members of a call that every server knows; the rest are one model's own.
bool is_common(const std::string& member) {
  return member == "id" || member == "type" || member == "function";
}

bool wrote_any(const Json& message, const std::set<std::string>& calls) {
  const Json* made = member(message, "tool_calls");
  if (made == nullptr || !made->is_array()) return false;
  return std::any_of(made->begin(), made->end(),
                     [&](const Json& call) { return calls.count(text_member(call, "id")) != 0; });
}

Json without_own_members(const Json& message) {
  Json plain = Json::object();
  for (const auto& [name, value] : message.items()) {
    if (name == "role" || name == "content") plain[name] = value;
    if (name != "tool_calls") continue;
    for (const auto& call : value) {
      Json common = Json::object();
      for (const auto& [key, item] : call.items()) {
        if (is_common(key)) common[key] = item;
      }
      plain[name].push_back(std::move(common));
    }
  }
  // A call that could not be read is all there is of some answers.
  const std::string written = text_member(message, "written");
  if (!written.empty() && !plain.contains("tool_calls")) plain["content"] = written;
  return plain;
}

// `for_second`: what the first one wrote is foreign, else what the second one wrote.
CompletionRequest converted(const CompletionRequest& request,
                            const std::set<std::string>& calls_of_second, bool for_second) {
  CompletionRequest out = request;
  for (auto& message : out.messages) {
    if (text_member(message, "role") != "assistant") continue;
    if (wrote_any(message, calls_of_second) != for_second) message = without_own_members(message);
  }
  if (request.without_pictures) {
    out.without_pictures = [in_words = request.without_pictures, calls_of_second, for_second] {
      return converted(in_words(), calls_of_second, for_second);
    };
  }
  return out;
}

// The first model's variables have shorter names.
std::string with_names_of_fallback(std::string text) {
  for (const std::string name : {"LLM_API_", "LLM_MODEL"}) {
    for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
      text.insert(at + 4, "FALLBACK_");
      at += 4 + 9;
    }
  }
  return text;
}

bool is_for_another(const Error& error, const std::stop_token& stop) {
  return !stop.stop_requested() && error.code() != ErrorCode::cancelled &&
         error.code() != ErrorCode::resource_exhausted;
}

}  // namespace

bool CircuitBreaker::open(Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  return failures_ > 0 && now < closed_until_;
}

void CircuitBreaker::failed(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const int doublings = std::min(failures_++, most_doublings);
  closed_until_ = now + std::min(first_pause * (1 << doublings), longest_pause);
}

void CircuitBreaker::succeeded() {
  const std::lock_guard lock(mutex_);
  failures_ = 0;
}

FallbackModel::FallbackModel(Model first, Model second, std::shared_ptr<CircuitBreaker> breaker)
    : first_(std::move(first)), second_(std::move(second)), breaker_(std::move(breaker)) {}

Completion FallbackModel::complete(const CompletionRequest& request, const std::stop_token& stop) {
  if (request.by_fallback && !no_help_) {
    try {
      return converse_with_second(request, stop);
    } catch (const Error& error) {
      // A prompt that is too large for the second one is no reason to shorten it for the first.
      const bool overflow = error.code() == ErrorCode::resource_exhausted;
      if (!overflow && !is_for_another(error, stop)) throw;
      no_help_ = true;
      if (request.on_notice) {
        request.on_notice(with_names_of_fallback(error.what()) + "; " + first_.name + " goes on.");
      }
      return ask_first(request, stop);
    }
  }
  if (!breaker_->open()) {
    try {
      return ask_first(request, stop);
    } catch (const Error& error) {
      if (!is_for_another(error, stop)) throw;
      breaker_->failed();
      problem_ = error.what();
      log::warn("the model {} failed, {} goes on: {}", first_.name, second_.name, problem_);
      told_ = false;
    }
  }
  return ask_second(request, stop);
}

Completion FallbackModel::ask_first(const CompletionRequest& request, const std::stop_token& stop) {
  Completion completion = calls_of_second_.empty()
                              ? first_.complete(request, stop)
                              : first_.complete(converted(request, calls_of_second_, false), stop);
  breaker_->succeeded();
  return completion;
}

Completion FallbackModel::ask_second(const CompletionRequest& request,
                                     const std::stop_token& stop) {
  if (!told_ && request.on_notice) {
    request.on_notice((problem_.empty() ? first_.name + " failed a moment ago" : problem_) + "; " +
                      second_.name + " goes on.");
  }
  told_ = true;
  try {
    return converse_with_second(request, stop);
  } catch (const Error& error) {
    if (!is_for_another(error, stop)) throw;
    throw Error(error.code(), (problem_.empty() ? "" : problem_ + "; and the ") +
                                  std::string("fallback model failed") +
                                  (problem_.empty() ? ": " : ", too: ") +
                                  with_names_of_fallback(error.what()));
  }
}

Completion FallbackModel::converse_with_second(const CompletionRequest& request,
                                               const std::stop_token& stop) {
  Completion completion = second_.complete(converted(request, calls_of_second_, true), stop);
  for (const auto& call : completion.tool_calls) calls_of_second_.insert(call.id);
  return completion;
}

}  // namespace selfagent
