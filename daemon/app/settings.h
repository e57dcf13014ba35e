// What the daemon is told at its start, by flags and by the environment.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "planner/planner.h"

namespace selfagent {

constexpr const char* version = "0.1.0";

struct Settings {
  std::string listen = "127.0.0.1:8080";  ///< ADDRESS:PORT; port 0 picks one
  std::string display = ":0";
  std::filesystem::path data_dir;    ///< created with mode 0700
  std::filesystem::path web_dir;     ///< the built page
  std::string vnc_socket;            ///< Xvnc's -rfbunixpath, "" for no live view
  uint16_t lab_port = 0;             ///< where JupyterLab is served; 0: nowhere
  std::string lab_socket;            ///< JupyterLab's unix socket
  std::string lab_url;               ///< public origin of lab_port, "": host of the request
  std::filesystem::path workspace;   ///< "": HOME of the sandbox user
  std::string sandbox_user;          ///< "": the daemon's own user
  std::string token;                 ///< "": kept in or generated into DATA_DIR/token
  std::filesystem::path token_file;  ///< more tokens (net/token_file.h); "": none
  std::vector<std::string> approve;  ///< tools whose calls by the owner's token a person approves
  bool no_auth = false;
  std::set<std::string> allowed_hosts;
  std::set<std::string> allowed_origins;
  std::string log_level = "info";
  /// How long an MCP client waits for a tool before it is answered "still running"; 0: for ever.
  std::chrono::seconds call_deadline{45};
  /// How long a person on the live view has the mouse and keyboard after their last use.
  std::chrono::seconds lease_idle{5};
  /// How long the output and the exit status of an ended program are kept.
  std::chrono::hours retention{7 * 24};
  /// After which ended conversations and jobs are deleted; 0: never.
  std::chrono::hours history_age{0};
  uint64_t history_bytes = 0;  ///< Beyond which the oldest of them are deleted; 0: no limit
  /// How long a shell session stays that nobody uses.
  std::chrono::minutes session_idle{24 * 60};
  bool conformance = false;  ///< adds the fixtures of the official MCP suite
  std::string tls_cert;      ///< PEM file; with tls_key the port speaks TLS only
  std::string tls_key;
  LlmSettings model;
  LlmSettings fallback;   ///< stands in for the model; may be missing
  bool summaries = true;  ///< the model sums up what no longer fits its window
  BudgetSettings planner;
  ApprovalSettings approvals;  ///< of the planner's calls

  std::string address() const;  ///< "127.0.0.1"; throws Error(invalid_argument) for a bad --listen
  uint16_t port() const;
  std::filesystem::path control_socket() const { return data_dir / "control.sock"; }
};

/// $SELFAGENT_DATA_DIR, or $XDG_DATA_HOME/selfagent, or ~/.local/share/selfagent.
std::filesystem::path default_data_dir();

/// The folder with the built page: beside the binary's build tree, or /usr/share/selfagent/web.
std::filesystem::path default_web_dir();

/// PREFIX_API_BASE_URL, PREFIX_MODEL, PREFIX_API_KEY; the prefix is LLM or LLM_FALLBACK.
LlmSettings model_from_environment(const std::string& prefix);

/// The token of the data folder: `wanted` if not empty (it is then stored), else the stored one,
/// else a new one. The file has mode 0600.
std::string load_token(const std::filesystem::path& data_dir, const std::string& wanted);

}  // namespace selfagent
