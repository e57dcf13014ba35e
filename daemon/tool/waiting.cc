#include "tool/waiting.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/wait.h"
#include "process/process_table.h"
#include "process/sandbox.h"
#include "tool/effect.h"
#include "tool/processes.h"
#include "tool/screen_texts.h"

namespace selfagent {
namespace {

// Between two looks at windows that never rest.
constexpr milliseconds least_pause{20};
// Text is looked for when the drawing has paused, but at the latest after this.
constexpr milliseconds text_quiet{80};
constexpr milliseconds text_patience{500};
// Programs tell their texts a moment after they have drawn them.
constexpr milliseconds text_again{1000};
// A look takes a second or two where it has to be read from the picture; one look is always taken.
constexpr milliseconds first_look{3000};

Rect whole_screen(ToolContext& context) {
  const Size size = context.desktop.screen().size();
  return {0, 0, size.width, size.height};
}

[[noreturn]] void throw_cancelled(const std::string& what) {
  throw Error(ErrorCode::cancelled, "cancelled while waiting for " + what);
}

std::string place(Rect area) {
  return "x=" + std::to_string(area.x) + ".." + std::to_string(area.x + area.width - 1) +
         " y=" + std::to_string(area.y) + ".." + std::to_string(area.y + area.height - 1);
}

std::string window_list(const std::vector<Window>& windows) {
  if (windows.empty()) return "there are no windows";
  constexpr size_t most = 20;
  std::string text = "there are: ";
  for (size_t i = 0; i < windows.size() && i < most; ++i) {
    text += (i == 0 ? "" : ", ") + window_name(windows[i]);
    if (windows[i].active) text += " (active)";
  }
  if (windows.size() > most) text += " and " + std::to_string(windows.size() - most) + " more";
  return text;
}

/// The started program with this number, the newest of several; null for any other.
ProcessPtr started_process(const ToolContext& context, pid_t pid) {
  if (context.processes == nullptr) return nullptr;
  for (ProcessPtr& process : context.processes->list()) {
    if (process->state().pid == pid) return std::move(process);
  }
  return nullptr;
}

}  // namespace

Waited wait_settled(ToolContext& context, milliseconds quiet, Deadline deadline) {
  const auto watch = context.desktop.screen().watch(Repainting::ignored);
  const Settled settled = watch->settle(quiet, quiet, deadline.left(), context.stop);
  const bool too_short = !settled.changed && deadline.left().count() == 0;
  if (settled.timed_out || too_short) {
    return {false, settled.changed ? "the screen was still changing in " + place(settled.area)
                                   : "the time was over before the screen had been at rest for " +
                                         std::to_string(quiet.count()) + " ms"};
  }
  return {true, settled.changed ? "the screen came to rest" : "the screen was at rest already"};
}

Waited wait_window(ToolContext& context, const LinePattern& title, bool gone, bool active_only,
                   Deadline deadline) {
  const auto watch = context.desktop.windows().watch_windows();
  while (true) {
    const Deadline next_look = Deadline::after(least_pause);
    const std::vector<Window> windows = context.desktop.windows().list();
    const auto match = std::find_if(windows.begin(), windows.end(), [&](const Window& window) {
      return (window.active || !active_only) && title.matches(window.title);
    });
    const bool there = match != windows.end();
    if (there && !gone) {
      return {true, "the window " + window_name(*match) +
                        (match->active ? " is there and active" : " is there, not active")};
    }
    if (!there && gone) return {true, "no window matches; " + window_list(windows)};
    if (deadline.passed()) {
      return {false, gone ? "the window " + window_name(*match) + " is still there"
                          : window_list(windows)};
    }
    watch->wait(deadline, context.stop);
    if (!sleep_until(next_look.sooner(deadline), context.stop)) throw_cancelled("a window");
  }
}

Waited wait_change(ToolContext& context, Rect area, Deadline deadline) {
  Screen& screen = context.desktop.screen();
  const auto watch = screen.watch(Repainting::ignored);
  const Pixels before = screen.capture(area, false);
  while (watch->drawn_in(area, deadline.left(), context.stop)) {
    if (screen.capture(area, false).bytes != before.bytes) {
      return {true, place(area) + " looks different"};
    }
    if (deadline.passed()) break;
  }
  return {false, place(area) + " still looks the same"};
}

Waited wait_text(ToolContext& context, const std::string& text, bool gone, Deadline deadline) {
  const auto watch = context.desktop.screen().watch(Repainting::ignored);
  const Rect area = whole_screen(context);
  std::optional<FoundText> seen;
  Deadline look = Deadline::after(std::max(first_look, deadline.left())).sooner(context.deadline);
  while (true) {
    const auto found = find_on_screen(context, text, look);
    if (context.stop.stop_requested()) throw_cancelled("text on the screen");
    if (found && !gone) {
      return {true,
              "\"" + found->line + "\" is at " + place(found->area) + " (by " + found->by + ")"};
    }
    // A look that was cut short has not seen that it is gone.
    if (!found && gone && !look.passed()) return {true, "the text is not on the screen"};
    if (found) seen = found;
    if (deadline.passed()) {
      return {false, seen ? "\"" + seen->line + "\" was still at " + place(seen->area)
                          : (gone ? "the screen could not be read in time; "
                                  : "the text is not on the screen; ") +
                                window_list(context.desktop.windows().list())};
    }
    look = deadline;
    if (watch->drawn_in(area, std::min(text_again, deadline.left()), context.stop)) {
      watch->settle(text_quiet, text_quiet, std::min(text_patience, deadline.left()), context.stop);
    }
  }
}

Waited wait_process(ToolContext& context, pid_t pid, Deadline deadline) {
  const std::string name = "process " + std::to_string(pid);
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const int missing = process ? 0 : errno;
  const ProcessPtr started = started_process(context, pid);
  const bool before = started && started->state().has_exited();
  // The number of one that has ended may be another's by now.
  if (started && (!before || !process)) {
    const ProcessState state = started->wait(
        [](const ProcessState& now) { return now.has_exited(); }, deadline, context.stop);
    if (state.has_exited()) {
      return {true, name + (before ? " had ended already; " : " has ended; ") + describe(state)};
    }
    if (context.stop.stop_requested()) throw_cancelled("the end of " + name);
    return {false, name + " still runs"};
  }
  if (!process && missing != ESRCH) throw system_error("watching " + name, missing);
  if (!process) {
    throw Error(ErrorCode::not_found, "there is no " + name +
                                          ": it may have ended already; shell with ps shows those "
                                          "that run");
  }
  const StopDescriptor stop(context.stop);
  switch (poll_until(process.get(), POLLIN, deadline, stop)) {
    case PollEnd::stopped:
      throw_cancelled("the end of " + name);
    case PollEnd::deadline:
      return {false, name + " still runs"};
    case PollEnd::ready:
      break;
  }
  return {true, name + " has ended"};
}

}  // namespace selfagent
