#include "net/terminal_routes.h"

#include <algorithm>
#include <asio.hpp>
#include <filesystem>

#include "net/body.h"
#include "process/foreground.h"

namespace selfagent {
namespace {

// Of the page's own terminals; the list tells them from those of tools by it.
constexpr const char* page_client = "page";

// What has ended stays in the table for days: a list is for choosing from.
constexpr size_t most_ended_listed = 100;

// Interactive shells do not end by TERM.
constexpr milliseconds end_grace{1000};

// A paste comes as one message.
constexpr size_t most_message_bytes = 1 << 20;

// What tools get keeps pagers off, as nobody would turn their pages: a person's programs have their
// own choice.
const std::vector<std::string> with_pagers{"env", "-u",       "PAGER", "-u",           "GIT_PAGER",
                                           "-u",  "MANPAGER", "-u",    "SYSTEMD_PAGER"};

std::string shell_name(const Sandbox& sandbox) {
  return std::filesystem::path(sandbox.shell()).filename();
}

}  // namespace

Terminals::Terminals(asio::io_context& io, const Sandbox& sandbox, ProcessTable& processes)
    : io_(io), sandbox_(sandbox), processes_(processes) {}

Terminals::~Terminals() {
  std::list<Open> last;
  {
    const std::lock_guard lock(mutex_);
    last.swap(open_);
  }
  for (const Open& each : last) each.viewer->close();
}

void Terminals::add_to(Router& router) {
  router.add_blocking("GET", "/api/terminals", Access::full,
                      [this](const HttpRequest&) { return list(); });
  router.add_blocking("POST", "/api/terminals", Access::full,
                      [this](const HttpRequest& request) { return start(request); });
  router.add_streaming("GET", "/api/terminals/{id}", Access::full,
                       [this](const HttpRequest& request, const ResponderPtr& responder) {
                         show(request, responder);
                       });
  router.add_blocking("DELETE", "/api/terminals/{id}", Access::full,
                      [this](const HttpRequest& request) { return end(request); });
}

Json Terminals::described(const Process& process) const {
  const ProcessState state = process.state();
  Json json = terminal_json(process, state);
  const ProcessInfo& info = process.info();
  const bool idle_shell = info.client == page_client && info.command == shell_name(sandbox_);
  std::string running;
  if (!state.has_exited()) running = idle_shell ? running_under(state.pid) : info.command;
  json["running"] = running;
  return json;
}

HttpResponse Terminals::list() const {
  Json terminals = Json::array();
  size_t ended = 0;
  for (const ProcessPtr& process : processes_.list()) {
    if (process->state().is_over() && ++ended > most_ended_listed) continue;
    terminals.push_back(described(*process));
  }
  return HttpResponse::json(
      200, {{"terminals", terminals}, {"left_out", ended - std::min(ended, most_ended_listed)}});
}

HttpResponse Terminals::start(const HttpRequest& request) {
  const Json body = body_object(request, {"rows", "columns", "command", "cwd"});
  const TerminalSize size = terminal_size(body);
  const std::string command = text_member(body, "command", false);
  ProcessRequest wanted;
  wanted.argv = with_pagers;
  wanted.argv.push_back(sandbox_.shell());
  if (!command.empty()) wanted.argv.insert(wanted.argv.end(), {"-c", command});
  wanted.command = command.empty() ? shell_name(sandbox_) : command;
  wanted.cwd = sandbox_.resolve(text_member(body, "cwd", false));
  wanted.env = {{"TERM", "xterm-256color"}, {"COLORTERM", "truecolor"}};
  wanted.client = page_client;
  wanted.terminal = true;
  wanted.rows = size.rows;
  wanted.columns = size.columns;
  return HttpResponse::json(201, described(*processes_.start(wanted)));
}

HttpResponse Terminals::end(const HttpRequest& request) {
  const ProcessPtr process = processes_.find(request.captures.at("id"));
  process->end(end_grace);
  return HttpResponse::json(202, described(*process));
}

// The checks read files and wait for locks; the upgrade belongs to the network thread.
void Terminals::show(const HttpRequest& request, const ResponderPtr& responder) {
  const ProcessPtr process = processes_.find(request.captures.at("id"));
  if (!responder->wants_web_socket()) {
    return responder->send(HttpResponse::json(200, described(*process)));
  }
  const uint64_t from = first_offset(request, process->state().output_end);
  asio::post(io_, [this, responder, process, from] { open(responder, process, from); });
}

void Terminals::open(const ResponderPtr& responder, const ProcessPtr& process, uint64_t from) {
  const std::lock_guard lock(mutex_);
  // Their threads have nothing left to do but to end.
  open_.remove_if([](const Open& each) { return each.viewer->is_done(); });
  if (open_.size() >= most_viewers) {
    return responder->send(HttpResponse::error(
        429, "resource_exhausted",
        std::to_string(most_viewers) +
            " terminals are open already, which is the most: close one, or a page that shows it"));
  }
  const auto viewer = std::make_shared<TerminalViewer>(
      process, from,
      [this](const TerminalViewer& who, TerminalSize size) { tell_others(who, size); });
  WebSocketEvents events;
  events.max_message = most_message_bytes;
  events.on_message = [viewer](std::string message, bool binary) {
    viewer->receive(std::move(message), binary);
  };
  events.on_close = [viewer] { viewer->close(); };
  auto socket = responder->upgrade("", std::move(events));
  open_.push_back({viewer, std::jthread([viewer, socket] { viewer->run(socket); })});
}

void Terminals::tell_others(const TerminalViewer& who, TerminalSize size) {
  const std::lock_guard lock(mutex_);
  for (const Open& each : open_) {
    if (each.viewer.get() != &who && &each.viewer->process() == &who.process()) {
      each.viewer->tell(size);
    }
  }
}

}  // namespace selfagent
