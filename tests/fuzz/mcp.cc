// POST /mcp: whatever headers and body come, one answer goes back, with a documented status and
// JSON-RPC in it.
//
// The input is header lines, an empty line and the body, as on the wire.
#include <asio/io_context.hpp>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>

#include "base/trim.h"
#include "base/utf8.h"
#include "desktop/fake_desktop.h"
#include "fuzz/target.h"
#include "net/mcp_http.h"
#include "process/sandbox.h"

namespace selfagent::fuzz {
namespace {

struct EchoArgs {
  std::string text;
  int times = 1;
};
struct NoArgs {};

Tool echo() {
  return make_tool<EchoArgs>({
      .name = "echo",
      .title = "Echo",
      .description = "Says it again and reports progress.",
      .annotations = {true, false, true, false},
      .params = {param("text", &EchoArgs::text, "What."),
                 param("times", &EchoArgs::times, "How often.").range(1, 3).optional()},
      .run =
          [](const EchoArgs& args, ToolContext& context) {
            ToolResult result;
            for (int i = 0; i < args.times; ++i) {
              context.progress(i / 3.0, args.text);
              result.add(args.text);
            }
            return result;
          },
  });
}

Tool picture() {
  return make_tool<NoArgs>({
      .name = "picture",
      .title = "Picture",
      .description = "Shows a picture.",
      .annotations = {true, false, true, false},
      .params = {},
      .run =
          [](const NoArgs&, ToolContext&) {
            static const auto image = std::make_shared<EncodedImage>("\x89PNG", "image/png", 1, 1);
            return ToolResult::text("1x1").add(image);
          },
  });
}

Tool fail() {
  return make_tool<NoArgs>({
      .name = "fail",
      .title = "Fail",
      .description = "Fails.",
      .annotations = {false, true, false, true},
      .params = {},
      .run = [](const NoArgs&, ToolContext&) -> ToolResult {
        throw Error(ErrorCode::not_found, "no such thing: look elsewhere");
      },
  });
}

// What a client sees of one exchange.
class Exchange {
 public:
  void respond(HttpResponse response) {
    const std::lock_guard lock(mutex_);
    require(!begun_, "one answer is sent", response.body);
    begun_ = ended_ = true;
    answer_ = std::move(response);
    changed_.notify_all();
  }
  void open(int status, Headers headers) {
    const std::lock_guard lock(mutex_);
    require(!begun_, "one answer is sent", "a second one is a stream");
    begun_ = streamed_ = true;
    answer_ = {status, std::move(headers), ""};
  }
  void write(const std::string& piece) {
    const std::lock_guard lock(mutex_);
    require(!ended_, "nothing is written after the end", piece);
    answer_.body += piece;
  }
  void end() {
    const std::lock_guard lock(mutex_);
    require(!ended_, "a stream ends once", answer_.body);
    ended_ = true;
    changed_.notify_all();
  }
  bool ended_within(std::chrono::microseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return ended_; });
  }
  bool streamed() const { return streamed_; }
  const HttpResponse& answer() const { return answer_; }

 private:
  std::mutex mutex_;  // protects all members until ended_
  std::condition_variable changed_;
  bool begun_ = false;
  bool ended_ = false;
  bool streamed_ = false;
  HttpResponse answer_;
};

class FakeStream : public Stream {
 public:
  explicit FakeStream(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  void write(std::string piece) override { exchange_->write(piece); }
  void when_drained(std::function<void()> ready) override { ready(); }
  void end() override {
    open_ = false;
    exchange_->end();
  }
  bool open() const override { return open_; }
  void on_closed(std::function<void()>) override {}

 private:
  const std::shared_ptr<Exchange> exchange_;
  std::atomic<bool> open_ = true;
};

class FakeResponder : public Responder {
 public:
  explicit FakeResponder(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  void send(HttpResponse response) override { exchange_->respond(std::move(response)); }
  std::shared_ptr<Stream> stream(int status, Headers headers) override {
    exchange_->open(status, std::move(headers));
    return std::make_shared<FakeStream>(exchange_);
  }
  void on_abandoned(std::function<void()>) override {}
  bool wants_web_socket() const override { return false; }
  std::shared_ptr<WebSocket> upgrade(const std::string&, WebSocketEvents) override { std::abort(); }

 private:
  const std::shared_ptr<Exchange> exchange_;
};

// The server: the endpoint and all that it needs. Nothing else in this file knows how it is put
// together.
class Server {
 public:
  Server()
      : sandbox_({"", "/tmp", ":0"}),
        pool_(2, 200),
        caller_(filled(registry_), pool_,
                [this](std::stop_token stop, Deadline deadline) {
                  return ToolContext{desktop_, sandbox_, std::move(stop), deadline};
                }),
        endpoint_(io_, caller_, {"selfagent", "0.1.0", "Look first."}) {}

