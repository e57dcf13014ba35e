#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace selfagent::log {

void start(const std::string& level) {
  auto logger = spdlog::stderr_color_mt("selfagent");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(logger);
}

}  // namespace selfagent::log
