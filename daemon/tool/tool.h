// A tool: name, text, schema, annotations and handler, as one value.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "desktop/desktop.h"
#include "image/encoded_image.h"
#include "schema/param.h"
#include "tool/tool_metrics.h"

namespace selfagent {

class Calls;          // tool/calls.h
class ClientLink;     // tool/client_link.h
class Frames;         // tool/frames.h
class HeldInput;      // tool/held_input.h
class InputLease;     // tool/input_lease.h
class Kernels;        // kernel/kernels.h
class Notifications;  // desktop/notifications.h
class ProcessTable;   // process/process_table.h
class ShellSessions;  // process/shell_sessions.h
class Registry;       // tool/registry.h
class Sandbox;        // process/sandbox.h
class Secrets;        // tool/secrets.h
class Tasks;          // tool/tasks.h
class Texts;          // desktop/texts.h
struct Principal;     // tool/principal.h

/// Hints for clients; all four are always sent. Source: MCP 2025-11-25, ToolAnnotations.
struct Annotations {
  bool read_only;
  bool destructive;
  bool idempotent;
  bool open_world;
};

/// What a tool works on: profiles of tokens (tool/principal.h) are made of areas.
enum class ToolArea {
  desktop,  ///< the screen, pointer, keyboard, windows and clipboard
  code,     ///< files and commands
  both,     ///< runs commands and shows the screen: only for who may do both
  any,      ///< neither: what is left of the caller's own calls
};

/// A member that must be given: leaving it out does not compile.
template <class T>
struct Required {
  Required(T given) : value(std::move(given)) {}
  T value;
};

/// One block of a result: text, a picture when `image` is set, or any other MCP content block.
struct Content {
  std::string text;
  EncodedImagePtr image;
  Json block = nullptr;
};

/// What a tool answers. A tool that ran and failed has `is_error`.
struct ToolResult {
  std::vector<Content> content;
  bool is_error = false;
  /// The same as the text, for programs; fits the tool's output_schema. Never beside a picture:
  /// several clients show their model only this when it is there.
  Json structured = nullptr;

  static ToolResult text(std::string text) { return {{{std::move(text), nullptr}}, false}; }
  /// The texts of all blocks, a line break between them.
  std::string all_text() const {
    std::string all;
    for (const auto& part : content) {
      if (!part.text.empty()) all += (all.empty() ? "" : "\n") + part.text;
    }
    return all;
  }

