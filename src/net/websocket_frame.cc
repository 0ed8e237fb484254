#include "net/websocket_frame.h"

#include <openssl/evp.h>

#include "base/text.h"

namespace holdfast::net {

namespace {

void append_big_endian(std::string& out, uint64_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>((number >> (8 * i)) & 0xff));
}

uint64_t big_endian(std::string_view bytes) {
  uint64_t number = 0;
  for (const char c : bytes) number = number << 8 | static_cast<uint8_t>(c);
  return number;
}

void apply_mask(std::string& payload, std::string_view mask) {
  for (size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
}

bool known(uint8_t opcode) {
  return opcode <= 2 || (opcode >= 8 && opcode <= 10);
}

Error broken(const std::string& what) {
  return Error(ErrorCode::corrupt, "WebSocket: " + what);
}

}  // namespace

std::string encode_frame(const WebSocketFrame& frame, std::optional<uint32_t> mask) {
  std::string out;
  out.reserve(frame.payload.size() + 14);
  out.push_back(static_cast<char>((frame.last ? 0x80 : 0) | static_cast<uint8_t>(frame.opcode)));
  const uint8_t masked = mask ? 0x80 : 0;
  const size_t size = frame.payload.size();
  if (size < 126) {
    out.push_back(static_cast<char>(masked | size));
  } else if (size < 65536) {
    out.push_back(static_cast<char>(masked | 126));
    append_big_endian(out, size, 2);
  } else {
    out.push_back(static_cast<char>(masked | 127));
    append_big_endian(out, size, 8);
  }
  if (!mask) return out + frame.payload;
  std::string key;
  append_big_endian(key, *mask, 4);
  std::string payload = frame.payload;
  apply_mask(payload, key);
  return out + key + payload;
}

Result<std::optional<WebSocketFrame>> WebSocketFrameReader::next() {
  if (buffer_.size() < 2) return std::optional<WebSocketFrame>();
  const auto first = static_cast<uint8_t>(buffer_[0]);
  const auto second = static_cast<uint8_t>(buffer_[1]);
  if ((first & 0x70) != 0) return broken("reserved bits are set");
  const uint8_t opcode = first & 0x0f;
  if (!known(opcode)) return broken("unknown opcode");
  const bool masked = (second & 0x80) != 0;
  if (masked != (peer_ == Peer::client)) return broken(masked ? "masked frame from a server" : "unmasked frame");
  uint64_t size = second & 0x7f;
  size_t head = 2;
  if (size >= 126) {
    const size_t extra = size == 126 ? 2 : 8;
    if (buffer_.size() < head + extra) return std::optional<WebSocketFrame>();
    size = big_endian(std::string_view(buffer_).substr(head, extra));
    head += extra;
  }
  if (opcode >= 8 && (size > 125 || (first & 0x80) == 0)) return broken("control frame too long or cut");
  if (size > payload_max_) return Error(ErrorCode::exhausted, "WebSocket: frame is too large");
  const size_t whole = head + (masked ? 4 : 0) + size;
  if (buffer_.size() < whole) return std::optional<WebSocketFrame>();
  WebSocketFrame frame{
      .opcode = static_cast<WebSocketFrame::Opcode>(opcode), .last = (first & 0x80) != 0, .payload = {}};
  frame.payload = buffer_.substr(whole - size, size);
  if (masked) apply_mask(frame.payload, std::string_view(buffer_).substr(head, 4));
  buffer_.erase(0, whole);
  return std::optional<WebSocketFrame>(std::move(frame));
}

std::string websocket_accept_key(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 1.3
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  CHECK(EVP_Digest(text.data(), text.size(), digest, &length, EVP_sha1(), nullptr) == 1);
  return to_base64({reinterpret_cast<const char*>(digest), length});
}

}  // namespace holdfast::net
