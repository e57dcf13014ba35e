// The program's log: lines on standard error. Never write a token, a model key or typed text to it.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

namespace selfagent::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

/// Sends the log to standard error at `level` ("debug", "info", "warn", "error"). Call once, first.
void start(const std::string& level);

}  // namespace selfagent::log
