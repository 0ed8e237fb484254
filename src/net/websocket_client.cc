// The client's end of a WebSocket: connect, TLS, the HTTP handshake; then WebSocketStream speaks.
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>

#include "base/random.h"
#include "base/text.h"
#include "net/byte_stream.h"
#include "net/tls_context.h"
#include "net/websocket_stream.h"

namespace holdfast::net {

namespace {

namespace http = boost::beast::http;

// Keeps what a socket stands on alive as long as the socket.
class ClientWebSocket final : public WebSocket {
 public:
  ClientWebSocket(TlsContext tls, std::unique_ptr<ByteStream> stream, std::string protocol, std::string_view early)
      : tls_(std::move(tls)),
        stream_(std::move(stream)),
        socket_(*stream_, ByteStream::Side::client, std::move(protocol), early) {}
  Result<Message> read(std::stop_token stop, Duration limit) override { return socket_.read(std::move(stop), limit); }
  Status write(Kind kind, std::string_view bytes) override { return socket_.write(kind, bytes); }
  void close(int code) override { socket_.close(code); }
  const std::string& protocol() const override { return socket_.protocol(); }

 private:
  TlsContext tls_;
  std::unique_ptr<ByteStream> stream_;
  WebSocketStream socket_;
};

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

// Starts a connect; the first write or read waits until it is through.
Result<UniqueFd> dial(const Url& url, Duration timeout, const std::stop_token& stop) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int failure = ::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &wanted, &found)) {
    return Error(ErrorCode::unavailable, fmt::format("look up {}: {}", url.host, ::gai_strerror(failure)));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
  Error last(ErrorCode::unavailable, fmt::format("{} has no address", url.host));
  const BootTime end = system_clock().boottime() + timeout;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    UniqueFd socket(::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return errno_error(errno, "socket");
    int reason = ::connect(socket.get(), a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
    while (reason == EINPROGRESS) {
      if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped while connecting");
      if (system_clock().boottime() >= end) return Error(ErrorCode::timeout, "no connection to " + url.host);
      pollfd watched{socket.get(), POLLOUT, 0};
      if (::poll(&watched, 1, 100) <= 0) continue;
      socklen_t length = sizeof reason;
      (void)::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &reason, &length);
    }
    if (reason == 0) return socket;
    last = Error(ErrorCode::unavailable,
                 fmt::format("connect to {} port {}: {}", url.host, url.port, errno_error(reason, "").message()));
  }
  return last;
}

ErrorCode code_of_status(unsigned status) {
  if (status == 401 || status == 403) return ErrorCode::denied;
  if (status == 404) return ErrorCode::not_found;
  if (status == 409 || status == 410) return ErrorCode::conflict;
  if (status == 429 || status >= 500) return ErrorCode::unavailable;
  return status == 405 || status == 501 ? ErrorCode::unsupported : ErrorCode::invalid;
}

struct Handshake {
  std::string protocol;
  std::string early;
};

// The answer to the upgrade request, with the body (as far as 1 KiB) when it is not 101.
Result<Handshake> read_answer(ByteStream& stream, const std::string& key, const std::vector<std::string>& offered,
                              const std::stop_token& stop, Duration timeout) {
  http::response_parser<http::string_body> parser;
  parser.header_limit(65536);
  parser.body_limit(1 << 20);
  std::string pending;
  char chunk[4096];
  bool refused = false;
  while (!parser.is_done()) {
    const size_t got = TRY(stream.read_some(chunk, stop, timeout));
    boost::system::error_code failure;
    if (got == 0) {
      if (!refused) return Error(ErrorCode::unavailable, "the connection ended inside the handshake");
      break;
    }
    pending.append(chunk, got);
    while (!pending.empty() && !parser.is_done()) {
      const size_t used = parser.put(boost::asio::buffer(pending), failure);
      pending.erase(0, used);
      if (failure && failure != http::error::need_more) {
        return Error(ErrorCode::corrupt, "WebSocket handshake: " + failure.message());
      }
      if (parser.is_header_done()) {
        refused = parser.get().result_int() != 101;
        parser.eager(refused);
        if (!refused) break;
      }
      if (used == 0) break;
    }
    if (parser.is_header_done() && !refused) break;
  }
  const auto& answer = parser.get();
  if (refused) {
    return Error(code_of_status(answer.result_int()),
                 fmt::format("HTTP {}: {}", answer.result_int(), trim(answer.body().substr(0, 1024))));
  }
  if (answer["Sec-WebSocket-Accept"] != websocket_accept_key(key)) {
    return Error(ErrorCode::corrupt, "WebSocket handshake: the answer is to another key");
  }
  Handshake handshake{.protocol = std::string(answer["Sec-WebSocket-Protocol"]), .early = std::move(pending)};
  if (!handshake.protocol.empty() && std::find(offered.begin(), offered.end(), handshake.protocol) == offered.end()) {
    return Error(ErrorCode::corrupt, "WebSocket handshake: protocol '" + handshake.protocol + "' was not offered");
  }
  return handshake;
}

}  // namespace

Result<std::unique_ptr<WebSocket>> connect_websocket(const std::string& url, const Headers& headers,
                                                     const std::vector<std::string>& protocols, const TlsOptions& tls,
                                                     Duration timeout, std::stop_token stop) {
  const Url target = TRY(parse_url(url));
  const std::string where = fmt::format("WebSocket to {}:{}", target.host, target.port);
  UniqueFd dialed = TRY(dial(target, timeout, stop).in(where));
  std::unique_ptr<ByteStream> stream = TRY(ByteStream::adopt(std::move(dialed)));
  TlsContext context;
  if (target.scheme == "https" || target.scheme == "wss") {
    context = TRY(make_client_tls(tls));
    const std::string name = tls.verify == TlsOptions::Verify::none ? ""
                             : tls.server_name.empty()              ? target.host
                                                                    : tls.server_name;
    TRY(stream->start_tls(context.get(), ByteStream::Side::client, name, stop, timeout).in(where));
  }
  std::string nonce(16, '\0');
  random_bytes(std::as_writable_bytes(std::span(nonce)));
  const std::string key = to_base64(nonce);
  const std::string host = target.host.find(':') == std::string::npos ? target.host : "[" + target.host + "]";
  std::string request = fmt::format(
      "GET {}{}{} HTTP/1.1\r\nHost: {}:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: {}\r\n",
      target.path, target.query.empty() ? "" : "?", target.query, host, target.port, key);
  if (!protocols.empty()) request += fmt::format("Sec-WebSocket-Protocol: {}\r\n", fmt::join(protocols, ", "));
  for (const auto& [name, value] : headers.fields()) {
    if (name.find_first_of("\r\n:") != std::string::npos || value.find_first_of("\r\n") != std::string::npos) {
      return Error(ErrorCode::invalid, "a header field of the WebSocket request holds a line end");
    }
    request += fmt::format("{}: {}\r\n", name, value);
  }
  TRY(stream->write(request + "\r\n", stop, timeout).in(where));
  Handshake handshake = TRY(read_answer(*stream, key, protocols, stop, timeout).in(where));
  return std::unique_ptr<WebSocket>(std::make_unique<ClientWebSocket>(std::move(context), std::move(stream),
                                                                      std::move(handshake.protocol), handshake.early));
}

}  // namespace holdfast::net
