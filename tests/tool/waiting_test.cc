// What waits see and say, title patterns, and reading what tesseract writes.
#include "tool/waiting.h"

#include <unistd.h>

#include "base/error.h"
#include "catch.h"
#include "desktop/fake_desktop.h"
#include "desktop/texts.h"
#include "process/process_table.h"
#include "process/reaper.h"
#include "process/sandbox.h"
#include "process/scratch.h"
#include "schema/param.h"
#include "tool/ocr.h"

namespace selfagent {
namespace {

/// Text that is there or not, or cannot be asked for.
struct FakeTexts : Texts {
  std::optional<FoundText> find(const std::string& text, Deadline deadline,
                                const std::stop_token&) override {
    if (deadline.passed() || folded(shown).find(folded(text)) == std::string::npos)
      return std::nullopt;
    return FoundText{shown, {10, 20, 30, 5}, "accessibility"};
  }
  std::string shown;
};

struct Waits {
  FakeDesktop desktop;
  Sandbox sandbox{Sandbox::Settings{"", "/tmp", ":fake"}};
  std::stop_source stop;
  FakeTexts texts;
  ToolContext context{.desktop = desktop, .sandbox = sandbox, .stop = stop.get_token()};
  const Deadline now = Deadline(Clock::now());
  const Deadline later = Deadline::after(std::chrono::seconds(60));

