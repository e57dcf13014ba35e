#include "app/client_commands.h"

#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>

#include "app/control_client.h"
#include "app/http_client.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/percent.h"
#include "tool/command_line.h"
#include "tool/registry.h"

namespace selfagent {

namespace {

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (!text.ends_with('\n')) std::fputc('\n', stdout);
}

void save(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw system_error("cannot write " + path, errno);
}

// Server-Sent Events as the daemon writes them: "event:" and one "data:" line, ended by an empty
// line.
class EventReader {
 public:
  explicit EventReader(std::function<void(const std::string& kind, const Json& data)> on_event)
      : on_event_(std::move(on_event)) {}

  void operator()(std::string_view piece) {
    buffer_ += piece;
    size_t end = 0;
    while ((end = buffer_.find("\n\n")) != std::string::npos) {
      const std::string block = buffer_.substr(0, end);
      buffer_.erase(0, end + 2);
      const std::string kind = field(block, "event: ");
      const std::string data = field(block, "data: ");
      if (!kind.empty() && !data.empty()) on_event_(kind, parse_json(data));
    }
  }

 private:
  static std::string field(const std::string& block, const std::string& name) {
    size_t start = 0;
    while (start < block.size()) {
      const size_t end = std::min(block.find('\n', start), block.size());
      const std::string line = block.substr(start, end - start);
      if (line.starts_with(name)) return line.substr(name.size());
      start = end + 1;
    }
    return "";
  }

  std::function<void(const std::string&, const Json&)> on_event_;
  std::string buffer_;
};

// Prints the events of a run as they come; returns the state at its end.
class RunPrinter {
 public:
  void operator()(const std::string& kind, const Json& data) {
    if (kind == "text_delta") {
      std::fputs(data.value("text", "").c_str(), stdout);
      streamed_ = true;
    } else if (kind == "assistant_message") {
      if (!streamed_) std::fputs(data.value("text", "").c_str(), stdout);
      std::fputc('\n', stdout);
      streamed_ = false;
    } else if (kind == "action_intent") {
      std::printf("> %s %s\n", data.value("tool", "").c_str(),
                  data.contains("arguments") ? dump_json(data["arguments"]).c_str() : "");
    } else if (kind == "action_result") {
      std::printf("%s\n", data.value("text", "").c_str());
    } else if (kind == "notice") {
      std::fprintf(stderr, "%s\n", data.value("text", "").c_str());
    } else if (kind == "approval_request") {
      print_question(data);
    } else if (kind == "approval_answer") {
      std::fprintf(stderr, "answered: %s\n", data.value("decision", "").c_str());
    } else if (kind == "run_finished") {
      state = data.value("state", "failed");
      const std::string reason = data.value("reason", "");
      if (!reason.empty()) std::fprintf(stderr, "%s: %s\n", state.c_str(), reason.c_str());
    } else if (kind == "stdout" || kind == "stderr") {
      std::fputs(data.value("text", "").c_str(), kind == "stdout" ? stdout : stderr);
    } else if (kind == "state") {
      state = data.value("state", "");
    }
    std::fflush(stdout);
  }
  std::string state;

 private:
  static void print_question(const Json& data) {
    std::fprintf(stderr, "waits for your approval of %s %s\n", data.value("tool", "").c_str(),
                 data.contains("arguments") ? dump_json(data["arguments"]).c_str() : "");
    for (const Json& why : data.value("why", Json::array())) {
      if (why.is_string()) std::fprintf(stderr, "  %s\n", why.get<std::string>().c_str());
    }
    std::fputs("  answer it on the page\n", stderr);
  }

