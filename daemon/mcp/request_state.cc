#include "mcp/request_state.h"

#include "base/base64.h"
#include "base/error.h"
#include "base/random.h"
#include "rpc/message.h"

namespace selfagent::mcp {

namespace {

rpc::RpcError refused(const std::string& why) {
  return rpc::RpcError(rpc::invalid_params,
                       "requestState " + why + ": make the call again without it");
}

int64_t count(Clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

std::string state_binding(const std::string& principal, const std::string& method,
                          const Json& params) {
  Json call = params;
  if (call.is_object()) {
    for (const char* member : {"_meta", "inputResponses", "requestState"}) call.erase(member);
  }
  // With its members in one order: a client may write them in another the second time.
  const auto sorted = nlohmann::json::parse(dump_json(call));
  return sha256_hex(principal + "\n" + method + "\n" + sorted.dump());
}

RequestStates::RequestStates(std::function<Clock::time_point()> now)
    : key_(random_hex(32)), now_(std::move(now)) {}

std::string RequestStates::seal(const Json& state, const std::string& binding) {
  const Json payload = {{"until", count(now_() + lifetime)},
                        {"nonce", random_hex(12)},
                        {"binding", binding},
                        {"state", state}};
  const std::string text = "v1." + base64_encode(dump_json(payload));
  return text + "." + hmac_sha256_hex(key_, text);
}

Json RequestStates::open(const std::string& text, const std::string& binding) {
  const size_t dot = text.rfind('.');
  if (dot == std::string::npos || !text.starts_with("v1.") || dot < 3 ||
      !equal_secrets(hmac_sha256_hex(key_, text.substr(0, dot)), text.substr(dot + 1))) {
    throw refused("was not given by this server, or was changed");
  }
  const Json payload = parse_json(base64_decode(text.substr(3, dot - 3)));
  if (payload["binding"] != binding) throw refused("belongs to another call");
  const auto now = now_();
  if (payload["until"].get<int64_t>() < count(now)) throw refused("is too old");
  const std::lock_guard lock(mutex_);
  std::erase_if(used_, [&](const auto& entry) { return entry.second < now; });
  if (!used_.emplace(payload["nonce"].get<std::string>(), now + lifetime).second) {
    throw refused("was used before");
  }
  return payload["state"];
}

}  // namespace selfagent::mcp
