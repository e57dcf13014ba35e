#include "tool/command_line.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

namespace selfagent {

namespace {

struct Parameter {
  std::string name;
  Json schema;
  bool required = false;

  std::string type() const {
    const auto at = schema.find("type");
    return at != schema.end() && at->is_string() ? at->get<std::string>() : "";
  }
  bool is_text() const { return type() == "string" && !schema.contains("enum"); }
  bool is_json() const { return type() == "array" || type() == "object" || type().empty(); }
};

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::string join(const std::vector<std::string>& words, const std::string& between,
                 const std::string& last_between) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? last_between : between;
    out += words[i];
  }
  return out;
}

// A value that could stand in the place of `schema`; `number` counts up so that examples differ.
std::string example(const std::string& name, const Json& schema, int& number) {
  if (schema.contains("enum")) return schema["enum"].at(0).get<std::string>();
  const std::string type = schema.value("type", "");
  if (type == "integer" || type == "number") return std::to_string(100 * number++);
  if (type == "boolean") return "true";
  if (type == "object") return "{}";
  if (type != "array") return "<" + name + ">";
  const Json items = schema.value("items", Json::object());
  const int64_t count = std::max<int64_t>(schema.value("minItems", 1), 1);
  std::string out = "[";
  for (int64_t i = 0; i < count; ++i) out += (i == 0 ? "" : ",") + example(name, items, number);
  return out + "]";
}

/// The parameters of one tool in the order of their places, and what has been given so far.
class Arguments {
 public:
  Arguments(std::string tool, const Json& schema) : tool_(std::move(tool)), schema_(schema) {
    const Json properties = schema.value("properties", Json::object());
    const Json required = schema.value("required", Json::array());
    for (const bool wanted : {true, false}) {
      for (const auto& [name, property] : properties.items()) {
        const bool needed = std::find(required.begin(), required.end(), name) != required.end();
        if (needed == wanted) parameters_.push_back({name, property, needed});
      }
    }
    for (const auto& parameter : parameters_) {
      if (!parameter.is_text() || (!parameter.required && !text_name_.empty())) continue;
      text_name_ = parameter.name;
    }
  }

  /// The parameter that runs to the end of the line.
  bool is_text(const Parameter& parameter) const { return parameter.name == text_name_; }

  /// The parameter that `word` names ("x=10"), or null.
  const Parameter* named(std::string_view word) const {
    const size_t equals = word.find('=');
    if (equals == std::string_view::npos) return nullptr;
    for (const auto& parameter : parameters_) {
      if (parameter.name == word.substr(0, equals)) return &parameter;
    }
    return nullptr;
  }

  /// The parameter that `word`, which has no name, belongs to.
  const Parameter& next(std::string_view word) const {
    for (const auto& parameter : parameters_) {
      if (given_.contains(parameter.name)) continue;
      if (!is_text(parameter)) refuse_unknown_name(word);
      return parameter;
    }
    refuse_unknown_name(word);
    fail("\"" + std::string(word) + "\" is one value too many");
  }

  void set(const Parameter& parameter, Json value) {
    if (given_.contains(parameter.name)) fail(parameter.name + " is given twice");
    given_[parameter.name] = std::move(value);
  }

  /// `word` as a value of the parameter's type.
  Json convert(const Parameter& parameter, const std::string& word) const {
    return convert(parameter.name, parameter.schema, word);
  }

  Json finish() {
    std::vector<std::string> missing;
    std::vector<std::string> needed;
    for (const auto& parameter : parameters_) {
      if (!parameter.required) continue;
      needed.push_back(parameter.name);
      if (!given_.contains(parameter.name)) missing.push_back(parameter.name);
    }
    if (!missing.empty()) {
      const bool none_given = missing.size() == needed.size();
      throw ParameterError(tool_ + " needs " + join(needed, ", ", " and ") +
                           (none_given ? "" : " (" + join(missing, ", ", " and ") + " missing)") +
                           ": " + usage(tool_, schema_));
    }
    return std::move(given_);
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw ParameterError(tool_ + ": " + what + ". Usage: " + usage(tool_, schema_));
  }

