#include "net/websocket_stream.h"

#include "base/random.h"
#include "base/text.h"

namespace holdfast::net {

namespace {
using Opcode = WebSocketFrame::Opcode;
constexpr size_t kMessageMax = size_t{64} << 20;

uint32_t random_mask() {
  uint32_t mask = 0;
  random_bytes(std::as_writable_bytes(std::span(&mask, 1)));
  return mask;
}
}  // namespace

WebSocketStream::WebSocketStream(ByteStream& stream, ByteStream::Side side, std::string protocol,
                                 std::string_view early)
    : stream_(stream),
      side_(side),
      protocol_(std::move(protocol)),
      frames_(side == ByteStream::Side::server ? WebSocketFrameReader::Peer::client
                                               : WebSocketFrameReader::Peer::server) {
  frames_.add(early);
}

Result<WebSocket::Message> WebSocketStream::read(std::stop_token stop, Duration limit) {
  char chunk[16384];
  while (true) {
    if (ended_) return Message{.kind = Kind::closed, .bytes = {}};
    std::optional<WebSocketFrame> frame = TRY(frames_.next());
    if (frame) {
      std::optional<Message> message = TRY(take(std::move(*frame)));
      if (message) return *std::move(message);
      continue;
    }
    const size_t got = TRY(stream_.read_some(chunk, stop, limit));
    if (got == 0) return Error(ErrorCode::unavailable, "WebSocket: the connection ended without good-bye");
    frames_.add({chunk, got});
  }
}

Result<std::optional<WebSocket::Message>> WebSocketStream::take(WebSocketFrame frame) {
  switch (frame.opcode) {
    case Opcode::ping:
      TRY(send({.opcode = Opcode::pong, .last = true, .payload = std::move(frame.payload)}));
      break;
    case Opcode::pong:
      break;
    case Opcode::close:
      ended_ = true;
      close(1000);
      return std::optional<Message>(Message{.kind = Kind::closed, .bytes = std::move(frame.payload)});
    case Opcode::text:
    case Opcode::binary:
      if (partial_) return Error(ErrorCode::corrupt, "WebSocket: a message begins inside another");
      partial_ = Message{.kind = frame.opcode == Opcode::text ? Kind::text : Kind::binary, .bytes = {}};
      [[fallthrough]];
    case Opcode::continuation:
      if (!partial_) return Error(ErrorCode::corrupt, "WebSocket: continuation of nothing");
      if (partial_->bytes.size() + frame.payload.size() > kMessageMax) {
        return Error(ErrorCode::exhausted, "WebSocket: message is too large");
      }
      partial_->bytes += frame.payload;
      if (frame.last) return std::exchange(partial_, std::nullopt);
      break;
  }
  return std::optional<Message>();
}

Status WebSocketStream::send(const WebSocketFrame& frame) {
  const std::string bytes =
      encode_frame(frame, side_ == ByteStream::Side::client ? std::optional(random_mask()) : std::nullopt);
  const std::lock_guard lock(write_mutex_);
  if (said_goodbye_) return Error(ErrorCode::unavailable, "WebSocket: closed already");
  if (frame.opcode == Opcode::close) said_goodbye_ = true;
  return stream_.write(bytes, {}, kWriteLimit);
}

Status WebSocketStream::write(Kind kind, std::string_view bytes) {
  CHECK(kind != Kind::closed);
  return send(
      {.opcode = kind == Kind::text ? Opcode::text : Opcode::binary, .last = true, .payload = std::string(bytes)});
}

void WebSocketStream::close(int code) {
  std::string payload;
  payload.push_back(static_cast<char>((code >> 8) & 0xff));
  payload.push_back(static_cast<char>(code & 0xff));
  // The line may be gone already; there is nobody left to tell.
  (void)send({.opcode = Opcode::close, .last = true, .payload = std::move(payload)}).ok();
}

}  // namespace holdfast::net
