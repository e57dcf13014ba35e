// The resources of a sandbox: its screen and the files of its workspace.
#pragma once

#include "desktop/desktop.h"
#include "mcp/resources.h"
#include "process/sandbox.h"

namespace selfagent::mcp {

/// screen://current: the screen as a PNG. Subscribers are told of changes at most twice a second.
/// `desktop` must outlive the resource and its watches.
Resource screen_resource(Desktop& desktop);

/// file://WORKSPACE/{+path}: text as text, everything else as a blob, folders as a list of names;
/// read with the sandbox user's rights, at most 8 MiB, nothing outside the workspace. The path can
/// be completed.
Resource workspace_resource(const Sandbox& sandbox);

/// Paths below the workspace that begin with `typed`, folders with a slash at the end; at most a
/// few hundred. With `folders_only`, no files.
std::vector<std::string> complete_path(const Sandbox& sandbox, const std::string& typed,
                                       bool folders_only);

}  // namespace selfagent::mcp
