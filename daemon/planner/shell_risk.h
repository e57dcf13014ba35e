// What makes a command line or a program text risky, told from its text alone.
//
// A table of known programs, not a jail: it finds what a mistaken or misled model writes, and calls
// risky what hides what it runs. What nobody can tell from a text (a build that runs a script, a
// program that was compiled) is left to the sandbox's own walls.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace selfagent {

/// What is known of the place where a command would run.
struct RiskPlace {
  /// Where relative paths start: "" where those of `read` do; nothing: nobody knows.
  std::optional<std::string> folder = "";
  std::vector<std::string> roots;  ///< folders that are the agent's own, absolute
  /// The text of a file, nothing if there is none or it is no text; may be empty.
  std::function<std::optional<std::string>(const std::string& path)> read = {};
  /// Whether there is a file; may be empty.
  std::function<bool(const std::string& path)> exists = {};
};

using Reasons = std::vector<std::string>;  ///< "it deletes …", each once; empty: not risky

Reasons judge_shell(const std::string& text, const RiskPlace& place);

/// `language`: bash is judged as shell text.
Reasons judge_code(const std::string& language, const std::string& text, const RiskPlace& place);

/// "" or why a file there is not to be touched: credentials, what runs at login, outside of the
/// agent's own folders.
std::string judge_written_path(const std::string& path, const RiskPlace& place);

/// "" or why an address is not to be opened: it carries much text to a stranger.
std::string judge_address(const std::string& url);

/// The part of `text` that names credentials, or a file that runs by itself later; "" without one.
std::string credential_part(const std::string& text);
std::string startup_part(const std::string& text);

/// Of an address with or without a scheme: its host and port.
std::string host_of(const std::string& address);

void add_reason(Reasons& reasons, std::string reason);

/// `text` in quotes, cut to a line; a cut one can still be told from others.
std::string quoted_for_reason(std::string_view text);

}  // namespace selfagent
