#include "net/terminal_messages.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace selfagent {
namespace {

// The kernel keeps a size as two 16 bit numbers; what draws itself for tens of thousands of columns
// would only cost memory.
constexpr int most_rows_or_columns = 1000;

constexpr uint64_t from_error_stream = uint64_t{1} << 63;

int terminal_side(const Json& object, const char* name) {
  const auto at = object.find(name);
  if (at != object.end() && at->is_number_integer()) {
    const auto value = at->get<int64_t>();
    if (value >= 1 && value <= most_rows_or_columns) return static_cast<int>(value);
  }
  throw Error(ErrorCode::invalid_argument,
              std::string(name) + "=" +
                  (at == object.end() ? "(missing)" : dump_json(*at).substr(0, 40)) +
                  ": it is a whole number from 1 to " + std::to_string(most_rows_or_columns));
}

std::optional<uint64_t> offset_parameter(const HttpRequest& request, const char* name) {
  const auto text = request.query_value(name);
  if (!text) return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error == std::errc() && end == text->data() + text->size()) return value;
  throw Error(ErrorCode::invalid_argument, std::string(name) + "=" + text->substr(0, 40) +
                                               " is no number of bytes: it is a whole number from "
                                               "0 on");
}

}  // namespace

TerminalSize terminal_size(const Json& object) {
  return {terminal_side(object, "rows"), terminal_side(object, "columns")};
}

TerminalOrder terminal_order(std::string_view text) {
  const Json order = parse_json(text);
  const std::string type = order.is_object() && order.contains("type") && order["type"].is_string()
                               ? order["type"].get<std::string>()
                               : "";
  if (type == "resize") return {TerminalOrder::Kind::resize, terminal_size(order)};
  if (type == "taken" && order.contains("offset") && order["offset"].is_number_unsigned()) {
    return {TerminalOrder::Kind::taken, {}, order["offset"].get<uint64_t>()};
  }
  throw Error(ErrorCode::invalid_argument,
              "a text message is {\"type\":\"resize\",\"rows\":24,\"columns\":80} or "
              "{\"type\":\"taken\",\"offset\":0}; what is typed is sent as a binary message");
}

uint64_t first_offset(const HttpRequest& request, uint64_t output_end) {
  const auto offset = offset_parameter(request, "offset");
  const auto tail = offset_parameter(request, "tail");
  if (offset && tail) {
    throw Error(ErrorCode::invalid_argument,
                "offset says where to begin and tail how far before the end: give one of the two");
  }
  if (tail) return output_end - std::min(*tail, output_end);
  if (offset.value_or(0) > output_end) {
    throw Error(ErrorCode::invalid_argument,
                "offset=" + std::to_string(*offset) + " is behind the end: there are " +
                    std::to_string(output_end) + " bytes of output so far");
  }
  return offset.value_or(0);
}

std::string output_message(const OutputPiece& piece) {
  const uint64_t head = piece.offset | (piece.error ? from_error_stream : 0);
  std::string message;
  message.reserve(sizeof head + piece.bytes.size());
  for (int shift = 56; shift >= 0; shift -= 8) {
    message += static_cast<char>(static_cast<unsigned char>(head >> shift));
  }
  return message += piece.bytes;
}

std::string missing_message(const OutputRange& range) {
  return dump_json({{"type", "missing"}, {"begin", range.begin}, {"end", range.end}});
}

std::string size_message(TerminalSize size) {
  return dump_json({{"type", "size"}, {"rows", size.rows}, {"columns", size.columns}});
}

std::string refusal_message(const Error& error) {
  return dump_json(
      {{"type", "error"}, {"code", to_string(error.code())}, {"message", error.what()}});
}

}  // namespace selfagent
