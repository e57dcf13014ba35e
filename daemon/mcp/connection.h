// One peer of the Model Context Protocol, over any transport that carries JSON-RPC messages.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "mcp/server.h"
#include "rpc/service.h"

namespace selfagent::mcp {

/// Sends a message to the peer; called on any thread.
using Notify = std::function<void(std::string message)>;

/// What reaches the peer beside the answer of one request.
struct Exchange {
  Notify notify;         ///< empty: nothing does
  bool answers = false;  ///< the peer's answers to requests of ours come back to on_response()
  /// Frees what carries this exchange: the peer comes back for the rest. Empty where it cannot.
  std::function<void()> release = {};
};

/// A WebSocket, a stdio or control-socket stream, a legacy HTTP session, or a single HTTP request.
/// Thread-safe.
///
/// Requests of a peer that went away are cancelled by close().
class Connection : public rpc::Service, public std::enable_shared_from_this<Connection> {
 public:
  struct Options {
    const Principal* principal = nullptr;  ///< never null; lives as long as the daemon
    /// Tool names are methods too: plain JSON-RPC on /rpc, /ws and the control socket.
    bool tool_methods = false;
    /// The peer is the operator at the control socket: plain calls need nobody's approval.
    bool is_operator = false;
    /// Names the connection, "" on transports without one: what it holds is released when it ends.
    std::string client;
    /// The era of all requests. Left out, the first request decides for the connection, as the
    /// specification says for streams.
    std::optional<Era> era;
    /// For handle() without an exchange, and for what belongs to no request.
    Exchange exchange;
  };
  /// `server` must outlive it.
  Connection(Server& server, Options options);

  void handle(rpc::Request request, rpc::Done done) override;
  void handle(rpc::Request request, Exchange exchange, rpc::Done done);
  void on_response(const Json& body) override;

  /// Cancels everything that runs for this peer, ends its subscriptions and sends it nothing more.
  void close();

  const Principal& principal() const { return *options_.principal; }
  /// The legacy revision that initialize agreed on, "" before.
  std::string revision() const;
  /// True if a legacy client declared `capability`.
  bool declared(const std::string& capability) const;
  /// The least level of log messages that a legacy client wants.
  std::string log_level() const;

  /// Sends a request to a legacy client over `exchange` and waits for its answer. Throws
  /// Error(cancelled) when `stop` is requested or the peer goes away, Error(unavailable) for an
  /// error of the client, Error(timeout) after a quarter of an hour.
  Json ask(const Exchange& exchange, const std::string& method, const Json& params,
           const std::stop_token& stop);

 private:
  struct Turn;
  using TurnPtr = std::shared_ptr<Turn>;
  struct Listening;

  Era era_of(const rpc::Request& request);
  void handle_legacy(const TurnPtr& turn);
  void handle_modern(const TurnPtr& turn);
  void handle_common(const TurnPtr& turn);
  void initialize(const TurnPtr& turn);
  void set_log_level(const TurnPtr& turn);
  void subscribe(const TurnPtr& turn, bool on);
  void listen(const TurnPtr& turn);
  void begin_subscription(const std::string& uri, const Resources::Found& found,
                          const Notify& notify);
  struct Topic;
  void begin_listening(const std::string& id, const Json& meta, const Notify& notify,
                       const std::vector<Topic>& topics);
  void end_listening(const std::string& id);
  void call_tool(const TurnPtr& turn);
  void call_by_name(const TurnPtr& turn);
  void call_tool(const TurnPtr& turn, const Tool& tool, std::shared_ptr<const Json> arguments,
                 bool plain);
  void read_resource(const TurnPtr& turn);
  void get_prompt(const TurnPtr& turn);
  /// Runs `work` on a worker; it may block until the stop token that it is given.
  void run_blocking(const TurnPtr& turn, const char* cache,
                    std::function<std::string(ClientLink&, const std::stop_token&)> work);

  std::shared_ptr<ClientLink> make_link(const TurnPtr& turn, const std::stop_token& stop);
  std::stop_token begin(const TurnPtr& turn);
  void end(const TurnPtr& turn);
  void answer(const TurnPtr& turn, std::string_view result, const char* cache = "") const;
  void answer(const TurnPtr& turn, ToolResult result) const;
  void input_required(const TurnPtr& turn, const InputRequired& input, ClientLink& link) const;
  static ProgressSink progress_sink(const TurnPtr& turn);
  void cancelled(const Json& params);
  std::string complete(std::string_view result, const char* cache, Json meta) const;
  std::string complete_head(const char* cache, Json meta) const;
  /// `meta` with the name of the server, which every modern result has.
  Json with_server(Json meta) const;

  Server& server_;
  const Options options_;
  mutable std::mutex mutex_;  // protects the members below
  std::condition_variable_any answered_;
  std::optional<Era> era_;
  std::string revision_;
  Json capabilities_;  // of a legacy client
  std::string log_level_ = "info";
  std::map<std::string, std::stop_source> running_;   // by the request id's JSON text
  std::map<int64_t, std::optional<Json>> questions_;  // ours, by id; filled when answered
  int64_t next_question_ = 1;
  std::map<std::string, Subscriptions::Handle> subscriptions_;  // legacy, by URI; null: being begun
  std::map<std::string, std::shared_ptr<Listening>> listening_;  // modern, by request id
  std::stop_source closed_;
};

}  // namespace selfagent::mcp
