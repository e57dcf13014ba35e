// WebSocket frames of a client: any bytes, cut anywhere, give the same messages, within the limits
// of RFC 6455.
//
// The first byte seeds the cuts, the rest are frames.
#include <random>
#include <set>

#include "base/utf8.h"
#include "fuzz/target.h"
#include "net/web_socket_frames.h"

namespace selfagent::fuzz {
namespace {

using Kind = WebSocketInput::Kind;

constexpr size_t max_message =
    300;  // small enough to be reached, large enough for lengths of two bytes

std::vector<std::string_view> pieces_of(std::string_view bytes, std::minstd_rand& random) {
  std::vector<std::string_view> pieces;
  while (!bytes.empty()) {
    pieces.push_back(bytes.substr(0, 1 + random() % 9));
    bytes.remove_prefix(pieces.back().size());
  }
  return pieces;
}

std::vector<WebSocketInput> read(const std::vector<std::string_view>& pieces, size_t limit) {
  WebSocketReader reader(limit);
  std::vector<WebSocketInput> all;
  for (const auto piece : pieces) {
    require(!reader.ended() || reader.receive(piece).empty(), "nothing comes after the end");
    for (auto& input : reader.receive(piece)) all.push_back(std::move(input));
  }
  return all;
}

std::string shown(const std::vector<WebSocketInput>& inputs) {
  std::string text;
  for (const auto& input : inputs) {
    text += std::to_string(static_cast<int>(input.kind)) + " " + std::to_string(input.code) + " " +
            input.payload + "\n";
  }
  return text;
}

void check_input(const WebSocketInput& input, bool last) {
  const std::string& payload = input.payload;
  switch (input.kind) {
    case Kind::text:
      require(is_utf8(payload), "a text is UTF-8", payload);
      [[fallthrough]];
    case Kind::binary:
      return require(payload.size() <= max_message, "a message keeps the limit", payload);
    case Kind::ping:
    case Kind::pong:
      return require(payload.size() <= 125, "a control frame has at most 125 bytes", payload);
    case Kind::close: {
      const bool legal =
          (input.code >= 1000 && input.code <= 1014 && input.code != 1004 && input.code != 1006) ||
          (input.code >= 3000 && input.code <= 4999);
      require(legal && payload.size() <= 123 && is_utf8(payload),
              "a close has a legal code and reason", payload);
      break;
    }
    case Kind::failure: {
      static const std::set<int> codes{1002, 1007, 1009};
      require(codes.contains(input.code) && !payload.empty() && payload.size() <= 123,
              "a failure says why", payload);
      break;
    }
  }
  require(last, "a close or a failure is the last", payload);
}

// `payload` as a client sends it: one masked binary message, in fragments.
std::string frames_of(const std::vector<std::string_view>& fragments, std::minstd_rand& random) {
  std::string out;
  for (size_t i = 0; i < fragments.size(); ++i) {
    const bool last = i + 1 == fragments.size();
    out += static_cast<char>((last ? 0x80 : 0) | (i == 0 ? web_socket_binary : 0));
    out += static_cast<char>(0x80 | fragments[i].size());
    const auto mask = static_cast<uint32_t>(random());
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(mask >> shift);
    for (size_t at = 0; at < fragments[i].size(); ++at) {
      out += static_cast<char>(fragments[i][at] ^ static_cast<char>(mask >> (at % 4 * 8)));
    }
  }
  return out;
}

}  // namespace

void websocket(std::string_view input) {
  if (input.empty()) return;
  std::minstd_rand random(static_cast<unsigned char>(input.front()) + 1u);
  input.remove_prefix(1);

  const auto whole = read({input}, max_message);
  const auto cut = read(pieces_of(input, random), max_message);
  require(shown(cut) == shown(whole), "what comes does not depend on the cuts",
          shown(whole) + "--- cut:\n" + shown(cut));
  size_t received = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    check_input(whole[i], i + 1 == whole.size());
    if (whole[i].kind != Kind::failure) received += whole[i].payload.size();
  }
  require(received <= input.size(), "no more comes out than went in", shown(whole));

  if (input.empty()) return;
  const std::string sent = frames_of(pieces_of(input, random), random);
  const auto back = read(pieces_of(sent, random), input.size());
  require(back.size() == 1 && back[0].kind == Kind::binary && back[0].payload == input,
          "what is sent in fragments arrives", shown(back));
}

}  // namespace selfagent::fuzz
