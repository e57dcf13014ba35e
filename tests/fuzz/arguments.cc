// The arguments of a tool: the decoder accepts exactly what the schema that clients are shown
// allows.
#include <cmath>
#include <limits>

#include "base/utf8.h"
#include "fuzz/target.h"
#include "schema/param.h"

namespace selfagent {

enum class Color { red, green, dark_blue };
template <>
struct EnumWords<Color> {
  static constexpr std::array words{"red", "green", "dark blue"};
};

namespace fuzz {
namespace {

struct Args {
  bool flag = true;
  int count = 2;
  int64_t large = 0;
  double ratio = 0.5;
  std::string name;
  std::string label = "none";
  Color color = Color::green;
  std::optional<int> maybe;
  std::vector<Color> colors;
  std::vector<std::array<int, 2>> path;
  std::map<std::string, std::string> environment;
  Json anything;
};

const ParamList<Args>& params() {
  static const ParamList<Args> list{
      param("name", &Args::name, "Required.").range(2, 8),
      param("flag", &Args::flag, "A switch.").optional(),
      param("count", &Args::count, "A number.").range(1, 3).optional(),
      param("large", &Args::large, "A large number.").optional(),
      param("ratio", &Args::ratio, "A fraction.").range(0, 1).optional(),
      param("label", &Args::label, "A text.").optional(),
      param("color", &Args::color, "A word.").optional(),
      param("maybe", &Args::maybe, "May be null.").optional(),
      param("colors", &Args::colors, "Words.").range(0, 3).optional(),
      param("path", &Args::path, "Points.").optional(),
      param("environment", &Args::environment, "Texts by name.").optional(),
      param("anything", &Args::anything, "Any value.").optional(),
  };
  return list;
}

bool fits(const Json& schema, const Json& value);

bool fits_type(const std::string& type, const Json& value) {
  if (type == "boolean") return value.is_boolean();
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  if (type != "integer") return true;  // no type: any
  return value.is_number_integer() ||
         (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
}

// Lengths count characters, as in JSON Schema.
bool fits_limits(const Json& schema, const Json& value) {
  const auto within = [&](const char* least, const char* most, double number) {
    return number >= schema.value(least, -std::numeric_limits<double>::infinity()) &&
           number <= schema.value(most, std::numeric_limits<double>::infinity());
  };
  if (value.is_number()) return within("minimum", "maximum", value.get<double>());
  if (value.is_array()) return within("minItems", "maxItems", static_cast<double>(value.size()));
  if (!value.is_string()) return true;
  return within("minLength", "maxLength",
                static_cast<double>(code_points(value.get<std::string>()).size()));
}

bool fits_members(const Json& schema, const Json& object) {
  const Json properties = schema.value("properties", Json::object());
  for (const auto& required : schema.value("required", Json::array())) {
    if (!object.contains(required.get<std::string>())) return false;
  }
  for (const auto& [name, value] : object.items()) {
    const bool known = properties.contains(name);
    const Json& other = schema["additionalProperties"];
    if (!known && other == false) return false;
    // null stands for an optional parameter that was left out.
    if (known && value.is_null() && name != "name") continue;
    if (!fits(known ? properties[name] : other, value)) return false;
  }
  return true;
}

bool fits(const Json& schema, const Json& value) {
  if (!fits_type(schema.value("type", ""), value) || !fits_limits(schema, value)) return false;
  if (schema.contains("enum")) {
    const Json& words = schema["enum"];
    if (std::find(words.begin(), words.end(), value) == words.end()) return false;
  }
  if (value.is_array() && schema.contains("items")) {
    for (const auto& item : value) {
      if (!fits(schema["items"], item)) return false;
    }
  }
  return !value.is_object() || !schema.contains("additionalProperties") ||
         fits_members(schema, value);
}

// Numbers that JSON Schema allows and the member's C++ type cannot hold may be refused.
bool has_huge_number(const Json& value) {
  if (value.is_number()) return std::abs(value.get<double>()) > 2e9;
  if (!value.is_structured()) return false;
  for (const auto& item : value) {
    if (has_huge_number(item)) return true;
  }
  return false;
}

Json encoded(const Args& args) {
  return {{"name", args.name},
          {"flag", args.flag},
          {"count", args.count},
          {"large", args.large},
          {"ratio", args.ratio},
          {"label", args.label},
          {"color", Codec<Color>::encode(args.color)},
          {"maybe", Codec<std::optional<int>>::encode(args.maybe)},
          {"colors", Codec<std::vector<Color>>::encode(args.colors)},
          {"path", Codec<std::vector<std::array<int, 2>>>::encode(args.path)},
          {"environment", Codec<std::map<std::string, std::string>>::encode(args.environment)},
          {"anything", args.anything}};
}

}  // namespace

void arguments(std::string_view input) {
  static const Json schema = params().schema();
  Json object;
  try {
    object = parse_json(input);
  } catch (const Error&) {
    return;
  }
  const bool allowed = fits(schema, object);
  try {
    const Args args = params().decode(object);
    require(allowed, "what was decoded fits the schema", input);
    const Json first = encoded(args);
    require(encoded(params().decode(first)) == first, "what was decoded is decoded again the same",
            dump_json(first));
  } catch (const ParameterError& error) {
    require(!allowed || has_huge_number(object), "what fits the schema is decoded", error.what());
    require(is_utf8(error.what()), "an error is UTF-8", error.what());
  }
}

}  // namespace fuzz
}  // namespace selfagent
