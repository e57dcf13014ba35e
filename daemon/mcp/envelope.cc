#include "mcp/envelope.h"

#include <algorithm>

namespace selfagent::mcp {

namespace {

const std::string version_key = "io.modelcontextprotocol/protocolVersion";
const std::string capabilities_key = "io.modelcontextprotocol/clientCapabilities";
const std::string client_key = "io.modelcontextprotocol/clientInfo";

}  // namespace

const std::vector<std::string>& modern_revisions() {
  static const std::vector<std::string> revisions{"2026-07-28"};
  return revisions;
}

bool has_envelope(const Json& params) {
  return params.is_object() && params.contains("_meta") && params["_meta"].is_object() &&
         params["_meta"].contains(version_key);
}

void check_envelope(const Json& params) {
  if (!has_envelope(params)) {
    throw rpc::RpcError(rpc::invalid_params,
                        "params._meta needs \"" + version_key + "\" in this revision");
  }
  const Json& meta = params["_meta"];
  if (!meta[version_key].is_string()) {
    throw rpc::RpcError(rpc::invalid_params,
                        "params._meta[\"" + version_key + "\"] must be a string");
  }
  if (!meta.contains(capabilities_key) || !meta[capabilities_key].is_object()) {
    throw rpc::RpcError(rpc::invalid_params, "params._meta needs \"" + capabilities_key +
                                                 "\", an object (empty for none)");
  }
  if (meta.contains(client_key) && !meta[client_key].is_object()) {
    throw rpc::RpcError(rpc::invalid_params,
                        "params._meta[\"" + client_key + "\"] must be an object");
  }
}

const Json& client_capabilities(const Json& params) { return params["_meta"][capabilities_key]; }

std::string wanted_log_level(const Json& params) {
  const Json level = params["_meta"].value("io.modelcontextprotocol/logLevel", Json());
  return level.is_string() ? level.get<std::string>() : "";
}

std::string named_revision(const Json& params) {
  return params["_meta"][version_key].get<std::string>();
}

void check_revision(const std::string& revision) {
  const auto& served = modern_revisions();
  if (std::find(served.begin(), served.end(), revision) == served.end()) {
    throw version_error(revision);
  }
}

rpc::RpcError version_error(const std::string& requested) {
  return rpc::RpcError(unsupported_version, "Unsupported protocol version: " + requested,
                       {{"supported", modern_revisions()}, {"requested", requested}});
}

}  // namespace selfagent::mcp
