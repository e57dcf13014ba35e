#include "app/daemon.h"

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <asio.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "a11y/accessible_texts.h"
#include "a11y/session_notifications.h"
#include "app/instructions.h"
#include "app/metrics_page.h"
#include "app/settings_of_parts.h"
#include "base/log.h"
#include "jobs/job_tasks.h"
#include "jobs/retention.h"
#include "jobs/runner.h"
#include "kernel/kernels.h"
#include "mcp/conformance.h"
#include "mcp/desktop_prompts.h"
#include "mcp/desktop_resources.h"
#include "mcp/server.h"
#include "net/approval_routes.h"
#include "net/control_socket.h"
#include "net/conversation_routes.h"
#include "net/event_stream.h"
#include "net/file_routes.h"
#include "net/job_resource.h"
#include "net/job_routes.h"
#include "net/lab.h"
#include "net/lease_routes.h"
#include "net/metrics_routes.h"
#include "net/openai_errors.h"
#include "net/openai_routes.h"
#include "net/page_routes.h"
#include "net/rfb_bridge.h"
#include "net/router.h"
#include "net/rpc_routes.h"
#include "net/secret_routes.h"
#include "net/server.h"
#include "net/static_files.h"
#include "net/terminal_routes.h"
#include "planner/planner.h"
#include "process/process_table.h"
#include "process/sandbox.h"
#include "process/shell_sessions.h"
#include "store/store.h"
#include "telemetry/exporter.h"
#include "telemetry/run_spans.h"
#include "tool/caller.h"
#include "tool/frames.h"
#include "tool/held_input.h"
#include "tool/input_lease.h"
#include "tool/secrets.h"
#include "x11/accessibility_bus.h"
#include "x11/desktop.h"

