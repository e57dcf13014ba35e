#include "llm/tool_call_slots.h"

#include <set>

#include "base/random.h"
#include "llm/arguments.h"
#include "llm/members.h"

namespace selfagent {

namespace {

// 9 characters: Mistral accepts exactly nine alphanumerics, so the prefix is left out where it
// looks closely.
std::string new_call_id() { return "call_" + random_hex(5).substr(0, 9); }

// Some send the arguments as an object although the specification says a string.
std::string argument_text(const Json& function) {
  const Json* arguments = member(function, "arguments");
  if (arguments == nullptr) return "";
  return arguments->is_string() ? arguments->get<std::string>() : dump_json(*arguments);
}

}  // namespace

void ToolCallSlots::add(const Json& entries) {
  ++delta_;
  if (entries.is_object()) add_entry(entries);
  if (!entries.is_array()) return;
  for (const auto& entry : entries) add_entry(entry);
}

ToolCallSlots::Slot* ToolCallSlots::find(std::optional<int64_t> index, const std::string& id) {
  if (slots_.empty()) return nullptr;
  if (!index && id.empty()) return &slots_.back();
  // From the back: calls that share an index are told apart by which one is the newest.
  for (auto slot = slots_.rbegin(); slot != slots_.rend(); ++slot) {
    if (index ? slot->index == index : slot->id == id) return &*slot;
  }
  return nullptr;
}

bool ToolCallSlots::begins_new(const Slot& slot, std::optional<int64_t> index,
                               const std::string& id, const std::string& name,
                               const std::string& fragment) const {
  const bool complete = is_complete_object(slot.arguments);
  if (!id.empty() && !slot.id.empty() && id != slot.id) {
    // Old vLLM made up a new id for each fragment: without a name it goes on with what was begun.
    return !name.empty() || complete;
  }
  if (!name.empty()) {
    if (slot.delta == delta_ && !slot.name.empty()) return true;  // two entries of one array
    if (!index && id.empty() && !slot.name.empty() && name != slot.name) return true;
    if (complete && (id.empty() || id != slot.id)) return true;
  }
  return complete && fragment.starts_with('{') && fragment != slot.arguments;
}

void ToolCallSlots::add_entry(const Json& entry) {
  if (!entry.is_object()) return;
  const Json* nested = member(entry, "function");
  const Json& function = nested != nullptr ? *nested : entry;
  std::optional<int64_t> index;
  if (const Json* number = member(entry, "index")) index = integer(*number);
  const std::string id = text_member(entry, "id");
  const std::string name = text_member(function, "name");
  const std::string fragment = argument_text(function);

  Slot* slot = find(index, id);
  if (slot == nullptr || begins_new(*slot, index, id, name, fragment)) {
    // Glued calls of one index bring their name only once.
    const std::string inherited = slot != nullptr && name.empty() ? slot->name : name;
    slots_.push_back({index, "", inherited, "", Json::object(), delta_});
    slot = &slots_.back();
    slot->id = id;
  }
  slot->delta = delta_;
  if (slot->id.empty()) slot->id = id;
  if (slot->name.empty()) {
    slot->name = name;
  } else if (!name.empty() && name != slot->name && slot->arguments.empty()) {
    // The name itself in pieces, or from its beginning each time.
    slot->name = name.starts_with(slot->name) ? name : slot->name + name;
  }
  const bool from_the_beginning = slot->arguments.starts_with('{') &&
                                  fragment.size() >= slot->arguments.size() &&
                                  fragment.starts_with(slot->arguments);
  if (from_the_beginning) {
    slot->arguments = fragment;
  } else {
    slot->arguments += fragment;
  }
  for (const auto& [key, value] : entry.items()) {
    const bool known = key == "index" || key == "id" || key == "type" || key == "function" ||
                       key == "name" || key == "arguments";
    if (!known && !value.is_null()) slot->extra[key] = value;
  }
}

std::vector<ToolCall> ToolCallSlots::finish(bool cut) const {
  std::vector<ToolCall> calls;
  std::set<std::string> ids;
  for (const auto& slot : slots_) {
    if (slot.name.empty() && slot.arguments.empty()) continue;
    for (const auto& piece : split_objects(slot.arguments)) {
      ToolCall call;
      call.id = slot.id.empty() || ids.count(slot.id) != 0 ? new_call_id() : slot.id;
      call.name = slot.name;
      call.arguments = piece;
      call.extra = slot.extra;
      call.truncated = cut && !is_complete_object(piece);
      ids.insert(call.id);
      calls.push_back(std::move(call));
    }
  }
  return calls;
}

}  // namespace selfagent
