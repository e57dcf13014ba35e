// With a real message bus: dbus-daemon.
#include "a11y/session_notifications.h"

#include <spawn.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/random.h"
#include "catch.h"

namespace selfagent {

namespace {

bool within_20_s(const std::function<bool()>& condition) {
  const Deadline deadline = Deadline::after(std::chrono::seconds(20));
  while (!condition()) {
    if (deadline.passed()) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

/// A session bus of its own.
class SessionBus {
 public:
  SessionBus()
      : path_(std::filesystem::temp_directory_path() / ("selfagent-test-bus-" + random_hex(6))) {}
  ~SessionBus() { stop(); }

  std::string address() const { return "unix:path=" + path_.string(); }

  void start() {
    std::string option = "--address=" + address();
    std::string words[] = {"dbus-daemon", "--session",   option,
                           "--nofork",    "--nopidfile", "--nosyslog"};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    REQUIRE(::posix_spawnp(&pid_, "dbus-daemon", nullptr, nullptr, argv.data(), environ) == 0);
    REQUIRE(within_20_s([this] { return std::filesystem::exists(path_); }));
  }

  void stop() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    pid_ = 0;
    std::filesystem::remove(path_);
  }

  /// As notify-send does. Nobody shows it.
  void notify(const char* program, const char* summary, const char* body) const {
    sd_bus* bus = nullptr;
    REQUIRE(sd_bus_new(&bus) >= 0);
    REQUIRE(sd_bus_set_address(bus, address().c_str()) >= 0);
    REQUIRE(sd_bus_set_bus_client(bus, 1) >= 0);
    REQUIRE(sd_bus_start(bus) >= 0);
    sd_bus_call_method(bus, "org.freedesktop.Notifications", "/org/freedesktop/Notifications",
                       "org.freedesktop.Notifications", "Notify", nullptr, nullptr, "susssasa{sv}i",
                       program, 0, "", summary, body, 0, 0, -1);
    sd_bus_flush_close_unref(bus);
  }

 private:
  const std::filesystem::path path_;
  pid_t pid_ = 0;
};

}  // namespace

TEST_CASE("notifications on the session bus are heard, in order") {
  SessionBus bus;
  bus.start();
  const SessionNotifications heard(bus.address(), {}, milliseconds(10));
  REQUIRE(within_20_s([&] { return heard.listening(); }));
  CHECK(heard.newest() == 0);
  bus.notify("mail", "New message", "from ñ <b>Ada</b>");
  bus.notify("", "Disk full", "");
  bus.notify("long", "x", std::string(2000, 'y').c_str());
  REQUIRE(within_20_s([&] { return heard.newest() == 3; }));
  const auto all = heard.after(0);
  REQUIRE(all.size() == 3);
  CHECK(all[0].program == "mail");
  CHECK(all[0].summary == "New message");
  CHECK(all[0].body == "from ñ <b>Ada</b>");
  CHECK(all[1].program.empty());
  CHECK(all[2].body.size() == 500);
  CHECK(heard.after(2).size() == 1);
  CHECK(heard.after(3).empty());
}

TEST_CASE("a bus that comes later, or again, is listened to") {
  SessionBus bus;
  const SessionNotifications heard(bus.address(), {}, milliseconds(10));
  CHECK_FALSE(heard.listening());
  bus.start();
  REQUIRE(within_20_s([&] { return heard.listening(); }));
  bus.notify("a", "first", "");
  REQUIRE(within_20_s([&] { return heard.newest() == 1; }));
  bus.stop();
  REQUIRE(within_20_s([&] { return !heard.listening(); }));
  bus.start();
  REQUIRE(within_20_s([&] { return heard.listening(); }));
  bus.notify("a", "second", "");
  REQUIRE(within_20_s([&] { return heard.newest() == 2; }));
  CHECK(heard.after(1)[0].summary == "second");
}

TEST_CASE("without a session bus nothing is heard, and nothing hangs") {
  const SessionNotifications heard("");
  CHECK(heard.newest() == 0);
  CHECK(heard.after(0).empty());
}

}  // namespace selfagent