 private:
  // "colour=red" for a tool without that parameter is a slip, not a value.
  void refuse_unknown_name(std::string_view word) const {
    const size_t equals = word.find('=');
    if (equals == std::string_view::npos || equals == 0) return;
    const std::string name(word.substr(0, equals));
    for (const char c : name) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') return;
    }
    std::vector<std::string> names;
    for (const auto& parameter : parameters_) names.push_back(parameter.name);
    const std::string near = nearest_word(name, names);
    fail("there is no parameter \"" + name + "\"" +
         (near.empty() ? "" : ", did you mean \"" + near + "\"?"));
  }

  Json convert(const std::string& name, const Json& schema, const std::string& word) const {
    const std::string type = schema.value("type", "");
    if (schema.contains("enum")) {
      const Json& words = schema["enum"];
      if (std::find(words.begin(), words.end(), Json(word)) != words.end()) return word;
      std::vector<std::string> list;
      for (const auto& known : words) list.push_back(known.get<std::string>());
      fail(name + " is one of " + join(list, ", ", " or ") + ", got \"" + word + "\"");
    }
    if (type == "string") return word;
    if (type == "boolean") {
      if (word == "true") return true;
      if (word == "false") return false;
      fail(name + " is true or false, got \"" + word + "\"");
    }
    if (type == "integer" || type == "number") return number(name, type, word);
    return structure(name, schema, word);
  }

  Json number(const std::string& name, const std::string& type, const std::string& word) const {
    const char* end = word.data() + word.size();
    int64_t whole = 0;
    const auto as_whole = std::from_chars(word.data(), end, whole);
    if (as_whole.ec == std::errc() && as_whole.ptr == end) return whole;
    double real = 0;
    const auto as_real = std::from_chars(word.data(), end, real);
    const bool complete = as_real.ec == std::errc() && as_real.ptr == end && std::isfinite(real);
    if (type == "number" && complete) return real;
    fail(name + " is " + (type == "number" ? "a number" : "a whole number") + ", got \"" + word +
         "\"");
  }

  Json structure(const std::string& name, const Json& schema, const std::string& word) const {
    const std::string type = schema.value("type", "");
    try {
      Json value = parse_json(word);
      if (type.empty() || (type == "array" && value.is_array()) ||
          (type == "object" && value.is_object())) {
        return value;
      }
    } catch (const Error& error) {
      if (type.empty()) return word;
      if (word.find_first_of("[{") == 0) fail(name + " is not JSON: " + error.what());
    }
    const Json items = schema.value("items", Json::object());
    const std::string item_type = items.value("type", "");
    if (type == "array" && !item_type.empty() && item_type != "array" && item_type != "object") {
      Json list = Json::array();
      for (size_t at = 0; at <= word.size();) {
        const size_t comma = std::min(word.find(',', at), word.size());
        list.push_back(convert(name, items, word.substr(at, comma - at)));
        at = comma + 1;
      }
      return list;
    }
    fail(name + " is JSON, " + (type == "array" ? "an array" : "an object") + ", got \"" + word +
         "\"");
  }

  std::string tool_;
  const Json& schema_;
  std::vector<Parameter> parameters_;
  std::string text_name_;
  Json given_ = Json::object();
};

/// Walks over the part of a line that follows the tool's name.
class LineReader {
 public:
  LineReader(std::string_view line, Arguments& arguments) : line_(line), arguments_(arguments) {}

  void read() {
    for (skip_space(); at_ < line_.size(); skip_space()) {
      const std::string_view word = word_at(at_);
      const Parameter* named = arguments_.named(word);
      if (named != nullptr) at_ += named->name.size() + 1;
      const Parameter& parameter = named != nullptr ? *named : arguments_.next(word);
      arguments_.set(parameter, value(parameter, named != nullptr));
    }
  }

 private:
  void skip_space() {
    while (at_ < line_.size() && is_space(line_[at_])) ++at_;
  }

  std::string_view word_at(size_t at) const {
    size_t end = at;
    while (end < line_.size() && !is_space(line_[end])) ++end;
    return line_.substr(at, end - at);
  }

  Json value(const Parameter& parameter, bool named) {
    const char first = at_ < line_.size() ? line_[at_] : ' ';
    if (first == '"' || first == '\'') {
      const bool text = arguments_.is_text(parameter);
      if (auto quoted = quoted_string(text)) return arguments_.convert(parameter, *quoted);
    }
    if (arguments_.is_text(parameter)) return named ? text_to_next_name() : rest();
    if (parameter.is_json() && (first == '[' || first == '{')) {
      return arguments_.convert(parameter, balanced());
    }
    const std::string word(word_at(at_));
    at_ += word.size();
    return arguments_.convert(parameter, word);
  }

