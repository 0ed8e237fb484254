// Bytes of any client against one connection of the HTTP server; the handler answers with what it was given.
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "net/http_connection.h"

namespace {

// Small enough for the buffers of a pair of sockets: the client need not read while it writes.
constexpr size_t kRequestMax = 16 << 10;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  using namespace holdfast::net;
  if (size > kRequestMax) return 0;
  int ends[2];
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const UniqueFd client(ends[0]);
  Result<std::unique_ptr<ByteStream>> stream = ByteStream::adopt(UniqueFd(ends[1]));
  CHECK(stream.ok());
  CHECK(::write(client.get(), data, size) == static_cast<ssize_t>(size));
  CHECK(::shutdown(client.get(), SHUT_WR) == 0);

  ServerOptions options;
  options.body_max = 4 << 10;
  options.idle_timeout = std::chrono::seconds(5);
  const HttpServer::Handler handler = [](const ServerRequest& request, Responder& responder) {
    CHECK(request.body.size() <= 4 << 10);
    if (request.method == "GET" && !request.query_value("watch").empty()) {
      if (responder.begin(200, {}).ok() && responder.write(request.path).ok()) (void)responder.end();
      return;
    }
    if (const Result<WebSocket*> socket = responder.upgrade(""); socket.ok()) return;
    (void)responder.reply(200, {}, {});
  };
  HttpConnection(std::move(stream).value(), options, handler, nullptr).serve();
  return 0;
}