namespace selfagent {

namespace {

// Enough that slow calls never hold up quick ones: a thread that waits costs a few kilobytes.
constexpr size_t max_threads = 128;
constexpr size_t max_waiting_calls = 1024;

// Routes have threads of their own: Stop and the health checks work however many calls hang.
constexpr size_t max_route_threads = 16;

constexpr auto shutdown_limit = std::chrono::seconds(4);
// An orderly stop is that of the sandbox; programs outlive only a daemon that crashed.
constexpr milliseconds process_grace{1500};

void make_private_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || ::chmod(folder.c_str(), 0700) != 0) {
    throw Error(ErrorCode::permission_denied,
                "cannot use the data folder " + folder.string() +
                    ": choose one that this user owns with --data-dir");
  }
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

std::string session_bus() {
  const char* address = std::getenv("DBUS_SESSION_BUS_ADDRESS");
  return address == nullptr ? "" : address;
}

// Room for connections: the usual limit of 1,024 is smaller than what the port may have. What tools
// start gets the old one (process/spawn.cc).
void raise_descriptor_limit() {
  constexpr rlim_t enough = 65536;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= enough) return;
  limit.rlim_cur = std::min(enough, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The runs of the planner on their way to an OpenTelemetry collector.
struct Telemetry {
  Telemetry(SpanExporter::Settings settings, Store& store)
      : exporter(std::move(settings)),
        subscription(store.subscribe([this](const Event& event) { runs.hear(event); })) {}

  SpanExporter exporter;
  RunSpans runs{[this](Span span) { exporter.add(std::move(span)); }};
  std::unique_ptr<Store::Subscription> subscription;
};

std::unique_ptr<Telemetry> telemetry(Store& store) {
  const auto environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  auto settings = exporter_settings(environment, version);
  if (!settings) return nullptr;
  log::info("spans of the planner's runs are sent to {}", settings->url);
  return std::make_unique<Telemetry>(std::move(*settings), store);
}

}  // namespace

// Members are in the order of their dependence: the last is destroyed first.
struct Daemon::State {
  explicit State(Settings given)
      : settings(std::move(given)),
        lane([this] { return step(); }),
        pool(max_threads, max_waiting_calls),
        routes(max_route_threads, max_waiting_calls),
        sandbox(sandbox_settings(settings)),
        desktop(open_desktop(settings.display)),
        held(*desktop),
        lease(settings.lease_idle),
        texts(accessibility_bus(settings.display)),
        notifications(session_bus(),
                      [this](const std::function<void()>& connect) {
                        const AsPeer peer(sandbox);
                        connect();
                      }),
        store(settings.data_dir),
        spans(telemetry(store)),
        secrets(settings.data_dir / "secrets.json"),
        processes(sandbox, process_settings(settings)),
        kernels(sandbox, processes, kernel_settings(settings)),
        shell_sessions(sandbox, processes, {settings.session_idle}),
        contexts([this](std::stop_token stop, Deadline deadline) {
          ToolContext context{*desktop, sandbox, std::move(stop), deadline};
          context.held = &held;
          context.lease = &lease;
          context.frames = &frames;
          context.registry = &registry;
          context.processes = &processes;
          context.kernels = &kernels;
          context.shell_sessions = &shell_sessions;
          context.texts = &texts;
          context.notifications = &notifications;
          context.secrets = &secrets;
          context.tasks = &tasks;
          return context;
        }),
        client_tools(tools_of_clients(settings.model.configured())),
        registry(client_tools.without("run_task")),
        caller(client_tools, pool, &lane, contexts),
        mcp_server(caller, {identity(), settings.conformance, settings.call_deadline}),
        planner(registry, store, contexts,
                {counted(settings.model), counted(settings.fallback),
                 settings.data_dir / "models.json", settings.summaries},
                settings.planner, {}, settings.approvals),
        runner(
            store, registry, sandbox, processes,
            [this](const RunRequest& request, const std::stop_token& stop) {
              return planner.run(request, stop);
            },
            contexts, job_settings()),
        tasks(runner, store),
        retention(store, runner, settings.data_dir / "jobs", retention_settings(settings)),
        auth(auth_settings(settings, client_tools)),
        router(auth, routes),
        streams(io, routes, store),
        files(io, auth, sandbox, settings.data_dir),
        terminals(io, sandbox, processes),
        chat_threads(settings.data_dir / "chat-threads.jsonl"),
        openai(io, {store, runner, routes, sandbox, chat_threads}, [this] { lease.release(); }),
        lab(io, auth, lab_settings(settings, sandbox)),
        mcp_endpoint(io, mcp_server),
        page(settings.web_dir),
        control(io, settings.control_socket(), mcp_server, *auth.owner()),
        server(io, server_settings(settings),
               [this](HttpRequest request, const ResponderPtr& responder) {
                 const ResponderPtr answer = with_openai_errors(request, responder);
                 router.handle(std::move(request), answer);
               }),
        signals(io, SIGINT, SIGTERM),
        lease_timer(io) {
    caller.on_client_gone([this](const std::string& client) {
      held.client_gone(client);
      frames.client_gone("connection " + client);
    });
    check_leases();
    fill_mcp_server();
    add_rpc_routes(router, mcp_server, mcp_endpoint);
    add_job_routes(router, runner, planner.approvals(), streams);
    files.add_to(router);
    terminals.add_to(router);
    openai.add_to(router);
    serve_metrics();
    add_page_routes(router, {auth, store, runner, routes, streams, [this] { return page_state(); },
                             [this] { return problems(); },
                             // Who asks the agent for something lets it do so.
                             [this] { lease.release(); }});
    add_conversation_routes(router, store, planner.approvals(), settings.data_dir, version);
    // What a client holds down would be in the person's way.
    lease.on_taken([this] { let_go(); });
    add_lease_routes(router, lease);
    add_secret_routes(router, secrets);
    add_approval_routes(router, {planner.approvals(), store, runner, [this] { lease.release(); }});
    add_rfb_route(router, io, settings.vnc_socket, lease);
    serve_lab();
    router.set_fallback([this](const HttpRequest& request, const ResponderPtr& responder) {
      responder->send(page.serve(request));
    });
  }

  JobSettings job_settings() {
    JobSettings jobs;
    jobs.data_folder = settings.data_dir;
    jobs.web_folder = settings.web_dir.parent_path();
    jobs.approvals = settings.approvals.policy;
    jobs.joined = [this](const std::string& id) { planner.approvals().said(id); };
    jobs.obstacle = [this](const Job& job) {
      return planner.obstacle(job.conversation_id, job.id);
    };
    return jobs;
  }

  LlmSettings counted(LlmSettings model) {
    model.metrics = &model_metrics;
    return model;
  }

  void serve_metrics() {
    add_metrics_route(router, routes,
                      {[this](Exposition& metrics) { write_connections(metrics, server.counts()); },
                       [this](Exposition& metrics) {
                         metrics.single("process_start_time_seconds", "gauge",
                                        "When the daemon began, Unix time.",
                                        static_cast<double>(started_ms) * 1e-3);
                         write_metrics(metrics,
                                       {client_tools, model_metrics, *desktop, frames, store,
                                        processes, spans ? &spans->exporter : nullptr});
                       }});
  }

