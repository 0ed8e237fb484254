// WebSocket (RFC 6455) connections, both ends. One reader and one writer thread may use a connection at once.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"

namespace holdfast::net {

class WebSocket {
 public:
  enum class Kind { text, binary, closed };
  struct Message {
    Kind kind = Kind::binary;  ///< closed: the peer said good-bye; nothing follows
    std::string bytes;
  };
  virtual ~WebSocket() = default;
  /// The next message; timeout after `limit` (zero: none). Pings are answered inside. unavailable when the line broke.
  [[nodiscard]] virtual Result<Message> read(std::stop_token stop, Duration limit = Duration::zero()) = 0;
  [[nodiscard]] virtual Status write(Kind kind, std::string_view bytes) = 0;
  /// Says good-bye with a status code (1000: normal). Harmless when closed already.
  virtual void close(int code = 1000) = 0;
  /// The subprotocol both sides agreed on; empty where none.
  [[nodiscard]] virtual const std::string& protocol() const = 0;
};

/// Opens ws:// or wss:// (http/https are taken too). An HTTP answer other than 101 is an Error whose code fits its
/// status and whose message holds up to 1 KiB of its body.
[[nodiscard]] Result<std::unique_ptr<WebSocket>> connect_websocket(const std::string& url, const Headers& headers,
                                                                   const std::vector<std::string>& protocols,
                                                                   const TlsOptions& tls, Duration timeout,
                                                                   std::stop_token stop = {});

}  // namespace holdfast::net
