#include "net/websocket.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

#include "net/http_server.h"
#include "net/test_identity.h"

namespace holdfast::net {
namespace {

constexpr Duration kLimit = std::chrono::seconds(20);
using Kind = WebSocket::Kind;

// Says back whatever it hears until the client says good-bye.
void parrot(const ServerRequest& request, Responder& responder) {
  if (request.path == "/no") {
    EXPECT_TRUE(responder.reply(403, {}, "not for you"));
    return;
  }
  Result<WebSocket*> socket = responder.upgrade(request.query_value("take"));
  if (!socket.ok()) {
    EXPECT_TRUE(responder.reply(400, {}, socket.error().message()));
    return;
  }
  while (true) {
    Result<WebSocket::Message> heard = (*socket)->read(responder.stop(), kLimit);
    if (!heard.ok() || heard->kind == Kind::closed) return;
    if (!(*socket)->write(heard->kind, request.client_common_name + heard->bytes).ok()) return;
  }
}

TEST(WebSocket, CarriesMessagesOfEverySizeBothWays) {
  const auto server = HttpServer::start({}, parrot).value();
  const auto socket =
      connect_websocket(fmt::format("ws://127.0.0.1:{}/?take=v5", server->port()), {}, {"v4", "v5"}, {}, kLimit)
          .value();
  EXPECT_EQ(socket->protocol(), "v5");
  for (const size_t size : {size_t{0}, size_t{1}, size_t{126}, size_t{70'000}, size_t{3'000'000}}) {
    const std::string sent(size, 'x');
    std::jthread writer([&] { EXPECT_TRUE(socket->write(Kind::binary, sent)); });
    const auto heard = socket->read({}, kLimit).value();
    EXPECT_EQ(heard.kind, Kind::binary);
    EXPECT_TRUE(heard.bytes == sent) << size;
  }
  socket->close();
  EXPECT_EQ(socket->read({}, kLimit).value().kind, Kind::closed);
  EXPECT_FALSE(socket->write(Kind::text, "late").ok());
}

TEST(WebSocket, RefusalsAreErrorsWithTheBody) {
  const auto server = HttpServer::start({}, parrot).value();
  const auto refused = connect_websocket(fmt::format("ws://127.0.0.1:{}/no", server->port()), {}, {}, {}, kLimit);
  ASSERT_TRUE(refused.is(ErrorCode::denied));
  EXPECT_NE(refused.error().message().find("not for you"), std::string::npos);
  const auto unasked =
      connect_websocket(fmt::format("ws://127.0.0.1:{}/?take=v9", server->port()), {}, {"v5"}, {}, kLimit);
  EXPECT_TRUE(unasked.is(ErrorCode::corrupt));
}

TEST(WebSocket, ReadingEndsByLimitByStopAndWithTheServer) {
  auto server = HttpServer::start({}, parrot).value();
  const auto socket = connect_websocket(fmt::format("ws://127.0.0.1:{}/", server->port()), {}, {}, {}, kLimit).value();
  EXPECT_TRUE(socket->read({}, std::chrono::milliseconds(20)).is(ErrorCode::timeout));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(socket->read(stop.get_token(), kLimit).is(ErrorCode::cancelled));
  server.reset();
  const auto end = socket->read({}, kLimit);
  EXPECT_TRUE(end.is(ErrorCode::unavailable) || (end.ok() && end->kind == Kind::closed));
}

TEST(WebSocket, RunsUnderTlsWithAClientCertificate) {
  const TestIdentity authority = make_test_authority("ca");
  const TestIdentity identity = issue_test_identity(
      authority,
      {.common_name = "server", .organizations = {}, .dns_names = {"localhost"}, .addresses = {"127.0.0.1"}});
  const TestIdentity client =
      issue_test_identity(authority, {.common_name = "ann", .organizations = {"o"}, .dns_names = {}, .addresses = {}});
  ServerOptions options;
  options.certificate_pem = identity.certificate_pem;
  options.key_pem = identity.key_pem;
  options.client_ca_pem = authority.certificate_pem;
  const auto server = HttpServer::start(options, parrot).value();
  const std::string url = fmt::format("wss://127.0.0.1:{}/", server->port());
  TlsOptions tls;
  EXPECT_TRUE(connect_websocket(url, {}, {}, tls, kLimit).is(ErrorCode::denied));  // the system does not know our CA
  tls.ca_pem = authority.certificate_pem;
  tls.certificate_pem = client.certificate_pem;
  tls.key_pem = client.key_pem;
  const auto socket = connect_websocket(url, {}, {}, tls, kLimit).value();
  ASSERT_TRUE(socket->write(Kind::text, "!"));
  EXPECT_EQ(socket->read({}, kLimit).value().bytes, "ann!");
  tls.server_name = "elsewhere";
  EXPECT_TRUE(connect_websocket(url, {}, {}, tls, kLimit).is(ErrorCode::denied));
}

}  // namespace
}  // namespace holdfast::net