  void serve_lab() {
    lab.add_to(router);
    if (settings.lab_port == 0) return;
    lab_server =
        std::make_unique<HttpServer>(io, lab_server_settings(settings),
                                     [this](HttpRequest request, const ResponderPtr& responder) {
                                       lab.serve(std::move(request), responder);
                                     });
    lab.set_ports(server.port(), lab_server->port());
    log::info("JupyterLab is served at port {}", lab_server->port());
  }

  // On the network thread.
  void let_go() {
    try {
      routes.submit([this] { held.release_all(); });
    } catch (const Error& error) {
      log::debug("what clients hold is released at shutdown: {}", error.what());
    }
  }

  // run_task is for clients: the planner and jobs are what it is made of.
  static Registry tools_of_clients(bool with_model) {
    Registry all;
    add_all_tools(all);
    return with_model ? std::move(all) : all.without("run_task");
  }

  void fill_mcp_server() {
    mcp_server.resources().add(mcp::screen_resource(*desktop));
    mcp_server.resources().add(mcp::workspace_resource(sandbox));
    mcp_server.resources().add(job_log_resource(runner, store));
    mcp_server.prompts().add(mcp::operate_desktop_prompt());
    mcp_server.prompts().add(mcp::run_coding_task_prompt(sandbox));
    if (settings.conformance) mcp::add_conformance_fixtures(client_tools, mcp_server);
  }

  static mcp::ServerIdentity identity() { return {"selfagent", version, instructions}; }

  Json page_state() {
    Json names = Json::array();
    for (const Tool& tool : client_tools.tools()) names.push_back(tool.name);
    Json screen = {{"available", false}, {"width", 0}, {"height", 0}, {"error", ""}};
    try {
      const Size size = desktop->screen().size();
      screen = {{"available", true}, {"width", size.width}, {"height", size.height}, {"error", ""}};
    } catch (const Error& error) {
      screen["error"] = error.what();
    }
    const LlmSettings& model = settings.model;
    return {{"version", version},
            {"model",
             {{"configured", model.configured()},
              {"name", model.model},
              {"base_url", model.base_url},
              {"missing", model.missing()}}},
            {"screen", screen},
            {"lab", lab.is_served()},
            {"tools", names}};
  }

  std::vector<std::string> problems() {
    std::vector<std::string> found;
    for (const auto& problem : {desktop->problem(), store.problem()}) {
      if (!problem.empty()) found.push_back(problem);
    }
    return found;
  }

  // For the command line, which reads it beside the token.
  void write_description(const std::string& url) const {
    std::ofstream out(settings.data_dir / "daemon.json", std::ios::trunc);
    out << dump_json({{"url", url},
                      {"pid", getpid()},
                      {"display", settings.display},
                      {"tls_pin", server.public_key_pin()},
                      {"sandbox_user", settings.sandbox_user}})
        << '\n';
  }

  void announce() const {
    const std::string host = settings.address() == "0.0.0.0" ? "127.0.0.1" : settings.address();
    const std::string bracketed = host.find(':') == std::string::npos ? host : "[" + host + "]";
    const std::string scheme = settings.tls_cert.empty() ? "http://" : "https://";
    const std::string url = scheme + bracketed + ":" + std::to_string(server.port());
    write_description(url);
    std::printf("ready %s/\n", url.c_str());
    if (!settings.no_auth) std::printf("login %s/#token=%s\n", url.c_str(), settings.token.c_str());
    std::fflush(stdout);
  }

  // Buttons that a client without a connection left down are released when its lease is over.
  void check_leases() {
    lease_timer.expires_after(std::chrono::seconds(5));
    lease_timer.async_wait([this](const std::error_code& error) {
      if (error) return;
      routes.submit([this] { held.expire(); });
      check_leases();
    });
  }

  // Refuse new work, cancel what runs, wait for it with a deadline, let the answers out, stop the
  // loop.
  void stop() {
    log::info("stopping");
    lease_timer.cancel();
    control.stop();
    caller.cancel_all();
    streams.stop();
    openai.stop();
    mcp_endpoint.stop();
    // After what these have posted: their last messages.
    asio::post(io, [this] {
      stopper = std::jthread([this] {
        runner.shutdown(Deadline::after(shutdown_limit));
        held.release_all();
        processes.close(process_grace);
        pool.close();
        routes.close();
        files.close();
        end_loop(20);
      });
    });
  }