  static ToolResult error(std::string text) { return {{{std::move(text), nullptr}}, true}; }
  ToolResult& add(std::string text) {
    content.push_back({std::move(text), nullptr});
    return *this;
  }
  ToolResult& add(EncodedImagePtr image) {
    content.push_back({"", std::move(image)});
    return *this;
  }
  ToolResult& add_block(Json block) {
    content.push_back({"", nullptr, std::move(block)});
    return *this;
  }
};

/// The world as a handler may reach it; tests pass fakes. One per call, used on that call's thread.
struct ToolContext {
  Desktop& desktop;
  Sandbox& sandbox;
  std::stop_token stop;
  Deadline deadline = Deadline::never();
  /// Names the connection of the caller, "" for callers without one (plain HTTP, jobs).
  std::string client = {};
  /// Names the call for good, so that what it has started is found after a crash (see
  /// Tool::resume); "" for calls about which nobody asks then.
  std::string durable_id = {};
  /// Buttons that stay down after the call; null in tests that hold none.
  HeldInput* held = nullptr;
  /// Who may use the mouse and keyboard; null in tests without one.
  InputLease* lease = nullptr;
  /// The client that made the call; null where it cannot be asked anything.
  ClientLink* link = nullptr;
  /// Who made the call; null for the daemon's own work (jobs, the planner).
  const Principal* principal = nullptr;
  /// The pictures that clients got; null in tests that remember none.
  Frames* frames = nullptr;
  /// Calls that outlived their request; null where there are none.
  Calls* calls = nullptr;
  /// All tools, for those that call others; null in tests that have none.
  const Registry* registry = nullptr;
  /// The programs that tools have started; null in tests that start none.
  ProcessTable* processes = nullptr;
  /// What runs code that keeps its state; null where there is none.
  Kernels* kernels = nullptr;
  /// The shells that tools have left open; null in tests that have none.
  ShellSessions* shell_sessions = nullptr;
  /// Finds text by accessibility; null where that is not wired.
  Texts* texts = nullptr;
  /// What programs tell the user; null where that is not heard.
  const Notifications* notifications = nullptr;
  /// What tools may use and nobody may see; null where the user has given none.
  const Secrets* secrets = nullptr;
  /// What works on tasks by itself; null where no model is set.
  Tasks* tasks = nullptr;
  /// Reports progress in 0 to 1 with a message; may be called from the handler's thread only.
  std::function<void(double, const std::string&)> progress = [](double, const std::string&) {};
};

/// Makes the context of one call.
using ContextFactory = std::function<ToolContext(std::stop_token, Deadline)>;

/// Goes on with a call and answers as its run() would have.
using Resumption = std::function<ToolResult(ToolContext&)>;

/// See make_tool. Immutable; run() may be called on several threads at once.
struct Tool {
  std::string name;
  std::string title;
  std::string description;
  ToolArea area = ToolArea::both;
  Annotations annotations{};
  Json input_schema;
  /// Of ToolResult::structured; null for tools without it.
  Json output_schema = nullptr;
  /// True if it may well take longer than a second: its answer is then an event stream at once.
  bool long_running = false;
  /// Null, or answers a call that takes no longer than a fraction of a millisecond, where the
  /// request arrived (base/quick_lane.h); nothing, and nothing has happened, if this call may take
  /// longer: run() is then called on a worker. Throws as run() does.
  std::function<std::optional<ToolResult>(const Json& arguments, ToolContext&)> at_once = nullptr;
  /// Throws ParameterError for arguments that run() would refuse.
  std::function<void(const Json& arguments)> check;
  /// Throws ParameterError before the handler runs, any Error after.
  std::function<ToolResult(const Json& arguments, ToolContext&)> run;
  /// Null, or for a call, named by context.durable_id, in which the daemon was killed: what goes on
  /// with what that call has begun, and begins nothing itself; empty if it is not certain that the
  /// call has begun it. Throws ParameterError as run() does.
  std::function<Resumption(const Json& arguments, ToolContext&)> resume = nullptr;
  /// Made by the registry; null: nothing is counted.
  std::shared_ptr<ToolMetrics> metrics = nullptr;
};

template <class Args>
struct ToolSpec {
  std::string name;
  std::string title;
  std::string description;
  Required<ToolArea> area;
  Annotations annotations;
  ParamList<Args> params;
  Json output_schema = nullptr;
  bool long_running = false;
  /// See Tool::at_once. `quick` is for tools all of whose calls are.
  bool quick = false;
  std::function<std::optional<ToolResult>(const Args&, ToolContext&)> at_once = nullptr;
  std::function<ToolResult(const Args&, ToolContext&)> run;
  /// See Tool::resume.
  std::function<Resumption(const Args&, ToolContext&)> resume = nullptr;
};

/// Joins a handler with the decoder of its parameters.
template <class Args>
Tool make_tool(ToolSpec<Args> spec) {
  const auto params = std::make_shared<const ParamList<Args>>(std::move(spec.params));
  std::function<std::optional<ToolResult>(const Json&, ToolContext&)> at_once;
  if (spec.quick) spec.at_once = spec.run;
  if (spec.at_once) {
    at_once = [params, handler = std::move(spec.at_once)](const Json& arguments,
                                                          ToolContext& context) {
      return handler(params->decode(arguments), context);
    };
  }
  auto run = [params, handler = std::move(spec.run)](const Json& arguments, ToolContext& context) {
    return handler(params->decode(arguments), context);
  };
  std::function<Resumption(const Json&, ToolContext&)> resume;
  if (spec.resume) {
    resume = [params, handler = std::move(spec.resume)](const Json& arguments,
                                                        ToolContext& context) {
      return handler(params->decode(arguments), context);
    };
  }
  return {.name = std::move(spec.name),
          .title = std::move(spec.title),
          .description = std::move(spec.description),
          .area = spec.area.value,
          .annotations = spec.annotations,
          .input_schema = params->schema(),
          .output_schema = std::move(spec.output_schema),
          .long_running = spec.long_running,
          .at_once = std::move(at_once),
          .check = [params](const Json& arguments) { params->decode(arguments); },
          .run = std::move(run),
          .resume = std::move(resume)};
}

template <>
struct EnumWords<Button> {
  static constexpr std::array words{"left", "middle", "right", "back", "forward"};
};
template <>
struct EnumWords<Modifier> {
  static constexpr std::array words{"ctrl", "shift", "alt", "super"};
};
template <>
struct EnumWords<WindowAction> {
  static constexpr std::array words{"activate", "close", "minimize", "maximize",
                                    "restore",  "move",  "resize"};
};

}  // namespace selfagent
