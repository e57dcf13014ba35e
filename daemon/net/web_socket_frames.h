// WebSocket frames, free of sockets: bytes in, messages and control frames out.
//
// A client's frame is a header (2 to 14 bytes with its mask) and a payload. The declared length is
// checked as soon as the header is there, before anything is allocated for it; a payload takes
// memory only as it arrives. Source: RFC 6455, sections 5, 7 and 8. No extension is negotiated, so
// the reserved bits must be 0.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace selfagent {

/// What the bytes of a client said.
struct WebSocketInput {
  enum class Kind {
    text,     ///< A whole message, fragments joined; `payload` is well-formed UTF-8.
    binary,   ///< A whole message, fragments joined.
    ping,     ///< To be answered by a pong with the same `payload`.
    pong,     ///< The client is alive.
    close,    ///< The client's close frame: `code` (1005 if it had none) and its reason.
    failure,  ///< The connection must be closed with `code`; `payload` is the reason to send.
  };
  Kind kind;
  std::string payload;
  int code = 0;
};

/// Reads the frames of one client. One thread.
class WebSocketReader {
 public:
  /// `max_message` bounds a message, however many fragments it has.
  explicit WebSocketReader(size_t max_message) : max_message_(max_message) {}

  /// Takes the next bytes, cut anywhere. After a close or a failure, bytes are ignored.
  std::vector<WebSocketInput> receive(std::string_view bytes);

  /// True after a close or a failure.
  bool ended() const { return ended_; }

 private:
  struct Header {
    bool final = false;
    uint8_t opcode = 0;
    uint64_t length = 0;
    std::array<uint8_t, 4> mask{};
  };
  bool take_header(std::string_view& bytes);
  void begin_frame();
  void take_payload(std::string_view& bytes);
  void end_frame();
  void end_control();
  void fail(int code, std::string reason);

  const size_t max_message_;
  std::vector<WebSocketInput> found_;
  std::array<uint8_t, 14> raw_{};  // the header's bytes so far
  size_t raw_size_ = 0;
  bool in_payload_ = false;
  Header frame_;                // valid while in_payload_
  uint64_t received_ = 0;       // bytes of the frame's payload
  std::string control_;         // at most 125 bytes
  std::string message_;         // the fragments so far, at most max_message_
  uint8_t message_opcode_ = 0;  // 0 between messages
  bool ended_ = false;
};

/// A server's frame header, unmasked and final. `opcode` is one of those below.
std::string web_socket_header(uint8_t opcode, uint64_t length);

/// A whole close frame; the reason is cut to the 123 bytes that fit.
std::string web_socket_close(int code, std::string_view reason);

constexpr uint8_t web_socket_text = 0x1;
constexpr uint8_t web_socket_binary = 0x2;
constexpr uint8_t web_socket_ping = 0x9;
constexpr uint8_t web_socket_pong = 0xA;

}  // namespace selfagent
