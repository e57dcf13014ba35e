#include "tool/call_target.h"

#include <sys/stat.h>

#include "base/error.h"
#include "base/lower.h"
#include "base/utf8.h"
#include "desktop/texts.h"
#include "process/files.h"

namespace selfagent {

namespace {

constexpr milliseconds longest_target_look{2'000};
constexpr size_t most_target_elements = 2'000;
constexpr size_t longest_label = 80;  // a longer one is a text, not a label
constexpr uint64_t most_script_bytes = 1 << 20;

// A program without accessibility tells nothing.
std::vector<Element> elements_of(const Window& window, ToolContext& context) {
  if (context.texts == nullptr) return {};
  try {
    return context.texts->elements(window, most_target_elements,
                                   context.deadline.sooner(Deadline::after(longest_target_look)),
                                   context.stop);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    return {};
  }
}

// Fields and running text are written in or read, not pressed.
bool can_be_pressed(const Element& element) {
  if (element.name.empty() || element.name.size() > longest_label) return false;
  const std::string role = lower(element.role);
  for (const char* word :
       {"entry", "document", "paragraph", "heading", "frame", "window", "password", "application",
        "scroll", "tool bar", "menu bar", "terminal"}) {
    if (role.find(word) != std::string::npos) return false;
  }
  return role != "text";
}

bool is_button(const Element& element) {
  const std::string role = lower(element.role);
  return can_be_pressed(element) && role.find("button") != std::string::npos;
}

bool covers(const Rect& area, Point at) {
  return at.x >= area.x && at.y >= area.y && at.x < area.x + area.width &&
         at.y < area.y + area.height;
}

CallTarget target_in(const Window& window) {
  CallTarget target;
  target.window = window.title;
  const std::string kind = lower(window.window_class);
  for (const char* word : {"term", "konsole", "kitty", "tilix", "rxvt", "st-256color", "console"}) {
    target.terminal = target.terminal || kind.find(word) != std::string::npos;
  }
  return target;
}

std::vector<Window> windows_of(ToolContext& context) {
  try {
    return context.desktop.windows().list();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    return {};
  }
}

}  // namespace

CallTarget target_at(ToolContext& context, Point at) {
  const std::vector<Window> windows = windows_of(context);
  for (auto window = windows.rbegin(); window != windows.rend(); ++window) {
    if (window->minimized || !covers(window->geometry, at)) continue;
    CallTarget target = target_in(*window);
    for (const Element& element : elements_of(*window, context)) {
      if (covers(element.area, at) && can_be_pressed(element)) target.names.push_back(element.name);
    }
    return target;
  }
  return {};
}

CallTarget target_at_pointer(ToolContext& context) {
  try {
    return target_at(context, context.desktop.pointer().position());
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    return {};
  }
}

CallTarget target_of_focus(ToolContext& context) {
  for (const Window& window : windows_of(context)) {
    if (!window.active) continue;
    CallTarget target = target_in(window);
    for (const Element& element : elements_of(window, context)) {
      const bool focused = element.state.find("focused") != std::string::npos;
      if (focused && can_be_pressed(element)) {
        target.names.push_back(element.name);
      } else if (is_button(element)) {
        target.buttons.push_back(element.name);
      }
    }
    return target;
  }
  return {};
}

std::optional<std::string> text_of_file(const ToolContext& context, const std::string& path) {
  try {
    const Files files(context.sandbox);
    std::string text = files.read(files.resolve(path), most_script_bytes);
    if (is_utf8(text) && text.find('\0') == std::string::npos) return text;
  } catch (const Error&) {
    // There is none, or it is not for the sandbox user.
  }
  return std::nullopt;
}

bool file_exists(const ToolContext& context, const std::string& path) {
  try {
    const Files files(context.sandbox);
    return S_ISREG(files.info(files.resolve(path)).st_mode);
  } catch (const Error&) {
    return false;
  }
}

std::vector<std::string> own_folders(const ToolContext& context) {
  return {context.sandbox.home().string(), context.sandbox.workspace().string()};
}

}  // namespace selfagent
