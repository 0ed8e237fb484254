#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <future>

#include "net/http.h"
#include "net/scripted_server.h"

namespace holdfast::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

std::unique_ptr<HttpClient> client(ClientOptions options = {}) {
  return HttpClient::create(std::move(options)).value();
}

TEST(HttpClient, SendsARequestAndReadsTheWholeAnswer) {
  ScriptedServer server({
      accept(),
      expect(
          {.start = "GET /a%20b?x=1 HTTP/1.1", .headers = {"X-One: 1", "User-Agent: holdfast"}, .absent = {"Expect"}}),
      reply(200, {{"ETag", "\"e\""}, {"X-Empty", ""}}, "hello"),
  });
  const Response response = client()->send({.url = server.url("/a%20b?x=1"), .headers = {{"X-One", "1"}}}).value();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.get("etag"), "\"e\"");
  EXPECT_TRUE(response.headers.has("x-empty"));
  EXPECT_EQ(response.body, "hello");
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST(HttpClient, KeepsTheConnectionForTheNextRequest) {
  ScriptedServer server({
      accept(),
      expect({.start = "PUT /k HTTP/1.1", .headers = {"Content-Length: 5"}, .absent = {"Expect"}, .body = "bytes"}),
      reply(200),
      expect({.start = "HEAD /k HTTP/1.1"}),
      reply(200, {{"Content-Length", "5"}}),
      expect({.start = "DELETE /k HTTP/1.1", .absent = {"Content-Length"}}),
      reply(204),
      accept(),  // an empty body goes over a new connection
      expect({.start = "POST /k?uploads HTTP/1.1", .headers = {"Content-Length: 0"}, .body = ""}),
      reply(500, {}, "<Error/>"),
  });
  const auto http = client();
  EXPECT_EQ(http->send({.method = "PUT", .url = server.url("/k"), .body = "bytes"}).value().status, 200);
  const Response head = http->send({.method = "HEAD", .url = server.url("/k")}).value();
  EXPECT_EQ(head.headers.get("Content-Length"), "5");
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(http->send({.method = "DELETE", .url = server.url("/k")}).value().status, 204);
  const Response failed = http->send({.method = "POST", .url = server.url("/k?uploads")}).value();
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.body, "<Error/>");
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST(HttpClient, StreamsABodyFromItsSource) {
  const std::string bytes(3'000'000, 'x');
  ScriptedServer server({accept(), expect({.start = "PUT /big HTTP/1.1", .body = bytes}), reply(200)});
  size_t given = 0;
  Request request{.method = "PUT", .url = server.url("/big")};
  request.source_size = bytes.size();
  request.source = [&](std::span<char> room) -> Result<size_t> {
    const size_t size = std::min(room.size(), bytes.size() - given);
    std::copy_n(bytes.data() + given, size, room.data());
    given += size;
    return size;
  };
  EXPECT_EQ(client()->send(request).value().status, 200);
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST(HttpClient, AFailingSourceEndsTheCallWithItsError) {
  ScriptedServer server({accept(), expect_head("PUT /big HTTP/1.1"), stall()});
  Request request{.method = "PUT", .url = server.url("/big")};
  request.source_size = 10;
  request.source = [](std::span<char>) -> Result<size_t> { return Error(ErrorCode::corrupt, "bad block"); };
  const Result<Response> response = client()->send(request);
  EXPECT_TRUE(response.is(ErrorCode::corrupt));
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST(HttpClient, ASourceWithoutItsLengthIsRefused) {
  Request request{.method = "PUT", .url = "http://127.0.0.1:1/"};
  request.source = [](std::span<char>) -> Result<size_t> { return size_t{0}; };
  EXPECT_TRUE(client()->send(request).is(ErrorCode::invalid));
}

TEST(HttpClient, StreamGivesTheHeadBeforeTheBody) {
  ScriptedServer server({
      accept(),
      expect({.start = "GET /w HTTP/1.1"}),
      send_bytes("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Kind: watch\r\n\r\n"),
      send_bytes("5\r\nfirst\r\n"),
      send_bytes("6\r\nsecond\r\n0\r\nX-Trailer: t\r\n\r\n"),
  });
  std::string seen;
  const Result<Response> response = client()->stream(
      {.url = server.url("/w")},
      [&](const Response& head) -> Status {
        seen += std::to_string(head.status) + std::string(head.headers.get("X-Kind")) + ":";
        return {};
      },
      [&](std::string_view piece) -> Status {
        seen += piece;
        return {};
      });
  ASSERT_TRUE(response.ok()) << response.error().to_string();
  EXPECT_EQ(seen, "200watch:firstsecond");
  EXPECT_EQ(response->body, "");
  EXPECT_FALSE(response->headers.has("X-Trailer"));
}

TEST(HttpClient, AFailingSinkEndsTheCallWithItsError) {
  ScriptedServer server({accept(), expect({}), reply(200, {}, "body"), accept(), expect({}), reply(403, {}, "no")});
  const auto http = client();
  const Request request{.url = server.url("/")};
  const Result<Response> body_refused =
      http->stream(request, nullptr, [](std::string_view) -> Status { return Error(ErrorCode::exhausted, "full"); });
  EXPECT_TRUE(body_refused.is(ErrorCode::exhausted));
  const Result<Response> head_refused = http->stream(
      request, [](const Response&) -> Status { return Error(ErrorCode::denied, "no"); }, nullptr);
  EXPECT_TRUE(head_refused.is(ErrorCode::denied));
}

TEST(HttpClient, NobodyListeningIsUnavailable) {
  uint16_t port = 0;
  { port = ScriptedServer({}).port(); }
  const Result<Response> response = client()->send({.url = "http://127.0.0.1:" + std::to_string(port) + "/"});
  EXPECT_TRUE(response.is(ErrorCode::unavailable));
}

TEST(HttpClient, ABrokenConnectionIsUnavailable) {
  const auto http = client();
  for (const std::string& said :
       {std::string(), std::string("HTTP/1.1 200 OK\r\nContent-Le"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), std::string("SSH-2.0-OpenSSH_9.2\r\n")}) {
    ScriptedServer server({accept(), expect({}), send_bytes(said), hang_up()});
    EXPECT_TRUE(http->send({.url = server.url("/")}).is(ErrorCode::unavailable)) << said;
    ScriptedServer resets({accept(), expect({}), send_bytes(said), abort()});
    EXPECT_TRUE(http->send({.url = resets.url("/")}).is(ErrorCode::unavailable)) << said;
  }
}

TEST(HttpClient, ABodyIsNeverSentTwice) {
  ScriptedServer server({
      accept(),
      expect({.start = "PUT /one HTTP/1.1"}),
      reply(200),
      expect({.start = "PUT /two HTTP/1.1"}),
      abort(),
      accept(),  // libcurl connects anew before it sees that it cannot rewind
      accept(),
      expect({.start = "GET /three HTTP/1.1"}),
      reply(200),
  });
  const auto http = client();
  EXPECT_TRUE(http->send({.method = "PUT", .url = server.url("/one"), .body = "1"}).ok());
  EXPECT_TRUE(http->send({.method = "PUT", .url = server.url("/two"), .body = "2"}).is(ErrorCode::unavailable));
  EXPECT_TRUE(http->send({.url = server.url("/three")}).ok());
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST(HttpClient, AnEmptyBodyIsNotSentTwiceEither) {
  ScriptedServer server({accept(), expect({}), reply(200), accept(), expect({.start = "PUT /two HTTP/1.1"}), abort(),
                         accept(), expect({.start = "GET /three HTTP/1.1"}), reply(200)});
  const auto http = client();
  EXPECT_TRUE(http->send({.url = server.url("/one")}).ok());
  EXPECT_TRUE(http->send({.method = "PUT", .url = server.url("/two")}).is(ErrorCode::unavailable));
  EXPECT_TRUE(http->send({.url = server.url("/three")}).ok());
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST(HttpClient, AConnectionThatThePeerClosedWhileIdleIsReplaced) {
  std::promise<void> closed;
  ScriptedServer server({
      accept(),
      expect({}),
      reply(200),
      hang_up(),
      run([&] { closed.set_value(); }),
      accept(),
      expect({.start = "PUT /k HTTP/1.1", .body = "b"}),
      reply(200),
  });
  const auto http = client();
  EXPECT_TRUE(http->send({.url = server.url("/")}).ok());
  closed.get_future().wait();
  const Result<Response> second = http->send({.method = "PUT", .url = server.url("/k"), .body = "b"});
  EXPECT_TRUE(second.ok()) << second.error().to_string();
}

TEST(HttpClient, ASilentPeerIsATimeout) {
  ScriptedServer server(
      {accept(), expect({}), stall(), accept(), expect({}), send_bytes("HTTP/1.1 200 OK\r\n"), stall()});
  const auto http = client();
  EXPECT_TRUE(http->send({.url = server.url("/"), .timeout = milliseconds(50)}).is(ErrorCode::timeout));
  const Result<Response> idle =
      http->send({.url = server.url("/"), .timeout = seconds(0), .idle_timeout = milliseconds(50)});
  EXPECT_TRUE(idle.is(ErrorCode::timeout));
  EXPECT_THAT(idle.error().message(), HasSubstr("silent for 50ms"));
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST(HttpClient, AStopEndsACallAtOnce) {
  std::stop_source stop;
  ScriptedServer server({accept(), expect({}), run([&] { stop.request_stop(); }), stall()});
  const BootTime start = system_clock().boottime();
  const Result<Response> response = client()->send({.url = server.url("/"), .timeout = seconds(60)}, stop.get_token());
  EXPECT_TRUE(response.is(ErrorCode::cancelled));
  EXPECT_LT(system_clock().boottime() - start, seconds(10));
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
  EXPECT_TRUE(client()->send({.url = server.url("/")}, stop.get_token()).is(ErrorCode::cancelled));
}

TEST(HttpClient, SecretsStayOutOfErrors) {
  ScriptedServer server({accept(), expect({}), abort()});
  const Result<Response> response = client()->send(
      {.url = server.url("/k?X-Amz-Signature=topsecret"), .headers = {{"Authorization", "Bearer topsecret"}}});
  ASSERT_FALSE(response.ok());
  EXPECT_THAT(response.error().to_string(), HasSubstr("GET " + server.url("/k")));
  EXPECT_THAT(response.error().to_string(), Not(HasSubstr("topsecret")));
  const Result<Response> user = client()->send({.url = "http://me:topsecret@127.0.0.1/"});
  EXPECT_THAT(user.error().to_string(), Not(HasSubstr("topsecret")));
}

TEST(HttpClient, RefusesWhatWouldBreakTheRequestApart) {
  const auto http = client();
  EXPECT_TRUE(http->send({.url = "http://127.0.0.1:1/", .headers = {{"X", "a\r\nY: b"}}}).is(ErrorCode::invalid));
  EXPECT_TRUE(http->send({.url = "http://127.0.0.1:1/", .headers = {{"X\n", "a"}}}).is(ErrorCode::invalid));
  EXPECT_TRUE(http->send({.method = "GET / X\r\n", .url = "http://127.0.0.1:1/"}).is(ErrorCode::invalid));
  EXPECT_TRUE(http->send({.url = "file:///etc/hostname"}).is(ErrorCode::invalid));
  EXPECT_TRUE(http->send({.url = "http://h/a b"}).is(ErrorCode::invalid));
}

TEST(HttpClient, GoesThroughAProxyThatTheOptionsName) {
  ScriptedServer proxy({accept(), expect({.start = "GET http://store.invalid/k HTTP/1.1"}), reply(200, {}, "via")});
  EXPECT_EQ(client({.tls = {}, .proxy = proxy.url()})->send({.url = "http://store.invalid/k"}).value().body, "via");
}

TEST(HttpClient, TakesTheProxyFromTheEnvironmentButNeverForLoopback) {
  ScriptedServer proxy({accept(), expect({.start = "GET http://store.invalid/k HTTP/1.1"}), reply(200, {}, "via")});
  ScriptedServer direct({accept(), expect({.start = "GET /k HTTP/1.1"}), reply(200, {}, "direct")});
  ::setenv("HTTP_PROXY", proxy.url().c_str(), 1);
  const auto http = client();
  const auto unproxied = client({.tls = {}, .proxy = "-"});
  ::unsetenv("HTTP_PROXY");
  EXPECT_EQ(http->send({.url = "http://store.invalid/k"}).value().body, "via");
  EXPECT_EQ(http->send({.url = direct.url("/k")}).value().body, "direct");
  EXPECT_TRUE(unproxied->send({.url = "http://store.invalid/k"}).is(ErrorCode::unavailable));
}

}  // namespace
}  // namespace holdfast::net
