// HTTP/1.1 server: one thread a connection (bounded), a handler a request, streamed answers, upgrade to WebSocket, TLS.
//
// The handler runs on the connection's thread and must answer exactly once through its Responder: reply(), or begin()
// with write()s and end(), or upgrade(). A handler that returns without an answer sends 500. Stopping the server asks
// every handler's stop token, then joins.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "net/http.h"
#include "net/websocket.h"

namespace holdfast::net {

struct ServerRequest {
  std::string method;
  std::string target;                             ///< path and query as sent
  std::string path;                               ///< percent-decoded
  std::multimap<std::string, std::string> query;  ///< percent-decoded, '+' as space
  Headers headers;
  std::string body = {};
  std::string peer;                ///< "address:port"
  std::string client_common_name;  ///< of a verified client certificate; else empty
  std::vector<std::string> client_organizations;
  /// The first query value of that name; empty where there is none.
  [[nodiscard]] std::string query_value(const std::string& name) const {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
  }
};

class Responder {
 public:
  virtual ~Responder() = default;
  /// The whole answer at once.
  virtual Status reply(int status, const Headers& headers, std::string_view body) = 0;
  /// Starts a chunked answer; each write() is sent at once. unavailable when the peer has gone.
  virtual Status begin(int status, const Headers& headers) = 0;
  virtual Status write(std::string_view piece) = 0;
  virtual Status end() = 0;
  /// Accepts a WebSocket upgrade with one of the protocols the client offered ("" for none). The socket lives no longer
  /// than the handler call.
  [[nodiscard]] virtual Result<WebSocket*> upgrade(const std::string& protocol) = 0;
  /// Asked when the server stops or the peer is seen to have gone.
  [[nodiscard]] virtual std::stop_token stop() const = 0;
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;                 ///< 0: any free one
  std::string certificate_pem = {};  ///< with key_pem: TLS
  std::string key_pem = {};
  std::string client_ca_pem = {};      ///< client certificates signed by it are verified; none is demanded
  size_t connections_max = 512;        ///< more wait in the listen queue
  size_t body_max = size_t{64} << 20;  ///< larger requests get 413
  Duration idle_timeout = std::chrono::minutes(2);
};

class HttpServer {
 public:
  using Handler = std::function<void(const ServerRequest&, Responder&)>;
  /// Listens and serves until destroyed. exhausted or denied when the port cannot be had.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(ServerOptions options, Handler handler);
  virtual ~HttpServer() = default;
  [[nodiscard]] virtual uint16_t port() const = 0;
};

}  // namespace holdfast::net
