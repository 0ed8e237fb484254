// Frames of RFC 6455 as values: bytes in, frames out. Pure; no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::net {

struct WebSocketFrame {
  enum class Opcode : uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };
  Opcode opcode = Opcode::binary;
  bool last = true;  ///< FIN
  std::string payload;
};

/// One frame on the wire. Clients mask (RFC 6455 5.3) with `mask`, servers do not.
[[nodiscard]] std::string encode_frame(const WebSocketFrame& frame, std::optional<uint32_t> mask);

/// Collects bytes and hands out whole frames.
class WebSocketFrameReader {
 public:
  enum class Peer { client, server };  ///< a client's frames must be masked, a server's must not
  explicit WebSocketFrameReader(Peer peer, size_t payload_max = size_t{16} << 20)
      : peer_(peer), payload_max_(payload_max) {}
  void add(std::string_view bytes) { buffer_ += bytes; }
  /// The next whole frame; nothing while bytes are missing. corrupt: the peer breaks the protocol; exhausted: the frame
  /// is larger than payload_max.
  [[nodiscard]] Result<std::optional<WebSocketFrame>> next();

 private:
  Peer peer_;
  size_t payload_max_;
  std::string buffer_;
};

/// The value of Sec-WebSocket-Accept for a Sec-WebSocket-Key.
[[nodiscard]] std::string websocket_accept_key(std::string_view key);

}  // namespace holdfast::net
