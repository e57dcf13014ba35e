// How a running call reaches its client, in either era. Internal to this layer.
#pragma once

#include "mcp/connection.h"
#include "tool/client_link.h"

namespace selfagent::mcp {

/// True if a message of `level` passes `least`; unknown levels pass nothing. Source: RFC 5424.
bool level_passes(const std::string& level, const std::string& least);

/// The client's capability that a request of `method` needs: "elicitation", "sampling" or "roots".
std::string capability_of(const std::string& method);

/// The link of the modern era: answers come with the next round of the call.
class ModernLink : public ClientLink {
 public:
  /// Reads the answers and the state of `request`, whose envelope was checked. Throws
  /// rpc::RpcError(invalid_params) for malformed or forged ones.
  ModernLink(Server& server, const Principal& principal,
             std::shared_ptr<const rpc::Request> request, Notify notify);

  bool can(const std::string& capability) const override;
  Json ask(const Json& requests, bool bound) override;
  Json state() const override { return state_; }
  void log(const std::string& level, const Json& data) override;
  bool waits() const override { return false; }
  void stop_with(std::stop_token) override {}
  void release_stream() override {}

  /// The result for a call that ended with `input`.
  Json input_required(const InputRequired& input) const;

 private:
  // Only made when it is needed: it takes a hash of all arguments.
  std::string binding() const;

  Server& server_;
  const Principal& principal_;
  const std::shared_ptr<const rpc::Request> request_;
  const Notify notify_;
  Json responses_ = Json::object();  // of this round
  Json answers_ = Json::object();    // of earlier rounds, and since ask() of this one
  Json state_ = nullptr;
  bool has_state_ = false;
};

/// The link of the legacy era: asks over the connection and waits.
class LegacyLink : public ClientLink {
 public:
  LegacyLink(std::shared_ptr<Connection> connection, Exchange exchange, std::stop_token stop)
      : connection_(std::move(connection)),
        exchange_(std::move(exchange)),
        stop_(std::move(stop)) {}

  bool can(const std::string& capability) const override;
  Json ask(const Json& requests, bool bound) override;
  Json state() const override { return nullptr; }
  void log(const std::string& level, const Json& data) override;
  bool waits() const override { return true; }
  void stop_with(std::stop_token stop) override { stop_ = std::move(stop); }
  void release_stream() override;

 private:
  const std::shared_ptr<Connection> connection_;
  const Exchange exchange_;
  std::stop_token stop_;
};

}  // namespace selfagent::mcp
