#include "net/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>

#include "net/byte_stream.h"

namespace holdfast::net {
namespace {

constexpr Duration kLimit = std::chrono::seconds(20);

std::unique_ptr<ByteStream> dial(uint16_t port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return ByteStream::adopt(std::move(socket)).value();
}

std::string read_until(ByteStream& stream, std::string_view mark) {
  std::string text;
  char chunk[4096];
  while (text.find(mark) == std::string::npos) {
    const Result<size_t> got = stream.read_some(chunk, {}, kLimit);
    if (!got.ok() || *got == 0) break;
    text.append(chunk, *got);
  }
  return text;
}

std::string read_all(ByteStream& stream) {
  return read_until(stream, "\x01never\x02");
}

std::unique_ptr<HttpServer> serve(HttpServer::Handler handler, ServerOptions options = {}) {
  return HttpServer::start(std::move(options), std::move(handler)).value();
}

void echo(const ServerRequest& request, Responder& responder) {
  EXPECT_TRUE(
      responder.reply(200, {{"Content-Type", "text/plain"}},
                      request.method + " " + request.path + " " + request.query_value("q") + " " + request.body));
}

TEST(HttpServer, AnswersRequestsOnOneConnectionInTurn) {
  const auto server = serve(echo);
  const auto stream = dial(server->port());
  ASSERT_TRUE(stream->write("GET /a%20b?q=x+y%26z HTTP/1.1\r\nHost: h\r\n\r\n", {}, kLimit));
  std::string answer = read_until(*stream, "GET /a b x y&z ");
  EXPECT_NE(answer.find("HTTP/1.1 200 OK\r\n"), std::string::npos) << answer;
  ASSERT_TRUE(stream->write("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody", {}, kLimit));
  answer = read_until(*stream, "POST /p  body");
  EXPECT_NE(answer.find("POST /p  body"), std::string::npos) << answer;
}

TEST(HttpServer, ServesPipelinedRequestsAndChunkedBodies) {
  const auto server = serve(echo);
  const auto stream = dial(server->port());
  ASSERT_TRUE(
      stream->write("POST /1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
                    "GET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                    {}, kLimit));
  const std::string answers = read_all(*stream);
  EXPECT_NE(answers.find("POST /1  abcde"), std::string::npos) << answers;
  EXPECT_NE(answers.find("GET /2  "), std::string::npos) << answers;
  EXPECT_NE(answers.find("Connection: close"), std::string::npos) << answers;
}

TEST(HttpServer, EveryCutOfARequestIsPutTogether) {
  const auto server = serve(echo);
  const std::string request = "POST /cut HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\nxyz";
  for (size_t cut = 1; cut < request.size(); ++cut) {
    const auto stream = dial(server->port());
    ASSERT_TRUE(stream->write(request.substr(0, cut), {}, kLimit));
    ASSERT_TRUE(stream->write(request.substr(cut), {}, kLimit));
    EXPECT_NE(read_all(*stream).find("POST /cut  xyz"), std::string::npos) << cut;
  }
}

TEST(HttpServer, RefusesWhatItCannotServe) {
  ServerOptions options;
  options.body_max = 10;
  const auto server = serve(echo, options);
  const auto answer_to = [&](const std::string& request) {
    const auto stream = dial(server->port());
    EXPECT_TRUE(stream->write(request, {}, kLimit));
    return read_all(*stream).substr(0, 12);
  };
  EXPECT_EQ(answer_to("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n01234567890"), "HTTP/1.1 413");
  EXPECT_EQ(answer_to("rubbish\r\n\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(answer_to("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(answer_to("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"), "HTTP/1.1 431");
}

TEST(HttpServer, SendsEachPieceOfAStreamedAnswerAtOnce) {
  std::atomic<bool> go_on = false;
  const auto server = serve([&](const ServerRequest&, Responder& responder) {
    EXPECT_TRUE(responder.begin(200, {}));
    EXPECT_TRUE(responder.write("first"));
    go_on.wait(false);
    EXPECT_TRUE(responder.write("second"));
    EXPECT_TRUE(responder.end());
  });
  const auto stream = dial(server->port());
  ASSERT_TRUE(stream->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n", {}, kLimit));
  EXPECT_NE(read_until(*stream, "5\r\nfirst\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
  go_on = true;
  go_on.notify_all();
  EXPECT_NE(read_until(*stream, "0\r\n\r\n").find("6\r\nsecond\r\n"), std::string::npos);
}

TEST(HttpServer, TellsTheHandlerThatThePeerHasGone) {
  std::atomic<bool> entered = false;
  std::atomic<bool> ended = false;
  const auto server = serve([&](const ServerRequest&, Responder& responder) {
    EXPECT_TRUE(responder.begin(200, {}));
    entered = true;
    entered.notify_all();
    EXPECT_TRUE(system_clock().sleep(responder.stop(), kLimit).is(ErrorCode::cancelled));
    ended = true;
    ended.notify_all();
  });
  auto stream = dial(server->port());
  ASSERT_TRUE(stream->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n", {}, kLimit));
  entered.wait(false);
  stream.reset();
  ended.wait(false);
}

TEST(HttpServer, StoppingEndsWaitingHandlersAndIdleConnections) {
  std::atomic<bool> entered = false;
  auto server = serve([&](const ServerRequest&, Responder& responder) {
    entered = true;
    entered.notify_all();
    EXPECT_TRUE(system_clock().sleep(responder.stop(), kLimit).is(ErrorCode::cancelled));
  });
  const auto idle = dial(server->port());
  const auto busy = dial(server->port());
  ASSERT_TRUE(busy->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n", {}, kLimit));
  entered.wait(false);
  server.reset();
  EXPECT_EQ(read_all(*idle), "");
}

TEST(HttpServer, AHandlerWithoutAnswerIs500) {
  const auto server = serve([](const ServerRequest&, Responder&) {});
  const auto stream = dial(server->port());
  ASSERT_TRUE(stream->write("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", {}, kLimit));
  EXPECT_EQ(read_all(*stream).substr(0, 12), "HTTP/1.1 500");
}

TEST(HttpServer, MoreConnectionsThanAllowedWaitTheirTurn) {
  ServerOptions options;
  options.connections_max = 1;
  const auto server = serve(echo, options);
  auto first = dial(server->port());
  ASSERT_TRUE(first->write("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n", {}, kLimit));
  read_until(*first, "GET /1");
  const auto second = dial(server->port());
  ASSERT_TRUE(second->write("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n", {}, kLimit));
  char byte = 0;
  EXPECT_TRUE(second->read_some({&byte, 1}, {}, std::chrono::milliseconds(50)).is(ErrorCode::timeout));
  first.reset();
  EXPECT_NE(read_until(*second, "GET /2").find("GET /2"), std::string::npos);
}

TEST(HttpServer, APortInUseIsAnError) {
  const auto server = serve(echo);
  ServerOptions options;
  options.port = server->port();
  EXPECT_TRUE(HttpServer::start(options, echo).is(ErrorCode::exhausted));
  options.address = "nowhere";
  EXPECT_TRUE(HttpServer::start(options, echo).is(ErrorCode::invalid));
}

}  // namespace
}  // namespace holdfast::net
