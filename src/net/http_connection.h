// One connection of the HTTP server: reads requests, calls the handler, writes answers, until either side is done.
#pragma once

#include <atomic>

#include "net/byte_stream.h"
#include "net/http_server.h"

namespace holdfast::net {

class HttpConnection {
 public:
  /// `options`, `handler` and `tls` (may be null) belong to the server and outlive the connection.
  HttpConnection(std::unique_ptr<ByteStream> stream, const ServerOptions& options, const HttpServer::Handler& handler,
                 SSL_CTX* tls)
      : stream_(std::move(stream)), options_(options), handler_(handler), tls_(tls) {}

  /// Serves until the peer leaves, misbehaves, is idle too long, or stop() was called. Called once.
  void serve();
  /// Asks reads and the running handler to end. From any thread.
  void stop() { stop_.request_stop(); }
  /// Called when the peer hung up: ends a handler that waits, but never cuts off bytes still to be read.
  void peer_gone() {
    if (in_handler_.load()) stop();
  }
  [[nodiscard]] int descriptor() const { return stream_->descriptor(); }

 private:
  friend class ConnectionResponder;
  enum class Next { keep_alive, close };
  [[nodiscard]] Result<bool> read_request(ServerRequest& request, bool& keep_alive);
  Next answer(const ServerRequest& request, bool keep_alive);
  void refuse(int status, std::string_view reason);

  std::unique_ptr<ByteStream> stream_;
  const ServerOptions& options_;
  const HttpServer::Handler& handler_;
  SSL_CTX* tls_;
  ByteStream::PeerIdentity identity_;
  std::stop_source stop_;
  std::atomic<bool> in_handler_ = false;
  std::string early_;  // bytes read past the request
};

/// The reason phrase of a status code.
[[nodiscard]] std::string_view reason_phrase(int status);

}  // namespace holdfast::net
