// WebSocket frames from a hostile peer: reads them in pieces; whatever is accepted must come back from its own
// encoding.
#include <cstdint>

#include "base/check.h"
#include "net/websocket_frame.h"

using holdfast::net::WebSocketFrameReader;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  WebSocketFrameReader reader(WebSocketFrameReader::Peer::server, 1 << 16);
  for (size_t at = 0; at < size; at += 7) {
    reader.add(bytes.substr(at, 7));
    while (true) {
      const auto frame = reader.next();
      if (!frame.ok()) return 0;
      if (!*frame) break;
      WebSocketFrameReader again(WebSocketFrameReader::Peer::server, 1 << 16);
      again.add(holdfast::net::encode_frame(**frame, std::nullopt));
      CHECK(again.next().value()->payload == (*frame)->payload);
    }
  }
  return 0;
}
