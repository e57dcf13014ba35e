#include "tool/notification_text.h"

#include "desktop/notifications.h"
#include "tool/secrets.h"

namespace selfagent {

namespace {

constexpr size_t most_notifications = 5;

}  // namespace

uint64_t newest_notification(const ToolContext& context) {
  return context.notifications == nullptr ? 0 : context.notifications->newest();
}

// Programs write what they like there: values of secrets are cut out, the rest is quoted.
std::string tell_notifications(const ToolContext& context, uint64_t& seen) {
  if (context.notifications == nullptr) return "";
  const auto all = context.notifications->after(seen);
  if (all.empty()) return "";
  seen = all.back().number;
  ToolResult told = ToolResult::text("A notification was shown:");
  const size_t first = all.size() > most_notifications ? all.size() - most_notifications : 0;
  if (first > 0) told.add("(and " + std::to_string(first) + " before these)");
  for (size_t i = first; i < all.size(); ++i) {
    const Notification& one = all[i];
    told.add("- " + (one.program.empty() ? "" : one.program + ": ") + '"' + one.summary + '"' +
             (one.body.empty() ? "" : " \"" + one.body + '"'));
  }
  if (context.secrets != nullptr) context.secrets->redact(told);
  return told.all_text();
}

}  // namespace selfagent
