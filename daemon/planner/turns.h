// Orders the events of a conversation into turns: what the user said, what the model answered, what
// each call gave.
#pragma once

#include <string>
#include <vector>

#include "store/store.h"

namespace selfagent {

/// A piece of a user message: text, or a picture if `sha256` is set.
struct Part {
  std::string text;  ///< for a picture: what it is, e.g. "picture from click, 1344x896"
  std::string sha256;
  std::string mime;
  bool kept = false;    ///< however old it gets
  bool hidden = false;  ///< said in words
};

/// One message of the chat completions format.
struct Turn {
  enum class Role { user, assistant, tool };
  Role role = Role::user;
  int64_t seq = 0;           ///< of its first event; of a tool turn: of the answer it follows
  std::vector<Part> parts;   ///< user
  std::string text;          ///< assistant, tool
  std::string call_id;       ///< tool
  Json assistant;            ///< assistant: the data of its event
  bool begins_task = false;  ///< user: has a prompt that a run began with
};

/// Every call of an assistant turn is answered by exactly one tool turn right after it; pictures
/// and what the planner saw by itself come in one user turn after those; two user turns never
/// follow each other. Of a result that is longer than `result_bytes` the head and the tail stay,
/// with the handle by which recall reads the rest; of what the user says, if it is three times as
/// long.
std::vector<Turn> make_turns(const std::vector<Event>& events, size_t result_bytes);

/// The handle of what the user said in the event `seq`.
std::string message_handle(int64_t seq);

}  // namespace selfagent
