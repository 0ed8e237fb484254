#include "app/cli/metrics_endpoint.h"

#include <fmt/format.h>

#include "base/text.h"

namespace holdfast::app {

namespace {

Result<net::ServerOptions> listen_at(const std::string& address) {
  const size_t colon = address.rfind(':');
  const Result<int64_t> port =
      colon == std::string::npos ? Result<int64_t>(-1) : parse_int(std::string_view(address).substr(colon + 1));
  if (!port || *port < 0 || *port > 65535) {
    return Error(ErrorCode::invalid, fmt::format("--metrics-address \"{}\" is not an address with a port", address),
                 "write it like :8085 or 0.0.0.0:8085");
  }
  net::ServerOptions out;
  out.address = colon == 0 ? "0.0.0.0" : address.substr(0, colon);
  out.port = static_cast<uint16_t>(*port);
  return out;
}

}  // namespace

Result<std::unique_ptr<net::HttpServer>> serve_metrics(const std::string& address, metrics::Registry& metrics,
                                                       std::function<bool()> ready) {
  const auto answer = [&metrics, ready = std::move(ready)](const net::ServerRequest& request,
                                                           net::Responder& responder) {
    const net::Headers text{{"Content-Type", "text/plain; version=0.0.4"}};
    // A peer that has gone needs no answer.
    if (request.path == "/metrics") {
      static_cast<void>(responder.reply(200, text, metrics.render()));
    } else if (request.path == "/healthz") {
      static_cast<void>(responder.reply(200, text, "ok\n"));
    } else if (request.path == "/readyz") {
      const bool serving = ready();
      static_cast<void>(responder.reply(serving ? 200 : 503, text, serving ? "ok\n" : "not ready\n"));
    } else {
      static_cast<void>(responder.reply(404, text, request.path + " is not served here\n"));
    }
  };
  return net::HttpServer::start(TRY(listen_at(address)), answer);
}

}  // namespace holdfast::app
