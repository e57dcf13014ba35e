#include "app/settings_of_parts.h"

#include "base/error.h"
#include "base/log.h"
#include "net/file_routes.h"
#include "net/token_file.h"

namespace selfagent {
namespace {

// JupyterLab's page has some dozens of files and a WebSocket for each kernel and terminal.
constexpr size_t max_lab_connections = 512;

}  // namespace

Sandbox::Settings sandbox_settings(const Settings& settings) {
  return {settings.sandbox_user, settings.workspace, settings.display};
}

Auth::Settings auth_settings(const Settings& settings, const Registry& tools) {
  Principal owner;
  owner.approve = existing_tools(settings.approve, tools, "--approve (SELFAGENT_APPROVE)");
  std::vector<Token> others;
  if (!settings.token_file.empty()) {
    others = read_token_file(settings.token_file, tools, settings.token);
    for (const auto& [hash, principal] : others) {
      log::info("the token \"{}\" is {}", principal->name, to_string(principal->profile));
    }
  }
  return {settings.no_auth ? "" : settings.token, settings.allowed_hosts, settings.allowed_origins,
          std::make_shared<Principal>(std::move(owner)), std::move(others)};
}

HttpServer::Settings server_settings(const Settings& settings) {
  HttpServer::Settings server;
  server.address = settings.address();
  server.port = settings.port();
  server.tls_cert = settings.tls_cert;
  server.tls_key = settings.tls_key;
  server.streams_body = FileRoutes::streams_body;
  // Other origins of the same site get the cookie sent with their requests: JupyterLab's port, and
  // what else the host serves. They can neither read answers nor show them in frames.
  server.headers = {{"Cross-Origin-Resource-Policy", "same-origin"},
                    {"Content-Security-Policy", "frame-ancestors 'self'"}};
  return server;
}

HttpServer::Settings lab_server_settings(const Settings& settings) {
  HttpServer::Settings server = server_settings(settings);
  server.port = settings.lab_port;
  server.other_port = "--lab-port PORT";
  server.max_connections = max_lab_connections;
  server.streams_body = [](const HttpRequest&) { return true; };
  return server;
}

Lab::Settings lab_settings(const Settings& settings, const Sandbox& sandbox) {
  if (settings.lab_port != 0 && settings.lab_socket.empty()) {
    throw Error(ErrorCode::invalid_argument,
                "--lab-port needs --lab-socket PATH, JupyterLab's unix socket");
  }
  return {{settings.lab_socket, "JupyterLab", sandbox.uid()},
          settings.lab_url.empty() ? "" : checked_origin(settings.lab_url),
          !settings.tls_cert.empty()};
}

ProcessTable::Settings process_settings(const Settings& settings) {
  ProcessTable::Settings table;
  table.folder = settings.data_dir / "processes";
  table.retention = settings.retention;
  return table;
}

RetentionSettings retention_settings(const Settings& settings) {
  RetentionSettings retention;
  retention.age = settings.history_age;
  retention.bytes = settings.history_bytes;
  return retention;
}

Kernels::Settings kernel_settings(const Settings& settings) {
  Kernels::Settings kernels;
  kernels.web_folder = settings.web_dir.parent_path();
  return kernels;
}

}  // namespace selfagent