  // The quoted string at the reader's place. A text that goes on after the closing quote, such as
  // the command
  // `"my program" --flag`, is no quoted string: nothing is returned and nothing is consumed.
  std::optional<std::string> quoted_string(bool is_text) {
    const char quote = line_[at_];
    size_t end = at_ + 1;
    while (end < line_.size() && line_[end] != quote) {
      end += quote == '"' && line_[end] == '\\' ? 2 : 1;
    }
    if (end >= line_.size()) {
      if (is_text) return std::nullopt;
      arguments_.fail("the quote at " + std::string(line_.substr(at_)) + " is not closed");
    }
    size_t next = end + 1;
    const bool ends_word = next == line_.size() || is_space(line_[next]);
    while (next < line_.size() && is_space(line_[next])) ++next;
    const bool goes_on = next < line_.size() && arguments_.named(word_at(next)) == nullptr;
    if (is_text && (!ends_word || goes_on)) return std::nullopt;
    if (!ends_word) arguments_.fail("a blank is missing after the closing quote");
    const std::string_view inner = line_.substr(at_ + 1, end - at_ - 1);
    std::string out = quote == '"' ? unescaped(inner) : std::string(inner);
    at_ = end + 1;
    return out;
  }

  // JSON's escapes; a raw tab, which JSON forbids, is allowed.
  std::string unescaped(std::string_view inner) const {
    std::string json = "\"";
    for (const char c : inner) json += c == '\t' ? std::string("\\t") : std::string(1, c);
    json += '"';
    try {
      return parse_json(json).get<std::string>();
    } catch (const Error&) {
      arguments_.fail("the quoted text " + json +
                      " has an escape that is none of \\n \\t \\\" \\\\ \\uXXXX; write \\\\ for a "
                      "backslash or use single quotes");
    }
  }

  std::string rest() {
    size_t end = line_.size();
    while (end > at_ && is_space(line_[end - 1])) --end;
    std::string out(line_.substr(at_, end - at_));
    at_ = line_.size();
    return out;
  }

  std::string text_to_next_name() {
    const size_t start = at_;
    size_t end = at_;
    while (at_ < line_.size()) {
      skip_space();
      const std::string_view word = word_at(at_);
      if (word.empty() || (at_ > start && arguments_.named(word) != nullptr)) break;
      at_ += word.size();
      end = at_;
    }
    return std::string(line_.substr(start, end - start));
  }

  // A JSON array or object, which may contain blanks.
  std::string balanced() {
    const size_t start = at_;
    int depth = 0;
    bool in_string = false;
    for (; at_ < line_.size(); ++at_) {
      const char c = line_[at_];
      if (in_string) {
        if (c == '\\') ++at_;
        if (c == '"') in_string = false;
      } else if (c == '"') {
        in_string = true;
      } else if (c == '[' || c == '{') {
        ++depth;
      } else if ((c == ']' || c == '}') && --depth == 0) {
        ++at_;
        break;
      }
    }
    at_ = std::min(at_, line_.size());
    return std::string(line_.substr(start, at_ - start));
  }

  std::string_view line_;
  size_t at_ = 0;
  Arguments& arguments_;
};

}  // namespace

ToolCommand parse_tool_command(std::string_view line, const Registry& registry) {
  size_t start = 0;
  while (start < line.size() && is_space(line[start])) ++start;
  size_t end = start;
  while (end < line.size() && !is_space(line[end])) ++end;
  const std::string name(line.substr(start, end - start));
  if (name.empty()) throw ParameterError("the line is empty; write a tool's name, e.g. screenshot");
  const Tool* tool = registry.find(name);
  if (tool == nullptr) throw ParameterError(registry.unknown(name));
  Arguments arguments(name, tool->input_schema);
  LineReader(line.substr(end), arguments).read();
  return {name, arguments.finish()};
}

Json tool_arguments(const std::string& tool, const Json& schema,
                    const std::vector<std::string>& words) {
  Arguments arguments(tool, schema);
  for (const auto& word : words) {
    const Parameter* named = arguments.named(word);
    const Parameter& parameter = named != nullptr ? *named : arguments.next(word);
    const std::string value = named != nullptr ? word.substr(named->name.size() + 1) : word;
    arguments.set(parameter, arguments.convert(parameter, value));
  }
  return arguments.finish();
}

std::string usage(const std::string& tool, const Json& schema) {
  const Json properties = schema.value("properties", Json::object());
  const Json required = schema.value("required", Json::array());
  std::string needed = tool;
  std::string others;
  int number = 1;
  for (const auto& [name, property] : properties.items()) {
    if (std::find(required.begin(), required.end(), name) != required.end()) {
      needed += ' ' + example(name, property, number);
      continue;
    }
    std::string value = "…";
    if (property.contains("default")) {
      const Json& shown = property["default"];
      value = shown.is_string() ? shown.get<std::string>() : dump_json(shown);
    }
    if (property.contains("enum")) {
      value.clear();
      for (const auto& word : property["enum"]) {
        value += (value.empty() ? "" : "|") + word.get<std::string>();
      }
    }
    others += " [" + name + '=' + value + ']';
  }
  return needed + others;
}

std::string usage(const Tool& tool) { return usage(tool.name, tool.input_schema); }

}  // namespace selfagent
