// JSON-RPC 2.0: any text is answered once, and the answer is what the specification allows.
#include <map>
#include <optional>
#include <stdexcept>

#include "base/utf8.h"
#include "fuzz/target.h"
#include "rpc/service.h"

namespace selfagent::fuzz {
namespace {

using rpc::Message;

class Example : public rpc::Service {
 public:
  void handle(rpc::Request request, rpc::Done done) override {
    if (request.method == "answer") return done(dump_json(request.params));
    if (request.method == "refuse") return done(rpc::RpcError(-32000, "Refused", request.params));
    if (request.method == "throw") throw std::runtime_error("thrown by a method");
    if (request.method == "later") return later.push_back(std::move(done));
    done(rpc::unknown_method("there is no method \"" + request.method + "\""));
  }

  std::vector<rpc::Done> later;
};

// The ids that must be answered, in order.
std::vector<Json> expected_ids(const rpc::Incoming& incoming) {
  std::vector<Json> ids;
  for (const Message& message : incoming.messages) {
    if (message.kind == Message::Kind::invalid) ids.push_back(message.id);
    if (message.kind == Message::Kind::request && !message.request.notification) {
      ids.push_back(message.request.id);
    }
  }
  return ids;
}

void check_response(const Json& response, const Json& id) {
  const std::string text = dump_json(response);
  require(response.is_object() && response.value("jsonrpc", "") == "2.0",
          "a response is an object of 2.0", text);
  require(response.contains("id") && dump_json(response["id"]) == dump_json(id),
          "a response has its request's id", text);
  require(response.contains("result") != response.contains("error"),
          "a response has a result or an error", text);
  if (!response.contains("error")) return;
  const Json& error = response["error"];
  require(error.is_object() && error["code"].is_number_integer() && error["message"].is_string(),
          "an error has a code and a message", text);
}

void check_refusal(const std::string& reply, int code) {
  const Json response = parse_json(reply);
  check_response(response, nullptr);
  require(response["error"]["code"] == code, "what is no message is refused with its code", reply);
}

void check_reply(const rpc::Incoming& incoming, const std::string& reply) {
  require(is_utf8(reply), "a reply is UTF-8", reply);
  if (!incoming.problem.empty()) return check_refusal(reply, -32700);
  if (incoming.empty_batch || incoming.messages.size() > rpc::max_batch)
    return check_refusal(reply, -32600);
  const std::vector<Json> ids = expected_ids(incoming);
  require(reply.empty() == ids.empty(), "nothing is sent for notifications and responses alone",
          reply);
  if (ids.empty()) return;
  const Json body = parse_json(reply);
  require(body.is_array() == incoming.batch, "a batch is answered with a batch", reply);
  const Json responses = incoming.batch ? body : Json::array({body});
  require(responses.size() == ids.size(), "each request is answered once", reply);
  for (size_t i = 0; i < ids.size(); ++i) check_response(responses[i], ids[i]);
  for (const Message& message : rpc::parse(reply).messages) {
    require(message.kind == Message::Kind::response, "a reply is read as responses", reply);
  }
}

}  // namespace

void jsonrpc(std::string_view input) {
  const auto service = std::make_shared<Example>();
  std::vector<std::string> replies;
  rpc::answer(input, service, [&](std::string text) { replies.push_back(std::move(text)); });
  // Late answers, the last request's first.
  while (!service->later.empty()) {
    const rpc::Done done = std::move(service->later.back());
    service->later.pop_back();
    done("{}");
  }
  require(replies.size() == 1, "answer() replies once");
  check_reply(rpc::parse(input), replies.front());
}

}  // namespace selfagent::fuzz
