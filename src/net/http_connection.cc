#include "net/http_connection.h"

#include <fmt/format.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "base/text.h"
#include "net/websocket_stream.h"

namespace holdfast::net {

namespace {

namespace http = boost::beast::http;
constexpr size_t kHeaderMax = size_t{64} << 10;
constexpr Duration kWriteLimit = std::chrono::seconds(60);

std::string head_text(int status, const Headers& headers, bool keep_alive) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  for (const auto& [name, value] : headers.fields()) {
    if (name.find_first_of("\r\n:") != std::string::npos || value.find_first_of("\r\n") != std::string::npos) continue;
    head += fmt::format("{}: {}\r\n", name, value);
  }
  if (!keep_alive) head += "Connection: close\r\n";
  return head;
}

bool bodiless(int status) {
  return status < 200 || status == 204 || status == 304;
}

// '+' means a space in query strings only.
std::string decode_query_part(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decode(spaced).value_or(spaced);
}

std::multimap<std::string, std::string> parse_query(std::string_view query) {
  std::multimap<std::string, std::string> parsed;
  for (const std::string& part : split(query, '&')) {
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    parsed.emplace(decode_query_part(part.substr(0, equals)),
                   equals == std::string::npos ? std::string() : decode_query_part(part.substr(equals + 1)));
  }
  return parsed;
}

bool contains_token(std::string_view list, std::string_view token) {
  for (const std::string& part : split(list, ',')) {
    if (to_lower(trim(part)) == token) return true;
  }
  return false;
}

}  // namespace

std::string_view reason_phrase(int status) {
  return http::obsolete_reason(static_cast<http::status>(status));
}

// Writes one answer; remembers how far it got, so that the connection knows what is left to do.
class ConnectionResponder final : public Responder {
 public:
  ConnectionResponder(HttpConnection& connection, const ServerRequest& request, bool keep_alive)
      : connection_(connection), request_(request), keep_alive_(keep_alive) {}

  Status reply(int status, const Headers& headers, std::string_view body) override {
    if (state_ != State::fresh) return misuse("reply");
    state_ = State::done;
    Headers whole = headers;
    if (!bodiless(status)) whole.set("Content-Length", std::to_string(body.size()));
    std::string text = head_text(status, whole, keep_alive_) + "\r\n";
    if (!bodiless(status) && request_.method != "HEAD") text += body;
    return send(text);
  }

  Status begin(int status, const Headers& headers) override {
    if (state_ != State::fresh) return misuse("begin");
    state_ = State::streaming;
    Headers whole = headers;
    whole.set("Transfer-Encoding", "chunked");
    return send(head_text(status, whole, keep_alive_) + "\r\n");
  }

