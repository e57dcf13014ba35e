// How a C++ type is described in JSON Schema, decoded with a check, and written back as a default.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace selfagent {

/// A parameter that is unknown, missing, of the wrong type or out of range: the call was never
/// started.
class ParameterError : public Error {
 public:
  explicit ParameterError(const std::string& message)
      : Error(ErrorCode::invalid_argument, message) {}
};

/// An enum opts in with `template <> struct EnumWords<Button> { static constexpr std::array
/// words{...}; }`: the wire words in the order of the enumerators, which count from 0.
template <class T>
struct EnumWords;

/// Throws ParameterError "`where`: expected `expected`, got `value`" (the value is shortened).
[[noreturn]] void throw_mismatch(const std::string& where, const std::string& expected,
                                 const Json& value);

/// The word among `words` nearest to `word`, or "" if none is near.
std::string nearest_word(const std::string& word, const std::vector<std::string>& words);

template <class T, class = void>
struct Codec;

template <>
struct Codec<bool> {
  static Json schema() { return {{"type", "boolean"}}; }
  static bool decode(const Json& value, const std::string& where) {
    if (!value.is_boolean()) throw_mismatch(where, "true or false", value);
    return value.get<bool>();
  }
  static Json encode(bool value) { return value; }
};

template <class T>
struct Codec<T, std::enable_if_t<std::is_integral_v<T>>> {
  static Json schema() { return {{"type", "integer"}}; }
  static T decode(const Json& value, const std::string& where) {
    // 3.0 is an integer in JSON Schema; models write it.
    if (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>() &&
        std::abs(value.get<double>()) < 9e15) {
      return narrow(static_cast<int64_t>(value.get<double>()), value, where);
    }
    if (!value.is_number_integer()) throw_mismatch(where, "an integer", value);
    if (value.is_number_unsigned() &&
        value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      throw_mismatch(where, "a smaller integer", value);
    }
    return narrow(value.get<int64_t>(), value, where);
  }
  static Json encode(T value) { return value; }

 private:
  static T narrow(int64_t number, const Json& value, const std::string& where) {
    if (number < static_cast<int64_t>(std::numeric_limits<T>::min()) ||
        (sizeof(T) < 8 && number > static_cast<int64_t>(std::numeric_limits<T>::max()))) {
      throw_mismatch(where, "a smaller integer", value);
    }
    return static_cast<T>(number);
  }
};

template <>
struct Codec<double> {
  static Json schema() { return {{"type", "number"}}; }
  static double decode(const Json& value, const std::string& where) {
    if (!value.is_number()) throw_mismatch(where, "a number", value);
    return value.get<double>();
  }
  static Json encode(double value) { return value; }
};

template <>
struct Codec<std::string> {
  static Json schema() { return {{"type", "string"}}; }
  static std::string decode(const Json& value, const std::string& where) {
    if (!value.is_string()) throw_mismatch(where, "a string", value);
    return value.get<std::string>();
  }
  static Json encode(const std::string& value) { return value; }
};

/// Any JSON value; what it means is the handler's affair.
template <>
struct Codec<Json> {
  static Json schema() { return Json::object(); }
  static Json decode(const Json& value, const std::string&) { return value; }
  static Json encode(const Json& value) { return value; }
};

template <class T>
struct Codec<T, std::enable_if_t<std::is_enum_v<T>>> {
  static Json schema() {
    Json words = Json::array();
    for (const auto* word : EnumWords<T>::words) words.push_back(word);
    return {{"type", "string"}, {"enum", words}};
  }
  static T decode(const Json& value, const std::string& where) {
    std::string list;
    for (size_t i = 0; i < EnumWords<T>::words.size(); ++i) {
      if (value.is_string() && value.get<std::string>() == EnumWords<T>::words[i]) {
        return static_cast<T>(i);
      }
      list += (i == 0 ? "" : ", ") + std::string(EnumWords<T>::words[i]);
    }
    throw_mismatch(where, "one of " + list, value);
  }
  static Json encode(T value) { return EnumWords<T>::words[static_cast<size_t>(value)]; }
};

template <class T>
struct Codec<std::optional<T>> {
  static Json schema() { return Codec<T>::schema(); }
  static std::optional<T> decode(const Json& value, const std::string& where) {
    if (value.is_null()) return std::nullopt;
    return Codec<T>::decode(value, where);
  }
  static Json encode(const std::optional<T>& value) {
    return value ? Codec<T>::encode(*value) : Json();
  }
};

template <class T>
struct Codec<std::vector<T>> {
  static Json schema() { return {{"type", "array"}, {"items", Codec<T>::schema()}}; }
  static std::vector<T> decode(const Json& value, const std::string& where) {
    if (!value.is_array()) throw_mismatch(where, "an array", value);
    std::vector<T> out;
    for (size_t i = 0; i < value.size(); ++i) {
      out.push_back(Codec<T>::decode(value[i], where + "[" + std::to_string(i) + "]"));
    }
    return out;
  }
  static Json encode(const std::vector<T>& value) {
    Json out = Json::array();
    for (const auto& item : value) out.push_back(Codec<T>::encode(item));
    return out;
  }
};

template <class T, size_t n>
struct Codec<std::array<T, n>> {
  static Json schema() {
    return {{"type", "array"}, {"items", Codec<T>::schema()}, {"minItems", n}, {"maxItems", n}};
  }
  static std::array<T, n> decode(const Json& value, const std::string& where) {
    if (!value.is_array() || value.size() != n) {
      throw_mismatch(where, "an array of " + std::to_string(n) + " values", value);
    }
    std::array<T, n> out{};
    for (size_t i = 0; i < n; ++i) {
      out[i] = Codec<T>::decode(value[i], where + "[" + std::to_string(i) + "]");
    }
    return out;
  }
  static Json encode(const std::array<T, n>& value) {
    return Codec<std::vector<T>>::encode({value.begin(), value.end()});
  }
};

template <class T>
struct Codec<std::map<std::string, T>> {
  static Json schema() {
    return {{"type", "object"}, {"additionalProperties", Codec<T>::schema()}};
  }
  static std::map<std::string, T> decode(const Json& value, const std::string& where) {
    if (!value.is_object()) throw_mismatch(where, "an object", value);
    std::map<std::string, T> out;
    for (const auto& [key, item] : value.items()) {
      out[key] = Codec<T>::decode(item, where + "." + key);
    }
    return out;
  }
  static Json encode(const std::map<std::string, T>& value) {
    Json out = Json::object();
    for (const auto& [key, item] : value) out[key] = Codec<T>::encode(item);
    return out;
  }
};

}  // namespace selfagent
