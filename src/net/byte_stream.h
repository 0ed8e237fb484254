// A connected TCP socket as a stream of bytes, plain or under TLS: what HTTP server and WebSocket stand on.
//
// The socket is non-blocking inside; every call waits with poll(2) for its own stop token and limit, so nothing hangs
// on a silent peer. One reader and one writer thread may use a stream at once. The stream owns the socket.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file.h"

namespace holdfast::net {

class ByteStream {
 public:
  /// Takes over a connected socket and makes it non-blocking.
  [[nodiscard]] static Result<std::unique_ptr<ByteStream>> adopt(UniqueFd socket);
  ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  enum class Side { client, server };
  /// TLS handshake; the context must outlive the stream. `server_name` is sent and checked by clients whose context
  /// verifies. denied: the peer's certificate is not accepted; unavailable: the line broke.
  [[nodiscard]] Status start_tls(SSL_CTX* context, Side side, const std::string& server_name, std::stop_token stop,
                                 Duration limit);

  /// At least one byte, or 0 at the peer's end of the stream. timeout after `limit` (zero: none); cancelled.
  [[nodiscard]] Result<size_t> read_some(std::span<char> out, std::stop_token stop, Duration limit = {});
  /// All of it. timeout when the peer takes nothing for `limit`.
  [[nodiscard]] Status write(std::string_view bytes, std::stop_token stop, Duration limit = {});
  /// Says that nothing more will be written; errors do not matter at that point.
  void finish();

  [[nodiscard]] int descriptor() const { return socket_.get(); }
  /// "address:port" of the other end.
  [[nodiscard]] const std::string& peer() const { return peer_; }
  struct PeerIdentity {
    std::string common_name;
    std::vector<std::string> organizations;
  };
  /// Who the peer's verified certificate names; empty without TLS or certificate.
  [[nodiscard]] PeerIdentity peer_identity() const;

 private:
  struct Attempt {
    enum class Kind { done, want_read, want_write, ended, failed } kind = Kind::failed;
    size_t count = 0;
    std::string reason;
  };
  ByteStream(UniqueFd socket, UniqueFd read_wake, UniqueFd write_wake);
  Status wait(short events, const UniqueFd& wake, const std::stop_token& stop, Duration limit, const char* what) const;
  Attempt try_read(std::span<char> out);
  Attempt try_write(std::string_view bytes);
  Attempt judge(int result);

  UniqueFd socket_;
  UniqueFd read_wake_;
  UniqueFd write_wake_;
  std::string peer_;
  std::mutex tls_mutex_;  // one SSL object must not be read and written at the same instant
  SSL* tls_ = nullptr;
};

}  // namespace holdfast::net
