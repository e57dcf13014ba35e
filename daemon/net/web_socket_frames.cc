#include "net/web_socket_frames.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/utf8.h"

namespace selfagent {

namespace {

constexpr uint8_t continuation = 0x0;
constexpr uint8_t close_opcode = 0x8;
constexpr size_t max_control = 125;

bool is_control(uint8_t opcode) { return (opcode & 0x8) != 0; }

bool is_known(uint8_t opcode) {
  return opcode <= web_socket_binary || (opcode >= close_opcode && opcode <= web_socket_pong);
}

// What may be sent in a close frame: RFC 6455, section 7.4, and the registry's 1012 to 1014.
bool is_close_code(int code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

size_t header_size(uint8_t second) {
  const uint8_t length = second & 0x7F;
  return 2u + (length == 126 ? 2u : length == 127 ? 8u : 0u) + ((second & 0x80) != 0 ? 4u : 0u);
}

std::string big_endian(uint64_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift & 0xFF);
  }
  return out;
}

}  // namespace

std::vector<WebSocketInput> WebSocketReader::receive(std::string_view bytes) {
  while (!ended_ && (!bytes.empty() || (in_payload_ && received_ == frame_.length))) {
    if (!in_payload_) {
      if (take_header(bytes)) begin_frame();
    } else {
      take_payload(bytes);
      if (received_ == frame_.length) end_frame();
    }
  }
  return std::exchange(found_, {});
}

// Returns true when the header is complete.
bool WebSocketReader::take_header(std::string_view& bytes) {
  while (!bytes.empty()) {
    raw_[raw_size_++] = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    if (raw_size_ >= 2 && raw_size_ == header_size(raw_[1])) return true;
  }
  return false;
}

void WebSocketReader::begin_frame() {
  const uint8_t first = raw_[0];
  const uint8_t second = raw_[1];
  const size_t size = std::exchange(raw_size_, 0);
  frame_ = {(first & 0x80) != 0,
            static_cast<uint8_t>(first & 0x0F),
            static_cast<uint64_t>(second & 0x7F),
            {}};
  if ((first & 0x70) != 0) return fail(1002, "a reserved bit is set, but no extension is in use");
  if (!is_known(frame_.opcode)) {
    return fail(1002, "opcode " + std::to_string(frame_.opcode) + " is reserved");
  }
  if ((second & 0x80) == 0) return fail(1002, "a client must mask its frames");
  if (is_control(frame_.opcode)) {
    if (!frame_.final) return fail(1002, "a control frame must not be fragmented");
    if (frame_.length > max_control) return fail(1002, "a control frame has at most 125 bytes");
  } else if (frame_.opcode == continuation && message_opcode_ == 0) {
    return fail(1002, "a continuation without a message to continue");
  } else if (frame_.opcode != continuation && message_opcode_ != 0) {
    return fail(1002, "a new message in the middle of a fragmented one");
  }
  const size_t extended = frame_.length == 126 ? 2 : frame_.length == 127 ? 8 : 0;
  if (extended != 0) {
    frame_.length = 0;
    for (size_t i = 0; i < extended; ++i) frame_.length = frame_.length << 8 | raw_[2 + i];
    if (frame_.length >> 63 != 0) return fail(1002, "a length must be below 2^63");
    if (frame_.length < (extended == 2 ? 126u : 65536u)) {
      return fail(1002, "a length must be written with the fewest bytes");
    }
  }
  if (!is_control(frame_.opcode) && frame_.length > max_message_ - message_.size()) {
    return fail(1009, "a message may have at most " + std::to_string(max_message_) + " bytes");
  }
  std::copy_n(raw_.begin() + static_cast<std::ptrdiff_t>(size) - 4, 4, frame_.mask.begin());
  received_ = 0;
  in_payload_ = true;
}

void WebSocketReader::take_payload(std::string_view& bytes) {
  const auto count =
      static_cast<size_t>(std::min<uint64_t>(bytes.size(), frame_.length - received_));
  std::string& to = is_control(frame_.opcode) ? control_ : message_;
  const size_t from = to.size();
  to.append(bytes.substr(0, count));
  for (size_t i = 0; i < count; ++i) {
    to[from + i] =
        static_cast<char>(static_cast<uint8_t>(to[from + i]) ^ frame_.mask[(received_ + i) % 4]);
  }
  received_ += count;
  bytes.remove_prefix(count);
}

void WebSocketReader::end_frame() {
  in_payload_ = false;
  if (is_control(frame_.opcode)) return end_control();
  if (frame_.opcode != continuation) message_opcode_ = frame_.opcode;
  if (!frame_.final) return;
  const bool text = std::exchange(message_opcode_, uint8_t{0}) == web_socket_text;
  std::string message = std::exchange(message_, {});
  if (text && !is_utf8(message)) return fail(1007, "a text message must be UTF-8");
  found_.push_back(
      {text ? WebSocketInput::Kind::text : WebSocketInput::Kind::binary, std::move(message)});
}

void WebSocketReader::end_control() {
  std::string payload = std::exchange(control_, {});
  if (frame_.opcode == web_socket_ping) {
    found_.push_back({WebSocketInput::Kind::ping, std::move(payload)});
  } else if (frame_.opcode == web_socket_pong) {
    found_.push_back({WebSocketInput::Kind::pong, std::move(payload)});
  } else if (payload.empty()) {
    ended_ = true;
    found_.push_back({WebSocketInput::Kind::close, "", 1005});
  } else {
    const int code = payload.size() < 2
                         ? 0
                         : static_cast<uint8_t>(payload[0]) << 8 | static_cast<uint8_t>(payload[1]);
    if (!is_close_code(code)) return fail(1002, "the close frame has no valid code");
    payload.erase(0, 2);
    if (!is_utf8(payload)) return fail(1007, "the reason of a close frame must be UTF-8");
    ended_ = true;
    found_.push_back({WebSocketInput::Kind::close, std::move(payload), code});
  }
}

void WebSocketReader::fail(int code, std::string reason) {
  ended_ = true;
  message_ = {};
  found_.push_back({WebSocketInput::Kind::failure, std::move(reason), code});
}

std::string web_socket_header(uint8_t opcode, uint64_t length) {
  std::string header(1, static_cast<char>(0x80 | opcode));
  if (length <= max_control) return header + static_cast<char>(length);
  if (length <= 0xFFFF) return header + '\x7E' + big_endian(length, 2);
  return header + '\x7F' + big_endian(length, 8);
}

std::string web_socket_close(int code, std::string_view reason) {
  const std::string_view fits = utf8_prefix(reason, max_control - 2);
  std::string frame = web_socket_header(close_opcode, 2 + fits.size());
  return frame.append(big_endian(static_cast<uint64_t>(code), 2)).append(fits);
}

}  // namespace selfagent
