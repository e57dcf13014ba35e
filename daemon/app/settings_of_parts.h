// What each part of the daemon is told, out of what the daemon is told.
#pragma once

#include "app/settings.h"
#include "jobs/retention.h"
#include "kernel/kernels.h"
#include "net/auth.h"
#include "net/lab.h"
#include "net/server.h"
#include "process/process_table.h"
#include "process/sandbox.h"
#include "tool/registry.h"

namespace selfagent {

/// Whose hands the tools are, and where.
Sandbox::Settings sandbox_settings(const Settings& settings);
/// The table is in the data folder.
ProcessTable::Settings process_settings(const Settings& settings);
/// Of conversations and jobs; that of programs' output is process_settings().
RetentionSettings retention_settings(const Settings& settings);
/// The kernels' packages are beside the page.
Kernels::Settings kernel_settings(const Settings& settings);

/// The owner and, from the token file, everyone else. Throws Error(invalid_argument) for a tool of
/// --approve that does not exist, and what read_token_file() throws.
Auth::Settings auth_settings(const Settings& settings, const Registry& tools);

/// The main port's. Throws Error(invalid_argument) for a bad --listen.
HttpServer::Settings server_settings(const Settings& settings);

/// JupyterLab's port's, at the same address. Throws as server_settings().
HttpServer::Settings lab_server_settings(const Settings& settings);

/// Throws Error(invalid_argument) for a port without JupyterLab's socket and for a bad --lab-url.
Lab::Settings lab_settings(const Settings& settings, const Sandbox& sandbox);

}  // namespace selfagent
