// /mcp: whatever headers and body come, one answer goes back, with a documented status and JSON-RPC
// in it.
//
// The input is header lines, an empty line and the body, as on the wire. A line "GET" or "DELETE"
// says the method, which is POST otherwise; "Mcp-Session-Id: SESSION" names a session that was just
// begun.
#include <set>

#include "base/trim.h"
#include "base/utf8.h"
#include "fuzz/mcp_server.h"

namespace selfagent::fuzz {
namespace {

HttpRequest read_request(std::string_view input) {
  HttpRequest request;
  request.method = "POST";
  request.path = "/mcp";
  while (!input.empty()) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(input.size(), line.size() + 1));
    if (line.empty()) break;
    if (line == "GET" || line == "DELETE") request.method = line;
    const size_t colon = std::min(line.find(':'), line.size());
    std::string name(line.substr(0, colon));
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    request.headers.emplace(name, trim(line.substr(std::min(colon + 1, line.size()))));
  }
  request.body = input;
  return request;
}

// The messages of an answer: the one of a JSON body, or those of an event stream.
std::vector<std::string> messages_of(const Exchange& exchange) {
  const std::string& body = exchange.answer().body;
  if (!exchange.streamed()) return {body};
  std::vector<std::string> messages;
  std::string_view rest = body;
  while (!rest.empty()) {
    const size_t end = rest.find("\n\n");
    require(end != std::string_view::npos, "a stream ends with a whole event", body);
    std::string_view event = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    if (event == ":") continue;
    std::string data;
    while (!event.empty()) {
      const std::string_view line = event.substr(0, event.find('\n'));
      event.remove_prefix(std::min(event.size(), line.size() + 1));
      static const std::set<std::string_view> fields{"id", "event", "data", "retry"};
      require(fields.contains(line.substr(0, line.find(':'))),
              "a line of an event is one of its fields", line);
      require(!line.starts_with("data:") || data.empty(), "an event has one message", body);
      if (line.starts_with("data: ")) data = line.substr(6);
    }
    if (!data.empty()) messages.push_back(data);
  }
  return messages;
}

// Notifications come first, the response last; only in a session may the client be asked something.
void check_order(const std::string& text, const rpc::Incoming& said, bool last, bool in_session) {
  require(!said.messages.empty(), "an answer is JSON-RPC", text);
  for (const auto& message : said.messages) {
    const bool response = message.kind == rpc::Message::Kind::response;
    const bool request = message.kind == rpc::Message::Kind::request;
    require(response ? last : request, "notifications come first, the response last", text);
    require(response || message.request.notification || in_session,
            "nothing is asked of the client", text);
  }
}

void check_messages(const rpc::Incoming& asked, const std::vector<std::string>& messages,
                    bool in_session, bool endless) {
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string& text = messages[i];
    require(is_utf8(text), "an answer is UTF-8", text);
    const rpc::Incoming said = rpc::parse(text);
    const bool last = i + 1 == messages.size();
    check_order(text, said, last, in_session);
    require(!said.batch || (last && asked.batch), "only a batch is answered with a batch", text);
    const bool response = said.messages[0].kind == rpc::Message::Kind::response;
    require(response || !last || endless || in_session, "the last message is the response", text);
    if (!response || asked.batch || asked.messages.size() != 1) continue;
    const auto& message = asked.messages[0];
    const bool readable = message.kind == rpc::Message::Kind::request;
    const Json& body = said.messages[0].body;
    // The session comes before the message: who has none need not be told which request that was.
    const bool no_session = body.contains("error") && body["error"]["code"] == -32001;
    const std::string id = dump_json(body["id"]);
    require(id == dump_json(readable ? message.request.id : message.id) ||
                (id == "null" && (!readable || no_session)),
            "an answer has its request's id, or null if that was no request", text);
  }
}

void check_exchange(const HttpRequest& request, const rpc::Incoming& asked,
                    const Exchange& exchange, bool endless) {
  static const std::map<std::string, std::set<int>> documented{
      {"POST", {200, 202, 400, 404}}, {"GET", {200, 404, 405}}, {"DELETE", {204, 404, 405}}};
  const HttpResponse& answer = exchange.answer();
  const bool in_session = !request.header("mcp-session-id").empty();
  if (answer.body.empty() && exchange.streamed() && in_session) return;  // its session ended
  require(documented.at(request.method).contains(answer.status), "the status is a documented one",
          std::to_string(answer.status));
  if (answer.status == 202 || answer.status == 204) {
    return require(answer.body.empty() && !exchange.streamed(), "202 and 204 have no body",
                   answer.body);
  }
  const std::string type = exchange.header("Content-Type");
  require(type == (exchange.streamed() ? "text/event-stream" : "application/json"),
          "the Content-Type says what comes", type);
  if (exchange.streamed()) {
    require(request.header("accept").find("text/event-stream") != std::string::npos,
            "only who accepts a stream gets one", request.header("accept"));
  }
  if (request.method == "POST") check_messages(asked, messages_of(exchange), in_session, endless);
}

}  // namespace

void mcp(std::string_view input) {
  static auto& server =
      *new McpTestServer;  // lives as long as the process: its threads are not joined
  const HttpRequest request = read_request(input);
  const rpc::Incoming asked = rpc::parse(request.body);
  const bool endless =
      request.method == "GET" ||
      (asked.messages.size() == 1 && asked.messages[0].request.method == "subscriptions/listen");
  check_exchange(request, asked, *server.serve(request, endless), endless);
}

}  // namespace selfagent::fuzz
