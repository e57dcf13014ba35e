// The terminals of the page: every process of the table, shown while it runs and after, and typed
// into where it has a terminal.
//
// A terminal of the page is a process like any other (process/process_table.h): it survives the
// page, and a crash of the daemon, and its output is read again from its log at any offset. What is
// typed is written nowhere but into the process.
#pragma once

#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "net/router.h"
#include "net/terminal_viewer.h"
#include "process/process_table.h"
#include "process/sandbox.h"

namespace asio {
class io_context;
}

namespace selfagent {

/// The routes below /api/terminals. Thread-safe. All that is given outlives it, the server's
/// connections too.
class Terminals {
 public:
  /// Open at a time; each costs a thread.
  static constexpr size_t most_viewers = 64;

  Terminals(asio::io_context& io, const Sandbox& sandbox, ProcessTable& processes);
  /// Ends all viewers and waits for them.
  ~Terminals();
  Terminals(const Terminals&) = delete;
  Terminals& operator=(const Terminals&) = delete;

  void add_to(Router& router);

 private:
  struct Open {
    std::shared_ptr<TerminalViewer> viewer;
    std::jthread thread;
  };

  HttpResponse list() const;
  HttpResponse start(const HttpRequest& request);
  HttpResponse end(const HttpRequest& request);
  void show(const HttpRequest& request, const ResponderPtr& responder);
  void open(const ResponderPtr& responder, const ProcessPtr& process, uint64_t from);
  void tell_others(const TerminalViewer& who, TerminalSize size);
  Json described(const Process& process) const;

  asio::io_context& io_;
  const Sandbox& sandbox_;
  ProcessTable& processes_;
  std::mutex mutex_;  // protects open_
  std::list<Open> open_;
};

}  // namespace selfagent