  bool streamed_ = false;
};

// While alive, what is typed on the terminal is not shown.
class HiddenInput {
 public:
  HiddenInput() : hidden_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!hidden_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~HiddenInput() {
    if (hidden_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;

 private:
  termios before_{};
  const bool hidden_;
};

std::string read_value() {
  if (::isatty(STDIN_FILENO) == 0) {
    std::string value{std::istreambuf_iterator<char>(std::cin), {}};
    if (value.ends_with('\n')) value.pop_back();
    return value;
  }
  std::string value;
  std::fputs("value (not shown): ", stderr);
  {
    const HiddenInput hidden;
    std::getline(std::cin, value);
  }
  std::fputc('\n', stderr);
  return value;
}

}  // namespace

int serve_mcp(const Settings& settings) {
  ControlClient(settings.control_socket()).relay_standard_streams();
  return 0;
}

int call_tool_command(const Settings& settings, const CallCommand& command) {
  Registry registry;
  add_all_tools(registry);
  const Tool* tool = registry.find(command.tool);
  if (tool == nullptr) throw Error(ErrorCode::not_found, registry.unknown(command.tool));
  const Json arguments = tool_arguments(tool->name, tool->input_schema, command.words);
  // By its own name, not through tools/call: a person at a terminal waits for the end of the call.
  const Json answer = ControlClient(settings.control_socket()).request(tool->name, arguments);
  if (answer.contains("error")) {
    throw Error(ErrorCode::invalid_argument, answer["error"].value("message", "unknown error"));
  }
  const Json& result = answer.at("result");
  const bool failed = result.value("isError", false);
  bool saved = false;
  for (const auto& block : result.at("content")) {
    if (block.value("type", "") == "image") {
      const std::string bytes = base64_decode(block.value("data", ""));
      if (command.output.empty()) {
        std::fprintf(stderr, "(a picture of %zu bytes: save it with -o FILE)\n", bytes.size());
      } else {
        save(command.output, bytes);
        saved = true;
      }
    } else if (failed) {
      std::fprintf(stderr, "%s\n", block.value("text", "").c_str());
    } else if (command.output.empty() || saved) {
      print(block.value("text", ""));
    }
  }
  if (!command.output.empty() && !saved && !failed) {
    std::string text;
    for (const auto& block : result.at("content")) text += block.value("text", "");
    save(command.output, text);
  }
  return failed ? 1 : 0;
}

int list_tools() {
  Registry registry;
  add_all_tools(registry);
  for (const Tool& tool : registry.tools()) {
    print(usage(tool));
    print("    " + tool.description.substr(0, tool.description.find(". ") + 1));
  }
  return 0;
}

int chat_command(const Settings& settings, const std::string& prompt) {
  HttpClient client(settings.data_dir);
  RunPrinter printer;
  EventReader reader(
      [&printer](const std::string& kind, const Json& data) { printer(kind, data); });
  const Json body = {{"prompt", prompt}};
  client.stream("POST", "/api/chat", &body, "text/event-stream",
                [&reader](std::string_view piece) { reader(piece); });
  return printer.state == "succeeded" ? 0 : 1;
}

int list_jobs(const Settings& settings) {
  const Json answer = HttpClient(settings.data_dir).get("/jobs");
  for (const auto& job : answer.at("jobs")) {
    std::printf("%s  %-10s %-11s %s\n", job.value("job_id", "").c_str(),
                job.value("kind", "").c_str(), job.value("state", "").c_str(),
                iso_time(job.value("created_ms", int64_t{0})).c_str());
  }
  return 0;
}

int job_status(const Settings& settings, const std::string& job) {
  print(HttpClient(settings.data_dir).get("/status/" + job).dump(2));
  return 0;
}

int job_logs(const Settings& settings, const std::string& job) {
  RunPrinter printer;
  EventReader reader(
      [&printer](const std::string& kind, const Json& data) { printer(kind, data); });
  HttpClient(settings.data_dir)
      .stream("GET", "/jobs/" + job + "/events", nullptr, "text/event-stream",
              [&reader](std::string_view piece) { reader(piece); });
  return printer.state == "succeeded" ? 0 : 1;
}

int cancel_job(const Settings& settings, const std::string& job) {
  print(HttpClient(settings.data_dir).post("/cancel/" + job, Json::object()).dump(2));
  return 0;
}

int download_job(const Settings& settings, const std::string& job, std::string output) {
  if (output.empty()) output = job + ".zip";
  // Opened by the first piece, so that a refused download leaves no empty file.
  std::ofstream out;
  HttpClient(settings.data_dir)
      .stream("GET", "/download/" + job, nullptr, "*/*", [&](std::string_view piece) {
        if (!out.is_open()) out.open(output, std::ios::binary | std::ios::trunc);
        out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
      });
  out.close();
  if (!out) throw system_error("cannot write " + output, errno);
  print(output);
  return 0;
}

int print_token(const Settings& settings) {
  std::ifstream in(settings.data_dir / "token");
  std::string token;
  if (!std::getline(in, token) || token.empty()) {
    throw Error(ErrorCode::not_found, "there is no token in " + settings.data_dir.string() +
                                          " that this user may read: start the daemon once, or run "
                                          "this as its user");
  }
  print(token);
  return 0;
}

int list_secrets(const Settings& settings) {
  const Json answer = HttpClient(settings.data_dir).get("/api/secrets");
  for (const auto& name : answer.at("secrets")) print(name.get<std::string>());
  return 0;
}

int set_secret(const Settings& settings, const std::string& name) {
  HttpClient client(settings.data_dir);
  client.put("/api/secrets/" + percent_encode(name), {{"value", read_value()}});
  return 0;
}

int remove_secret(const Settings& settings, const std::string& name) {
  HttpClient(settings.data_dir).remove("/api/secrets/" + percent_encode(name));
  return 0;
}

}  // namespace selfagent
