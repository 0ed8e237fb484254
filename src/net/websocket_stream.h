// A WebSocket over a ByteStream after the handshake; the same for client and server but for masking.
#pragma once

#include <atomic>
#include <mutex>

#include "net/byte_stream.h"
#include "net/websocket.h"
#include "net/websocket_frame.h"

namespace holdfast::net {

class WebSocketStream final : public WebSocket {
 public:
  static constexpr Duration kWriteLimit = std::chrono::seconds(30);

  /// Speaks over `stream`, which must outlive it; `early` holds bytes read past the handshake.
  WebSocketStream(ByteStream& stream, ByteStream::Side side, std::string protocol, std::string_view early);

  Result<Message> read(std::stop_token stop, Duration limit) override;
  Status write(Kind kind, std::string_view bytes) override;
  void close(int code) override;
  const std::string& protocol() const override { return protocol_; }

 private:
  Result<std::optional<Message>> take(WebSocketFrame frame);
  Status send(const WebSocketFrame& frame);

  ByteStream& stream_;
  const ByteStream::Side side_;
  const std::string protocol_;
  WebSocketFrameReader frames_;
  std::optional<Message> partial_;  // of a message cut into frames
  std::mutex write_mutex_;          // answers to pings come from the reading thread
  bool said_goodbye_ = false;
  bool ended_ = false;
};

}  // namespace holdfast::net
