// POST /mcp: MCP's Streamable HTTP, both eras.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "mcp/server.h"
#include "net/http.h"

namespace asio {
class io_context;
}

namespace selfagent {

/// Answers POSTs. The body decides the era, the headers only cross-check it. A call that is not
/// done after a second, or that reports progress, is answered with an event stream if the client
/// accepts one: a comment every 15 s keeps it alive, the result is its last event.
class McpEndpoint {
 public:
  /// `caller` must outlive it.
  McpEndpoint(asio::io_context& io, ToolCaller& caller, mcp::ServerIdentity identity);
  ~McpEndpoint();

  /// Network thread.
  void post(const HttpRequest& request, const ResponderPtr& responder);

  /// Opens and feeds no more streams; network thread.
  void stop();

 private:
  class Answer;
  struct Ticker;

  std::shared_ptr<Answer> answer(const HttpRequest& request, const ResponderPtr& responder,
                                 const rpc::Request& call, std::function<void()> gone);
  void post_modern(const HttpRequest& http, rpc::Request request, const ResponderPtr& responder);
  void post_legacy(const HttpRequest& http, rpc::Incoming incoming, const ResponderPtr& responder);
  void tick();

  ToolCaller& caller_;
  const mcp::ServerIdentity identity_;
  std::unique_ptr<Ticker> ticker_;
  std::mutex mutex_;  // protects answers_
  std::vector<std::weak_ptr<Answer>> answers_;
};

}  // namespace selfagent