  // A message passes through a handful of handlers until it is written, so the loop goes round some
  // more times before it ends.
  void end_loop(int rounds) {
    asio::post(io, [this, rounds] {
      if (rounds > 0) return end_loop(rounds - 1);
      server.stop();
      if (lab_server) lab_server->stop();
      io.stop();
    });
  }

  // The event loop's next handler; false when it has ended.
  bool step() {
    try {
      return io.run_one() != 0;
    } catch (const std::exception& error) {
      // One connection's failure (a frame too large for memory) must not end the others.
      log::error("the network thread goes on after: {}", error.what());
      return true;
    }
  }

  const Settings settings;
  const int64_t started_ms = unix_ms();
  ModelMetrics model_metrics;
  // Without a hint that there is one thread: asio would then queue what that thread posts behind
  // what others post meanwhile, and an answer could overtake the head of its stream.
  asio::io_context io;
  QuickLane lane;
  WorkerPool pool;
  WorkerPool routes;
  Sandbox sandbox;
  std::unique_ptr<Desktop> desktop;
  HeldInput held;
  Frames frames;
  InputLease lease;
  AccessibleTexts texts;
  SessionNotifications notifications;
  Store store;
  std::unique_ptr<Telemetry> spans;  // null: there is no collector
  Secrets secrets;
  ProcessTable processes;
  Kernels kernels;
  ShellSessions shell_sessions;
  ContextFactory contexts;
  Registry client_tools;
  Registry registry;  ///< of the planner and of jobs
  ToolCaller caller;
  mcp::Server mcp_server;
  Planner planner;
  JobRunner runner;
  JobTasks tasks;
  Retention retention;
  Auth auth;
  Router router;
  EventStreams streams;
  FileRoutes files;
  Terminals terminals;
  ChatThreads chat_threads;
  OpenAiRoutes openai;
  Lab lab;
  McpEndpoint mcp_endpoint;
  StaticFiles page;
  ControlSocket control;
  HttpServer server;
  std::unique_ptr<HttpServer> lab_server;  // null: there is no JupyterLab
  asio::signal_set signals;
  asio::steady_timer lease_timer;
  std::jthread stopper;
};

namespace {

// glibc gives every buffer of a picture's size back to the kernel and gets it anew, zeroed page by
// page: half of the time of a call that returns a picture. The three belong together: with one
// arena per thread, what they keep would add up.
void keep_large_buffers() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  mallopt(M_ARENA_MAX, 2);
}

}  // namespace

Daemon::Daemon(Settings settings) {
  keep_large_buffers();
  std::signal(SIGPIPE, SIG_IGN);
  // Inherited as ignored it would swallow the exit codes of children.
  std::signal(SIGCHLD, SIG_DFL);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // Other processes of the same user may then neither trace this one nor read its memory and
  // environment.
  prctl(PR_SET_DUMPABLE, 0);
#endif
  make_private_folder(settings.data_dir);
  settings.data_dir = std::filesystem::canonical(settings.data_dir);
  if (settings.no_auth && !is_loopback(settings.address())) {
    throw Error(ErrorCode::invalid_argument,
                "--no-auth needs a loopback address, not " + settings.address() +
                    ": everyone who reaches the port could use the desktop");
  }
  if (settings.no_auth && !settings.token_file.empty()) {
    throw Error(ErrorCode::invalid_argument,
                "--no-auth makes everybody the owner and --token-file tells them apart: give one "
                "of the two");
  }
  if (!settings.no_auth) settings.token = load_token(settings.data_dir, settings.token);
  state_ = std::make_unique<State>(std::move(settings));
  raise_descriptor_limit();
}

Daemon::~Daemon() = default;

int Daemon::run() {
  State& state = *state_;
  state.signals.async_wait([&state](const std::error_code& error, int) {
    if (!error) state.stop();
  });
  if (!state.sandbox.switches_user()) {
    log::warn(
        "tools run as the daemon's own user (uid {}): a command of the model can reach the "
        "daemon's token and data. "
        "Use the image, or root with --sandbox-user, to separate them",
        geteuid());
  }
  if (const auto problem = state.desktop->problem(); !problem.empty()) log::warn("{}", problem);
  state.announce();
  state.lane.run();
  log::info("stopped");
  return 0;
}

}  // namespace selfagent
