// Starts a program or opens an address in the browser, and waits for its window.
#include <csignal>

#include "base/error.h"
#include "process/command.h"
#include "process/sandbox.h"
#include "tool/act.h"

namespace selfagent {
namespace {

constexpr milliseconds hand_over{1500};

struct Args {
  std::string command;
  std::string url;
  int wait_ms = 15'000;
  ActionOptions after;
};

/// Asks a shell of the sandbox, because it knows the PATH of its user. The first that exists runs.
/// Chromium refuses to run as root with its own sandbox; where the user is root anyway (a private
/// machine without a sandbox user) there is nothing left to protect.
constexpr const char* browse = R"(
for browser in chromium chromium-browser google-chrome firefox firefox-esr x-www-browser sensible-browser; do
  command -v "$browser" >/dev/null || continue
  case "$(id -u) $browser" in
    "0 chromium"*|"0 google-chrome") exec "$browser" --no-sandbox "$1" ;;
  esac
  exec "$browser" "$1"
done
echo 'no browser is installed' >&2
exit 127)";

std::vector<std::string> command_line(const Args& args, const Sandbox& sandbox) {
  if (args.command.empty() == args.url.empty()) {
    throw ParameterError("give either command or url, and only one of them");
  }
  if (!args.command.empty()) return {sandbox.shell(), "-c", args.command};
  return {"/bin/sh", "-c", browse, "browse", args.url};
}

bool is_new(const Window& window, const std::vector<Window>& before) {
  return std::none_of(before.begin(), before.end(),
                      [&](const Window& old) { return old.id == window.id; });
}

/// "exit code 1", "signal 11", or "" while it runs.
std::string ending(const Sandbox& sandbox, pid_t pid) {
  const auto status = sandbox.reaper().exit_status(pid);
  if (!status) return "";
  if (status->signal != 0) return "signal " + std::to_string(status->signal);
  return "exit code " + std::to_string(status->exit_code);
}

[[noreturn]] void throw_ended(const Sandbox& sandbox, pid_t pid, const std::string& end) {
  const std::string output = sandbox.reaper().last_output(pid);
  throw Error(ErrorCode::conflict, "the program ended without a window, with " + end +
                                       (output.empty() ? std::string(", and wrote nothing")
                                                       : ", after writing:\n" + output));
}

/// Waits for a window that was not there before and returns a sentence about it.
std::string wait_for_window(const Args& args, ToolContext& context, pid_t pid,
                            const std::vector<Window>& before) {
  const std::string started = "started process " + std::to_string(pid);
  Deadline deadline = Deadline::after(milliseconds(args.wait_ms)).sooner(context.deadline);
  bool handed_over = false;
  while (true) {
    const std::string end =
        ending(context.sandbox, pid);  // before the look, so that no window is missed
    for (const Window& window : context.desktop.windows().list()) {
      if (is_new(window, before)) return started + ", its window \"" + window.title + "\" is there";
    }
    const bool ended_well = end == "exit code 0";
    if (!end.empty() && !ended_well) throw_ended(context.sandbox, pid, end);
    if (ended_well && !handed_over) {
      // A browser that already runs gets the address from this process; a command with & is still
      // starting its program.
      handed_over = true;
      deadline = deadline.sooner(Deadline::after(hand_over));
    }
    if (deadline.passed() && ended_well) {
      return started + ", which ended well without a new window";
    }
    if (deadline.passed()) {
      return started + "; after " + std::to_string(args.wait_ms) +
             " ms it still runs but has no window yet";
    }
    context.desktop.windows().wait_for_change(deadline.left(), context.stop);
    if (context.stop.stop_requested()) {
      throw Error(ErrorCode::cancelled, started + ", then cancelled while waiting for its window");
    }
  }
}

ToolResult run(const Args& args, ToolContext& context) {
  const std::vector<std::string> argv = command_line(args, context.sandbox);
  const std::vector<Window> before = context.desktop.windows().list();
  const pid_t pid = start_detached(context.sandbox, argv, context.sandbox.workspace());
  if (args.wait_ms == 0) return ToolResult::text("started process " + std::to_string(pid));
  // The watch begins when the window is there: starting may take longer than settling.
  const std::string done = wait_for_window(args, context, pid, before);
  return act(context, args.after, done, [] {});
}

}  // namespace

Tool launch() {
  return make_tool<Args>({
      .name = "launch",
      .title = "Start a program",
      .description =
          "Starts a program with a window, or opens a web address in the browser, waits until a "
          "new "
          "window is there and the screen has come to rest, and returns the window's title. The "
          "program goes on after the call. If it ends without a window you get its exit code and "
          "what it wrote. Use shell for commands without a window and for finding out which "
          "programs are installed. A program that is already open is brought to the front by "
          "window; launching it again may open a second one.",
      .area = ToolArea::both,
      .annotations =
          {.read_only = false, .destructive = true, .idempotent = false, .open_world = true},
      .params =
          {
              param("command", &Args::command,
                    "Shell command that starts the program, e.g. \"xterm\" or \"mousepad "
                    "notes.txt\"; no & is needed.")
                  .range(1, 10'000)
                  .optional(),
              param("url", &Args::url, "Address to open in the browser, instead of command.")
                  .range(1, 10'000)
                  .optional(),
              param("wait_ms", &Args::wait_ms,
                    "Longest wait in milliseconds for the window; 0 does not wait.")
                  .range(0, 120'000)
                  .optional(),
              action_params(&Args::after),
          },
      .long_running = true,
      .run = run,
  });
}

}  // namespace selfagent
