// Starts a program or opens an address in the browser, and waits for its window.
#include <csignal>

#include "base/error.h"
#include "base/stop_when.h"
#include "process/process_table.h"
#include "process/sandbox.h"
#include "tool/act.h"
#include "tool/input_lease.h"
#include "tool/principal.h"
#include "tool/processes.h"

namespace selfagent {
namespace {

constexpr milliseconds hand_over{1500};
constexpr uint64_t last_words = 4096;
// Browsers write for as long as they run.
constexpr uint64_t kept_output = uint64_t{64} << 20;

struct Args {
  std::string command;
  std::string url;
  int wait_ms = 15'000;
  // A terminal has its window before its shell has written the prompt.
  ActionOptions after{.quiet_ms = 200};
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

ProcessPtr start(const Args& args, ToolContext& context) {
  ProcessRequest request;
  request.argv = command_line(args, context.sandbox);
  request.command = args.command.empty() ? "the browser with " + args.url : args.command;
  request.client = caller_name(context);
  request.call = context.durable_id;
  request.log_bytes = kept_output;
  request.stays = true;
  return processes_of(context).start(request);
}

bool exited(const ProcessState& state) { return state.has_exited(); }

std::string name_of(const Process& process) {
  return "process " + std::to_string(process.state().pid) + " (" + process.info().id + ")";
}

[[noreturn]] void throw_ended(const Process& process, const ProcessState& state) {
  const uint64_t from = state.output_end - std::min(state.output_end, last_words);
  const std::string output = readable(process.read(from, last_words));
  throw Error(ErrorCode::conflict, "the program ended without a window, with " + describe(state) +
                                       (output.empty() ? std::string(", and wrote nothing")
                                                       : ", after writing:\n" + output));
}

/// Waits for a window that was not there before and returns a sentence about it.
std::string wait_for_window(const Args& args, ToolContext& context, const Process& process,
                            WindowWatch& watch, const std::vector<Window>& before) {
  const std::string started = "started " + name_of(process);
  Deadline deadline = Deadline::after(milliseconds(args.wait_ms)).sooner(context.deadline);
  const StopWhen ended_or_stopped(context.stop, [&](const std::stop_token& done) {
    return process.wait(exited, Deadline::never(), done).has_exited();
  });
  bool handed_over = false;
  while (true) {
    const ProcessState state = process.state();  // before the look, so that no window is missed
    for (const Window& window : context.desktop.windows().list()) {
      if (is_new(window, before)) return started + ", its window \"" + window.title + "\" is there";
    }
    const bool ended_well = state.has_exited() && state.exit_code == 0;
    if (state.has_exited() && !ended_well) throw_ended(process, state);
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
    watch.wait(deadline, ended_well ? context.stop : ended_or_stopped.token());
    if (context.stop.stop_requested()) {
      throw Error(ErrorCode::cancelled, started + ", then cancelled while waiting for its window");
    }
  }
}

ToolResult run(const Args& args, ToolContext& context) {
  // A new window would take the keyboard from a person.
  if (context.lease != nullptr) context.lease->require_free(context);
  if (args.wait_ms == 0) {
    return ToolResult::text("started " + name_of(*start(args, context)));
  }
  std::string done;
  return watch_effect(context, args.after, done, [&] {
    const auto watch = context.desktop.windows().watch_windows();
    const std::vector<Window> before = context.desktop.windows().list();
    done = wait_for_window(args, context, *start(args, context), *watch, before);
  });
}

// Which windows were there before is forgotten: the model looks for itself.
Resumption resume(const Args&, ToolContext& context) {
  const ProcessPtr process = started_before(context);
  if (!process) return {};
  return [process](ToolContext&) {
    return ToolResult::text("started " + name_of(*process) + ", which is " +
                            describe(process->state()) + "; look whether its window is there")
        .add(restart_note(*process));
  };
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
          "program goes on after the call, and process_read shows what it writes. If it ends "
          "without "
          "a window you get its exit code and what it wrote. Use shell for commands without a "
          "window and for finding out which "
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
      .resume = resume,
  });
}

}  // namespace selfagent