  Status write(std::string_view piece) override {
    if (state_ != State::streaming) return misuse("write");
    if (piece.empty() || request_.method == "HEAD") return {};
    return send(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece));
  }

  Status end() override {
    if (state_ != State::streaming) return misuse("end");
    state_ = State::done;
    return request_.method == "HEAD" ? Status() : send("0\r\n\r\n");
  }

  Result<WebSocket*> upgrade(const std::string& protocol) override {
    if (state_ != State::fresh) return misuse("upgrade");
    const std::string key(request_.headers.get("Sec-WebSocket-Key"));
    if (!contains_token(request_.headers.get("Connection"), "upgrade") ||
        to_lower(request_.headers.get("Upgrade")) != "websocket" || key.empty() ||
        request_.headers.get("Sec-WebSocket-Version") != "13") {
      return Error(ErrorCode::invalid, "the request asks for no WebSocket of version 13");
    }
    state_ = State::upgraded;
    connection_.in_handler_ = false;  // a good-bye still in the line must be read, not cut off
    Headers headers{
        {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", websocket_accept_key(key)}};
    if (!protocol.empty()) headers.add("Sec-WebSocket-Protocol", protocol);
    TRY(send(head_text(101, headers, true) + "\r\n"));
    socket_.emplace(*connection_.stream_, ByteStream::Side::server, protocol, connection_.early_);
    return static_cast<WebSocket*>(&*socket_);
  }

  std::stop_token stop() const override { return connection_.stop_.get_token(); }

  /// After the handler: completes what it left open; says whether the connection can carry another request.
  bool settle() {
    if (state_ == State::fresh) {
      (void)reply(500, {{"Content-Type", "text/plain"}}, "the handler gave no answer\n").ok();
    }
    if (state_ == State::upgraded && socket_) socket_->close(1000);
    return state_ == State::done && keep_alive_ && !broken_;  // a chunked answer without its end must be cut
  }

 private:
  enum class State { fresh, streaming, upgraded, done };
  Status send(std::string_view text) {
    Status sent = connection_.stream_->write(text, connection_.stop_.get_token(), kWriteLimit);
    if (!sent.ok()) broken_ = true;
    return sent;
  }
  static Error misuse(std::string_view call) {
    return Error(ErrorCode::internal, fmt::format("{}() called out of order", call));
  }

  HttpConnection& connection_;
  const ServerRequest& request_;
  bool keep_alive_;
  bool broken_ = false;
  State state_ = State::fresh;
  std::optional<WebSocketStream> socket_;
};

void HttpConnection::serve() {
  const std::stop_token token = stop_.get_token();
  if (tls_ != nullptr) {
    if (!stream_->start_tls(tls_, ByteStream::Side::server, {}, token, options_.idle_timeout)) return;
    identity_ = stream_->peer_identity();
  }
  while (!token.stop_requested()) {
    ServerRequest request;
    bool keep_alive = false;
    const Result<bool> got = read_request(request, keep_alive);
    if (!got.ok() || !*got) break;
    if (answer(request, keep_alive) == Next::close) break;
  }
  stream_->finish();
}

// False: the connection is at its end (the peer left, or was refused).
Result<bool> HttpConnection::read_request(ServerRequest& request, bool& keep_alive) {
  http::request_parser<http::string_body> parser;
  parser.eager(true);
  parser.header_limit(kHeaderMax);
  parser.body_limit(options_.body_max);
  bool told_to_continue = false;
  char chunk[16384];
  while (!parser.is_done()) {
    boost::system::error_code failure;
    const size_t used = early_.empty() ? 0 : parser.put(boost::asio::buffer(early_), failure);
    early_.erase(0, used);
    if (failure == http::error::need_more) failure = {};
    if (failure == http::error::body_limit) {
      refuse(413, "request body is too large");
      return false;
    }
    if (failure == http::error::header_limit || early_.size() > kHeaderMax + sizeof chunk) {
      refuse(431, "request header is too large");
      return false;
    }
    if (failure) {
      refuse(400, failure.message());
      return false;
    }
    if (parser.is_done()) break;
    if (used > 0 && !early_.empty()) continue;
    if (parser.is_header_done() && !told_to_continue && parser.get()[http::field::expect] == "100-continue") {
      told_to_continue = true;
      TRY(stream_->write("HTTP/1.1 100 Continue\r\n\r\n", stop_.get_token(), kWriteLimit));
    }
    const size_t got = TRY(stream_->read_some(chunk, stop_.get_token(), options_.idle_timeout));
    if (got == 0) return false;
    early_.append(chunk, got);
  }
  http::request<http::string_body> message = parser.release();
  keep_alive = message.keep_alive();
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  const size_t question = request.target.find('?');
  Result<std::string> path = percent_decode(std::string_view(request.target).substr(0, question));
  if (!path.ok() || request.target.empty() || request.target[0] != '/') {
    refuse(400, "malformed request target");
    return false;
  }
  request.path = *std::move(path);
  if (question != std::string::npos) request.query = parse_query(std::string_view(request.target).substr(question + 1));
  for (const auto& field : message) request.headers.add(std::string(field.name_string()), std::string(field.value()));
  request.body = std::move(message.body());
  request.peer = stream_->peer();
  request.client_common_name = identity_.common_name;
  request.client_organizations = identity_.organizations;
  return true;
}

HttpConnection::Next HttpConnection::answer(const ServerRequest& request, bool keep_alive) {
  ConnectionResponder responder(*this, request, keep_alive);
  in_handler_ = true;
  handler_(request, responder);
  in_handler_ = false;
  return responder.settle() ? Next::keep_alive : Next::close;
}

void HttpConnection::refuse(int status, std::string_view reason) {
  const std::string body = std::string(reason) + "\n";
  const Headers headers{{"Content-Type", "text/plain"}, {"Content-Length", std::to_string(body.size())}};
  // The connection ends either way.
  (void)stream_->write(head_text(status, headers, false) + "\r\n" + body, stop_.get_token(), kWriteLimit).ok();
}

}  // namespace holdfast::net
