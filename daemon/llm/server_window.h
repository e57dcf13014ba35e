// Asks a model server how large the context window of its model is.
//
// There is no standard for it; each kind of server has its own place, and answers 404 (or 200 with
// an error, LM Studio) at the others' (docs/decisions/memory.md). What counts is the window with
// which the model is loaded: a llama.cpp of 8,192 tokens may run a model that was trained on
// 262,144, and Ollama cuts what is beyond off without a word.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "base/json.h"
#include "llm/client.h"

namespace selfagent {

/// Tokens of the window; 0 if the server does not tell, nothing if it could not be asked. Waits for
/// LlmTimeouts::question and about as much again, except for an Ollama that has to load the model
/// first, which the first request would wait for anyway. Returns nothing soon after `stop`.
std::optional<int64_t> ask_window(const LlmSettings& settings, const std::stop_token& stop);

/// What the answer of a known kind says of `model`, 0 if it says nothing or nonsense.
/// GET /v1/models of vLLM, SGLang, OpenRouter, Groq, Mistral and others.
int64_t window_in_models(const Json& answer, const std::string& model);
/// GET /props of llama.cpp: of one slot.
int64_t window_in_props(const Json& answer);
/// GET /api/v0/models of LM Studio: of a loaded model.
int64_t window_in_lm_studio(const Json& answer, const std::string& model);
/// GET /api/ps of Ollama: of a loaded model.
int64_t window_in_ollama(const Json& answer, const std::string& model);

}  // namespace selfagent
