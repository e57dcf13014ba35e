#include "tool/act.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

#include "base/error.h"
#include "image/png.h"

namespace selfagent {
namespace {

// Programs answer a key or a click within a few frames; a screen that is untouched for this long
// was most likely not meant to change.
constexpr milliseconds grace{300};
// Longer than the gap between two frames of a slow program, shorter than a person's reaction.
constexpr milliseconds quiet{80};

std::string name_of(const Window& window) {
  return '"' + (window.title.empty() ? window.window_class : window.title) + '"';
}

std::string hexadecimal(uint64_t id) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(id));
  return text;
}

std::string share(int64_t pixels, Size screen) {
  const double all = static_cast<double>(screen.width) * screen.height;
  const double percent = 100.0 * static_cast<double>(pixels) / std::max(all, 1.0);
  char text[16];
  std::snprintf(text, sizeof text, "%.1f%%", std::min(percent, 100.0));
  return percent < 0.05 ? "less than 0.1%" : text;
}

std::string change(const Settled& settled, Size screen, milliseconds limit) {
  if (!settled.changed) return "nothing changed on the screen";
  const Rect& area = settled.area;
  std::string text = share(settled.pixels, screen) +
                     " of the screen changed in x=" + std::to_string(area.x) + ".." +
                     std::to_string(area.x + area.width - 1) + " y=" + std::to_string(area.y) +
                     ".." + std::to_string(area.y + area.height - 1) + "; ";
  if (settled.timed_out) {
    return text + "it was still changing after " + std::to_string(limit.count()) + " ms";
  }
  if (settled.rest.count() == 0) return text + "settled at once";
  return text + "settled in " + std::to_string(settled.rest.count()) + " ms";
}

/// The windows of `some` that are not in `others`, as `; opened: "Save as" (0x1a00003)`.
std::string difference(const char* what, const std::vector<Window>& some,
                       const std::vector<Window>& others) {
  std::string text;
  for (const Window& window : some) {
    const bool in_both = std::any_of(others.begin(), others.end(),
                                     [&](const Window& other) { return other.id == window.id; });
    if (in_both) continue;
    text += (text.empty() ? std::string("; ") + what + ": " : ", ") + name_of(window) + " (" +
            hexadecimal(window.id) + ")";
  }
  return text;
}

std::string active_name(const std::vector<Window>& windows) {
  const auto active = std::find_if(windows.begin(), windows.end(),
                                   [](const Window& window) { return window.active; });
  return active == windows.end() ? "none" : name_of(*active);
}

std::string window_changes(const std::vector<Window>& before, const std::vector<Window>& after) {
  const std::string old_active = active_name(before);
  const std::string new_active = active_name(after);
  return "; active window: " +
         (old_active == new_active ? new_active : old_active + " -> " + new_active) +
         difference("opened", after, before) + difference("closed", before, after);
}

/// What the action changed; it is already done, so whatever goes wrong here must say so.
std::string effect(ToolContext& context, ScreenWatch& watch, const std::vector<Window>& before,
                   milliseconds limit) {
  context.desktop.pointer().finish();
  const Settled settled =
      watch.settle(std::min(grace, limit), std::min(quiet, limit), limit, context.stop);
  return "; " + change(settled, context.desktop.screen().size(), limit) +
         window_changes(before, context.desktop.windows().list());
}

}  // namespace

ToolResult act(ToolContext& context, const ActionOptions& options, const std::string& done,
               const std::function<void()>& action) {
  std::string text = done;
  const milliseconds limit = std::min(milliseconds(options.settle_ms), context.deadline.left());
  if (limit.count() > 0) {
    const std::vector<Window> before = context.desktop.windows().list();
    const auto watch = context.desktop.screen().watch();
    action();
    try {
      text += effect(context, *watch, before, limit);
    } catch (const Error& error) {
      throw Error(error.code(), done + ", but then: " + error.what());
    }
  } else {
    action();
  }
  ToolResult result = ToolResult::text(std::move(text));
  if (options.screenshot) result.add(screen_picture(context.desktop, true));
  return result;
}

EncodedImagePtr screen_picture(Desktop& desktop, bool cursor) {
  const Size size = desktop.screen().size();
  const Pixels pixels = desktop.screen().capture({0, 0, size.width, size.height}, cursor);
  return std::make_shared<EncodedImage>(encode_png(pixels), "image/png", pixels.width,
                                        pixels.height);
}

}  // namespace selfagent
