// What a terminal of the page and the daemon say to each other over its WebSocket
// (docs/protocol.md), free of sockets and processes.
//
// Output is binary: eight bytes, big endian, with the offset of the first byte that follows, and
// the bytes. The highest bit of the offset is set for standard error. Input is binary as it is.
// Everything else is a JSON object as text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/http.h"
#include "process/process.h"

namespace selfagent {

/// Of a terminal, in characters.
struct TerminalSize {
  int rows = 24;
  int columns = 80;
};

/// Throws Error(invalid_argument) that names what is missing or out of range.
TerminalSize terminal_size(const Json& object);

/// A text message of the client.
struct TerminalOrder {
  enum class Kind {
    resize,  ///< {"type":"resize","rows","columns"}: `size`
    taken,   ///< {"type":"taken","offset"}: the client has shown what comes before `offset`
  };
  Kind kind = Kind::resize;
  TerminalSize size = {};
  uint64_t offset = 0;
};

/// Throws Error(invalid_argument) that says what it should have been.
TerminalOrder terminal_order(std::string_view text);

/// Where a reader begins: ?offset=N, or ?tail=N for N bytes before the end, or 0. Throws
/// Error(invalid_argument) for what is no number, for both, and for an offset behind `output_end`.
uint64_t first_offset(const HttpRequest& request, uint64_t output_end);

/// The binary message with a piece of output.
std::string output_message(const OutputPiece& piece);

/// The text messages of the daemon.
std::string missing_message(const OutputRange& range);
std::string size_message(TerminalSize size);
std::string refusal_message(const Error& error);

}  // namespace selfagent
