// Shell text taken apart into the commands that it would run, for judging it before it runs.
//
// Not a shell: it follows quotes, operators, redirections, here-documents and substitutions, and
// knows of each word whether the shell would change it. What it does not understand it reads as a
// command, so that its words are seen.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace selfagent {

struct ShellWord {
  std::string text;      ///< without quotes; what is expanded stands as it was written
  bool expands = false;  ///< has a variable or a substitution outside of single quotes
};

struct ShellCommand {
  std::vector<ShellWord> words;
  std::vector<ShellWord> written;  ///< where `>` and `>>` go
  std::string input;               ///< of a here-document or here-string
  bool has_input = false;
  bool takes_pipe = false;  ///< reads what the command before it writes
};

struct ShellText {
  std::vector<ShellCommand> commands;
  std::vector<std::string> inner;  ///< the texts of $(…), `…`, <(…) and >(…)
  bool broken = false;             ///< a quote or a substitution that does not end
};

ShellText read_shell(std::string_view text);

}  // namespace selfagent