  /// Blocks until the answer is whole.
  void post(const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
    endpoint_.post(request, std::make_shared<FakeResponder>(exchange));
    const Deadline deadline = Deadline::after(std::chrono::seconds(10));
    do {
      io_.poll();
      require(!deadline.passed(), "a request is answered within 10 s", request.body);
    } while (!exchange->ended_within(std::chrono::milliseconds(1)));
  }

 private:
  static Registry& filled(Registry& registry) {
    for (auto make : {echo, picture, fail}) registry.add(make());
    return registry;
  }

  asio::io_context io_;
  FakeDesktop desktop_;
  Sandbox sandbox_;
  Registry registry_;
  WorkerPool pool_;
  ToolCaller caller_;
  McpEndpoint endpoint_;
};

HttpRequest read_request(std::string_view input) {
  HttpRequest request;
  request.method = "POST";
  request.path = "/mcp";
  while (!input.empty()) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(input.size(), line.size() + 1));
    if (line.empty()) break;
    const size_t colon = std::min(line.find(':'), line.size());
    std::string name(line.substr(0, colon));
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    request.headers.emplace(name, trim(line.substr(std::min(colon + 1, line.size()))));
  }
  request.body = input;
  return request;
}

std::string header_of(const HttpResponse& response, const std::string& name) {
  for (const auto& [known, value] : response.headers) {
    if (known == name) return value;
  }
  return "";
}

// The messages of an answer: the one of a JSON body, or those of an event stream.
std::vector<std::string> messages_of(const HttpResponse& answer, bool streamed) {
  if (!streamed) return {answer.body};
  std::vector<std::string> messages;
  std::string_view rest = answer.body;
  while (!rest.empty()) {
    const size_t end = rest.find("\n\n");
    require(end != std::string_view::npos, "a stream ends with a whole event", answer.body);
    const std::string_view event = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    if (event == ":") continue;
    constexpr std::string_view head = "event: message\ndata: ";
    require(event.starts_with(head) && event.find('\n', head.size()) == std::string_view::npos,
            "an event is a comment or one message", event);
    messages.emplace_back(event.substr(head.size()));
  }
  return messages;
}

void check_messages(const rpc::Incoming& asked, const std::vector<std::string>& messages) {
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string& text = messages[i];
    require(is_utf8(text), "an answer is UTF-8", text);
    const rpc::Incoming said = rpc::parse(text);
    const bool last = i + 1 == messages.size();
    for (const auto& message : said.messages) {
      require(message.kind == (last ? rpc::Message::Kind::response : rpc::Message::Kind::request),
              "notifications come first, the response last", text);
      require(last || message.request.notification, "nothing is asked of the client", text);
    }
    require(!said.messages.empty(), "an answer is JSON-RPC", text);
    require(!said.batch || (last && asked.batch), "only a batch is answered with a batch", text);
    if (!last || asked.batch || asked.messages.size() != 1) continue;
    const auto& message = asked.messages[0];
    const bool readable = message.kind == rpc::Message::Kind::request;
    const std::string id = dump_json(said.messages[0].body["id"]);
    require(
        id == dump_json(readable ? message.request.id : message.id) || (!readable && id == "null"),
        "an answer has its request's id, or null if that was no request", text);
  }
}

void check_answer(const HttpRequest& request, const HttpResponse& answer, bool streamed) {
  static const std::set<int> documented{200, 202, 400, 404};
  require(documented.contains(answer.status), "the status is a documented one",
          std::to_string(answer.status));
  if (answer.status == 202)
    return require(answer.body.empty() && !streamed, "202 has no body", answer.body);
  require(
      header_of(answer, "Content-Type") == (streamed ? "text/event-stream" : "application/json"),
      "the Content-Type says what comes", header_of(answer, "Content-Type"));
  if (streamed) {
    require(request.header("accept").find("text/event-stream") != std::string::npos,
            "only who accepts a stream gets one", request.header("accept"));
  }
  check_messages(rpc::parse(request.body), messages_of(answer, streamed));
}

}  // namespace

void mcp(std::string_view input) {
  static auto& server = *new Server;  // lives as long as the process: its threads are not joined
  const HttpRequest request = read_request(input);
  const auto exchange = std::make_shared<Exchange>();
  server.post(request, exchange);
  check_answer(request, exchange->answer(), exchange->streamed());
}

}  // namespace selfagent::fuzz
