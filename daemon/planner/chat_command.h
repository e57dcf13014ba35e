// Chat commands: a prompt that begins with "/" runs a tool directly, with or without a model.
#pragma once

#include <stop_token>
#include <string>

#include "planner/planner.h"
#include "planner/run_log.h"

namespace selfagent {

/// True for "/click 100 200" and "/help"; false for a text that merely begins with a path, such as
/// "/etc/hosts is…".
bool is_chat_command(const std::string& prompt);

/// Runs `prompt` and records action_intent and action_result (nothing for /help). The reply is the
/// result's text. Throws Error(invalid_argument) for an unknown command, and what the store throws.
RunOutcome run_chat_command(const std::string& prompt, const Registry& registry,
                            const ContextFactory& contexts, RunLog& log,
                            const std::stop_token& stop, Deadline deadline);

}  // namespace selfagent
