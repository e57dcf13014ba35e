#include "app/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <utility>
#include <vector>

#include "app/client_commands.h"
#include "app/daemon.h"
#include "app/doctor.h"
#include "app/settings.h"
#include "base/error.h"
#include "base/log.h"

namespace selfagent {

namespace {

void add_budget_options(CLI::App& serve, BudgetSettings& budget) {
  constexpr double most = 1e12;
  serve.add_option("--max-steps", budget.max_steps, "model calls in one run")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  serve
      .add_option("--max-tokens", budget.max_tokens,
                  "tokens of prompts and answers in one run (default: no limit)")
      ->envname("SELFAGENT_MAX_TOKENS")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000'000}));
  serve
      .add_option("--max-cost", budget.max_cost,
                  "what one run may cost by the prices below (default: no limit)")
      ->envname("SELFAGENT_MAX_COST")
      ->check(CLI::Range(0.0, most));
  const auto add_price = [&](const char* flag, const char* variable, double& price,
                             const char* of) {
    serve.add_option(flag, price, of)->envname(variable)->check(CLI::Range(0.0, most));
  };
  add_price("--input-price", "SELFAGENT_INPUT_PRICE", budget.input_price,
            "of a million tokens of prompts");
  add_price("--cached-price", "SELFAGENT_CACHED_PRICE", budget.cached_price,
            "of a million tokens of prompts that the server had cached");
  add_price("--output-price", "SELFAGENT_OUTPUT_PRICE", budget.output_price,
            "of a million tokens of answers");
}

// A flag and a variable that take one of a few words.
template <class T>
void add_word_option(CLI::App& serve, const std::string& flag, const std::string& variable,
                     T& target, const std::vector<std::pair<std::string, T>>& words,
                     const std::string& what) {
  std::string list;
  for (size_t i = 0; i < words.size(); ++i) {
    list += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i].first;
  }
  serve
      .add_option_function<std::string>(
          "--" + flag,
          [&target, words, list, name = variable](const std::string& word) {
            for (const auto& [known, value] : words) {
              if (known != word) continue;
              target = value;
              return;
            }
            throw CLI::ValidationError(name + "=" + word + " is none of " + list);
          },
          what + ": " + list)
      ->envname(variable)
      ->option_text("WORD");
}

// How a model is spoken to; "auto" is learned.
void add_dialect_options(CLI::App& serve, const std::string& flag, const std::string& variable,
                         Dialect& dialect, const std::string& model) {
  add_word_option<ToolProtocol>(serve, flag + "tool-protocol", variable + "_TOOL_PROTOCOL",
                                dialect.tools,
                                {{"auto", ToolProtocol::automatic},
                                 {"native", ToolProtocol::native},
                                 {"hermes", ToolProtocol::hermes},
                                 {"function", ToolProtocol::function},
                                 {"json", ToolProtocol::json}},
                                "how " + model + " calls tools");
  add_word_option<Vision>(serve, flag + "vision", variable + "_VISION", dialect.vision,
                          {{"auto", Vision::automatic}, {"on", Vision::on}, {"off", Vision::off}},
                          "whether " + model + " sees pictures");
  add_word_option<CoordinateSpace>(serve, flag + "coordinates", variable + "_COORDINATES",
                                   dialect.coordinates,
                                   {{"auto", CoordinateSpace::automatic},
                                    {"absolute", CoordinateSpace::absolute},
                                    {"thousand", CoordinateSpace::thousand},
                                    {"unit", CoordinateSpace::unit}},
                                   "how " + model + " writes positions");
  serve
      .add_option("--" + flag + "context-tokens", dialect.context_tokens,
                  "the context window of " + model + " in tokens; 0: the server is asked")
      ->envname(variable + "_CONTEXT_TOKENS")
      ->check(CLI::Range(int64_t{0}, int64_t{100'000'000}));
}

// Which calls of the built-in agent wait for a person.
void add_approval_options(CLI::App& serve, ApprovalSettings& approvals) {
  add_word_option<ApprovalPolicy>(serve, "approvals", "SELFAGENT_APPROVALS", approvals.policy,
                                  {{"off", ApprovalPolicy::off},
                                   {"risky", ApprovalPolicy::risky},
                                   {"always", ApprovalPolicy::always}},
                                  "which calls of the built-in agent wait for a person's approval");
  serve
      .add_option_function<int>(
          "--approval-wait",
          [&approvals](const int& seconds) { approvals.wait = std::chrono::seconds(seconds); },
          "seconds after which a run that waits for an approval ends, with nothing done (default: "
          "600)")
      ->envname("SELFAGENT_APPROVAL_WAIT")
      ->check(CLI::Range(1, 86'000));
}

void add_serve_options(CLI::App& serve, Settings& settings) {
  serve.add_option("--listen", settings.listen, "ADDRESS:PORT; port 0 picks a free one")
      ->envname("SELFAGENT_LISTEN")
      ->capture_default_str();
  serve.add_option("--display", settings.display, "the X display, e.g. :1")
      ->envname("DISPLAY")
      ->capture_default_str();
  serve.add_option("--web-dir", settings.web_dir, "the folder of the built page");
  serve.add_option("--vnc-socket", settings.vnc_socket, "the X server's RFB unix socket");
  serve
      .add_option("--lab-port", settings.lab_port,
                  "the port of JupyterLab, an origin of its own; 0 for no JupyterLab")
      ->envname("SELFAGENT_LAB_PORT")
      ->capture_default_str();
  serve.add_option("--lab-socket", settings.lab_socket,
                   "JupyterLab's unix socket, opened by the sandbox user");
  serve
      .add_option("--lab-url", settings.lab_url,
                  "the origin by which browsers reach --lab-port (default: the host of the page)")
      ->envname("SELFAGENT_LAB_URL");
  serve.add_option("--workspace", settings.workspace,
                   "where relative paths of the tools start (default: home of the sandbox user)");
  serve.add_option("--sandbox-user", settings.sandbox_user,
                   "run everything that tools do as this user (needs root)");
  serve.add_option("--token-file", settings.token_file, "JSON file of more tokens with profiles")
      ->envname("SELFAGENT_TOKEN_FILE");
  serve
      .add_option("--approve", settings.approve,
                  "TOOL,TOOL: calls of these over MCP wait for a person's approval")
      ->envname("SELFAGENT_APPROVE")
      ->delimiter(',');
  serve.add_flag("--no-auth", settings.no_auth, "no token; only with a loopback address");
  serve.add_option("--allowed-host", settings.allowed_hosts, "a Host beside localhost");
  serve.add_option("--allowed-origin", settings.allowed_origins, "an Origin beside our own");
  serve
      .add_option_function<int>(
          "--call-deadline",
          [&settings](const int& seconds) {
            settings.call_deadline = std::chrono::seconds(seconds);
          },
          "seconds after which an MCP call is answered \"still running\" and goes on in the "
          "background; 0 never (default: 45)")
      ->check(CLI::Range(0, 900));
  serve
      .add_option_function<int>(
          "--lease-idle",
          [&settings](const int& seconds) { settings.lease_idle = std::chrono::seconds(seconds); },
          "seconds without a person's input on the live view after which actions are taken again "
          "(default: 5)")
      ->envname("SELFAGENT_LEASE_IDLE")
      ->check(CLI::Range(1, 3600));
  serve
      .add_option_function<int>(
          "--retention-days",
          [&settings](const int& days) {
            settings.retention = std::chrono::hours(24 * days);
            settings.history_age = settings.retention;
          },
          "days for which conversations, jobs, and the output of ended commands are kept (default: "
          "7 for the output, no limit for the others)")
      ->envname("RETENTION_DAYS")
      ->check(CLI::Range(1, 36500));
  serve
      .add_option_function<double>(
          "--retention-gb",
          [&settings](const double& gigabytes) {
            settings.history_bytes = static_cast<uint64_t>(gigabytes * 1e9);
          },
          "gigabytes of conversations, jobs and pictures beyond which the oldest are deleted "
          "(default: no limit)")
      ->envname("RETENTION_GB")
      ->check(CLI::Range(0.001, 1e6));
  serve
      .add_option_function<int>(
          "--session-idle",
          [&settings](const int& minutes) {
            settings.session_idle = std::chrono::minutes(minutes);
          },
          "minutes after which a shell session that nobody uses ends (default: 1440, a day)")
      ->envname("SELFAGENT_SESSION_IDLE")
      ->check(CLI::Range(1, 1'000'000));
  serve.add_flag("--conformance", settings.conformance,
                 "add the fixtures of the official MCP conformance suite; for tests only");
  serve.add_option("--tls-cert", settings.tls_cert, "PEM certificate chain: https and wss only")
      ->envname("SELFAGENT_TLS_CERT");
  serve.add_option("--tls-key", settings.tls_key, "the PEM private key of --tls-cert")
      ->envname("SELFAGENT_TLS_KEY");
  serve.add_option("--log-level", settings.log_level, "debug, info, warn or error")
      ->capture_default_str();
  add_dialect_options(serve, "", "LLM", settings.model.dialect, "the model");
  add_dialect_options(serve, "fallback-", "LLM_FALLBACK", settings.fallback.dialect,
                      "the fallback model");
  add_word_option<bool>(serve, "summary", "LLM_SUMMARY", settings.summaries,
                        {{"on", true}, {"off", false}},
                        "whether the model sums up what no longer fits its context window");
  add_budget_options(serve, settings.planner);
  add_approval_options(serve, settings.approvals);
}

int serve(Settings settings) {
  log::start(settings.log_level);
  return Daemon(std::move(settings)).run();
}

}  // namespace

int run_command_line(int argc, char** argv) {
  Settings settings;
  settings.data_dir = default_data_dir();
  settings.web_dir = default_web_dir();
  settings.model = model_from_environment("LLM");
  settings.fallback = model_from_environment("LLM_FALLBACK");
  if (const char* token = std::getenv("SELFAGENT_TOKEN")) settings.token = token;

  CLI::App app("selfagent: hands, eyes and a shell for an AI model in a desktop sandbox");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--data-dir", settings.data_dir, "the daemon's folder")->capture_default_str();

  int status = 0;
  auto* serve_command = app.add_subcommand("serve", "run the daemon");
  add_serve_options(*serve_command, settings);
  serve_command->callback([&] { status = serve(settings); });

  app.add_subcommand("mcp", "an MCP server on standard input and output")->callback([&] {
    status = serve_mcp(settings);
  });

  CallCommand call;
  auto* call_command = app.add_subcommand("call", "call a tool: call click x=10 y=20");
  call_command->add_option("tool", call.tool, "the tool's name")->required();
  call_command->add_option("arguments", call.words, "values or name=value");
  call_command->add_option("-o,--output", call.output,
                           "write the picture or the text to this file");
  call_command->callback([&] { status = call_tool_command(settings, call); });

  app.add_subcommand("tools", "list the tools")->callback([&] { status = list_tools(); });

  std::string prompt;
  auto* chat = app.add_subcommand("chat", "give the planner an instruction and follow it");
  chat->add_option("prompt", prompt, "the instruction")->required();
  chat->callback([&] { status = chat_command(settings, prompt); });

  app.add_subcommand("jobs", "list the jobs")->callback([&] { status = list_jobs(settings); });

  std::string job;
  std::string output;
  const auto add_job_command = [&](const char* name, const char* text, auto run) {
    auto* command = app.add_subcommand(name, text);
    command->add_option("job", job, "the job's id")->required();
    command->callback([&, run] { status = run(settings, job); });
    return command;
  };
  add_job_command("status", "show a job", job_status);
  add_job_command("logs", "follow the output of a job", job_logs);
  add_job_command("cancel", "stop a job", cancel_job);
  auto* download = app.add_subcommand("download", "save a job's workspace and log as a ZIP");
  download->add_option("job", job, "the job's id")->required();
  download->add_option("-o,--output", output, "the file (default: JOB.zip)");
  download->callback([&] { status = download_job(settings, job, output); });

  std::string secret;
  auto* secrets = app.add_subcommand("secret", "values that tools may use and models never see");
  secrets->require_subcommand(1);
  const auto add_secret_command = [&](const char* name, const char* text, auto run) {
    auto* command = secrets->add_subcommand(name, text);
    command->add_option("name", secret, "a name like GITHUB_TOKEN")->required();
    command->callback([&, run] { status = run(settings, secret); });
  };
  add_secret_command("set", "read the value from standard input", set_secret);
  add_secret_command("remove", "forget it", remove_secret);
  secrets->add_subcommand("list", "list the names")->callback([&] {
    status = list_secrets(settings);
  });

  std::string display;
  auto* doctor = app.add_subcommand("doctor", "check the display, users, model and disk");
  doctor->add_option("--display", display, "the X display (default: the daemon's)");
  doctor->add_option("--sandbox-user", settings.sandbox_user, "(default: the daemon's)");
  doctor->callback([&] {
    settings.display = display;
    status = run_doctor(settings);
  });

  app.add_subcommand("token", "print the token")->callback([&] { status = print_token(settings); });
  app.add_subcommand("version", "print the version")->callback([] { std::puts(version); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "selfagent: %s\n", error.what());
    return 1;
  }
  return status;
}

}  // namespace selfagent