  Waits() {
    context.texts = &texts;
    desktop.window_list.resize(2);
    desktop.window_list[0].id = 0x10;
    desktop.window_list[0].title = "notes.txt - Mousepad";
    desktop.window_list[1].id = 0x11;
    desktop.window_list[1].title = "Save As";
    desktop.window_list[1].active = true;
  }
  Waited window(const std::string& pattern, bool gone, bool active_only = false) {
    return wait_window(context, LinePattern("window", pattern), gone, active_only, now);
  }
};

TEST_CASE_METHOD(Waits, "a window is found by a part of its title, whatever its case") {
  CHECK(window("save as$", false).seen == "the window \"Save As\" (0x11) is there and active");
  CHECK(window("^notes.*pad", false).seen ==
        "the window \"notes.txt - Mousepad\" (0x10) is there, not active");
}

TEST_CASE_METHOD(Waits, "a window that is not there is named with those that are") {
  const Waited waited = window("Open", false);
  CHECK_FALSE(waited.met);
  CHECK(waited.seen == "there are: \"notes.txt - Mousepad\" (0x10), \"Save As\" (0x11) (active)");
  CHECK_FALSE(window("notes", false, true).met);
  CHECK(window("Save", false, true).met);
}

TEST_CASE_METHOD(Waits, "a window that is to go is waited for") {
  CHECK(window("Open", true).met);
  const Waited waited = window("Save", true);
  CHECK_FALSE(waited.met);
  CHECK(waited.seen == "the window \"Save As\" (0x11) is still there");
}

TEST_CASE_METHOD(Waits, "a window is looked for when the windows changed, drawn or not") {
  int changes = 0;
  desktop.next_window_change = [&] {
    if (++changes == 3) desktop.window_list[0].title = "Opened";
    return true;
  };
  CHECK(wait_window(context, LinePattern("window", "^Opened"), false, false, later).met);
  CHECK(changes == 3);
}

TEST_CASE_METHOD(Waits, "a cancelled wait for a window ends") {
  stop.request_stop();
  CHECK_THROWS_WITH(wait_window(context, LinePattern("window", "Open"), false, false, later),
                    ContainsSubstring("cancelled"));
}

TEST_CASE_METHOD(Waits, "rest says whether there was unrest, and where there still is") {
  CHECK(wait_settled(context, milliseconds(50), later).seen == "the screen was at rest already");
  desktop.settled.changed = true;
  desktop.settled.area = {1, 2, 3, 4};
  CHECK(wait_settled(context, milliseconds(50), later).seen == "the screen came to rest");
  desktop.settled.timed_out = true;
  const Waited waited = wait_settled(context, milliseconds(50), later);
  CHECK_FALSE(waited.met);
  CHECK(waited.seen == "the screen was still changing in x=1..3 y=2..5");
}

TEST_CASE_METHOD(Waits, "a region that is drawn again and looks the same has not changed") {
  desktop.settled.changed = true;
  const Waited waited = wait_change(context, {0, 0, 10, 10}, now);
  CHECK_FALSE(waited.met);
  CHECK(waited.seen == "x=0..9 y=0..9 still looks the same");
}

TEST_CASE_METHOD(Waits, "text is told with its line, its place and who told it") {
  texts.shown = "Download\t complete: 3 files";
  const Waited waited = wait_text(context, "download complete", false, later);
  CHECK(waited.met);
  CHECK(waited.seen ==
        "\"Download\t complete: 3 files\" is at x=10..39 y=20..24 (by accessibility)");
  CHECK_FALSE(wait_text(context, "DOWNLOAD", true, now).met);
}

TEST_CASE_METHOD(Waits, "a look that ran out of time is no proof that the text has gone") {
  texts.shown = "Saving";
  const Waited waited =
      wait_text(context, "saving", true, Deadline::after(std::chrono::milliseconds(30)));
  CHECK_FALSE(waited.met);
}

TEST_CASE_METHOD(Waits, "the end of a started program is seen, with its exit code") {
  const Scratch scratch;
  ProcessTable::Settings settings;
  settings.folder = scratch.path() / "processes";
  ProcessTable table(sandbox, settings);
  context.processes = &table;
  ProcessRequest request;
  request.argv = {"sh", "-c", "read line; exit 7"};
  request.open_input = true;
  const ProcessPtr started = table.start(request);
  const pid_t pid = started->state().pid;
  CHECK(wait_process(context, pid, now).seen == "process " + std::to_string(pid) + " still runs");
  started->write("\n");
  // "has ended" or "had ended already": that is up to the scheduler.
  CHECK_THAT(wait_process(context, pid, later).seen, ContainsSubstring("; exit code 7"));
  CHECK_THAT(wait_process(context, pid, later).seen,
             ContainsSubstring("had ended already; exit code 7"));
}

TEST_CASE_METHOD(Waits, "the end of any process is seen") {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(7);
  CHECK(wait_process(context, child, later).seen ==
        "process " + std::to_string(child) + " has ended");
  reap(child);
  CHECK_THROWS_WITH(wait_process(context, child, later), ContainsSubstring("there is no process"));
  const Waited waited = wait_process(context, ::getpid(), now);
  CHECK_FALSE(waited.met);
  CHECK(waited.seen == "process " + std::to_string(::getpid()) + " still runs");
}

TEST_CASE("a pattern that could cost much, or is none, is refused with its parameter") {
  CHECK_THROWS_WITH(LinePattern("window", "(a{255}){255}"),
                    ContainsSubstring("window=\"(a{255}){255}\" has a { that is not escaped"));
  CHECK_THROWS_WITH(LinePattern("window", "(a)\\1"), ContainsSubstring("back-reference"));
  CHECK_THROWS_WITH(LinePattern("steps[1].expect_window", "(a"),
                    ContainsSubstring("steps[1].expect_window=\"(a\" is no POSIX extended"));
  CHECK(LinePattern("window", "\\{x\\}|\\\\").matches("a{X}"));
  CHECK(LinePattern("window", "ü").matches("Menü"));
}

TEST_CASE("a long title is matched at once") {
  const LinePattern hard("window", "(a+)+$");
  CHECK_FALSE(hard.matches(std::string(100'000, 'a') + "b") ==
              hard.matches(std::string(500, 'a') + "b"));
}

constexpr const char* tsv =
    "level\tpage_num\tblock_num\tpar_num\tline_num\tword_"
    "num\tleft\ttop\twidth\theight\tconf\ttext\n"
    "1\t1\t0\t0\t0\t0\t0\t0\t400\t200\t-1\t\n"
    "4\t1\t1\t1\t1\t0\t20\t10\t100\t16\t-1\t\n"
    "5\t1\t1\t1\t1\t1\t20\t10\t40\t16\t96.1\tSave\n"
    "5\t1\t1\t1\t1\t2\t64\t12\t56\t14\t95.0\tchanges?\n"
    "5\t1\t1\t1\t2\t1\t20\t40\t30\t12\t91.0\tYes\n";

TEST_CASE("words that tesseract read are found across a line, in pixels of the screen") {
  const auto found = find_in_tsv(tsv, "SAVE  changes", 2);
  REQUIRE(found);
  CHECK(found->line == "Save changes?");
  CHECK(found->area == Rect{10, 5, 50, 8});
  CHECK(found->by == "OCR");
  REQUIRE(find_in_tsv(tsv, "yes", 2));
  CHECK(find_in_tsv(tsv, "yes", 2)->area == Rect{10, 20, 15, 6});
  CHECK_FALSE(find_in_tsv(tsv, "changes? Yes", 2));
  CHECK_FALSE(find_in_tsv("", "yes", 2));
  CHECK_FALSE(find_in_tsv("5\t1\tbroken", "yes", 2));
}

}  // namespace
}  // namespace selfagent
