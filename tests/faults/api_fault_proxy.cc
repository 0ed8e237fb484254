// A proxy in front of an API server that breaks what passes through it in one way at a time.
//
//   api_fault_proxy UPSTREAM CA_FILE      serves plain HTTP on a free port of 127.0.0.1 and prints the port
//
// Requests are handed on with their credentials. Which fault is on is told by POST /-/fault with a JSON object, and GET
// /-/fault answers how often it struck:
//
//   {"kind": "status", "status": 503, "every": 3}     every third matching request is answered so, and not handed on
//   {"kind": "lost_answer", "every": 5}               handed on and done; the connection breaks before the answer
//   {"kind": "truncate", "every": 4}                  the answer's body breaks off in its middle
//   {"kind": "slow", "every": 2, "milliseconds": 700} handed on after a while
//   {"kind": "gone_watch", "every": 2}                after every second line of watches that watch ends with a 410
//   {"kind": "cut_watch", "every": 3}                 watches break in the middle of every third line
//   {}                                                nothing
//
// "methods": "POST PATCH" limits a fault to these; "path": only targets that hold this text. Leases are left alone
// unless "leases" is true: losing the lead is another story. Threads: one a connection, of the HTTP server.
#include <fmt/format.h>

#include <cstdio>
#include <mutex>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "net/http.h"
#include "net/http_server.h"

namespace holdfast {
namespace {

constexpr Duration kLongest = std::chrono::minutes(10);

struct Fault {
  std::string kind, methods, path;
  int64_t every = 1;
  int64_t milliseconds = 0;
  int status = 500;
  bool leases = false;
};

bool is_watch(const net::ServerRequest& request) {
  const std::string asked = request.query_value("watch");
  return asked == "true" || asked == "1";
}

class Proxy {
 public:
  Proxy(net::HttpClient& client, std::string upstream) : client_(client), upstream_(std::move(upstream)) {}

  void handle(const net::ServerRequest& request, net::Responder& responder) {
    if (request.path == "/-/fault") return control(request, responder);
    const Fault fault = due(request);
    if (fault.kind == "status") return refuse(fault.status, responder);
    if (fault.kind == "slow") {
      // A client that goes away meanwhile ends the wait, and is noticed when it is answered.
      static_cast<void>(system_clock().sleep(responder.stop(), std::chrono::milliseconds(fault.milliseconds)));
    }
    if (is_watch(request)) return watch(request, responder);
    const Result<net::Response> answer = client_.send(forwarded(request), responder.stop());
    if (!answer) return broken(responder);
    if (fault.kind == "lost_answer") return broken(responder);
    if (fault.kind == "truncate" && answer->body.size() > 1) return cut(*answer, responder);
    static_cast<void>(responder.reply(answer->status, passed_on(answer->headers), answer->body));
  }

 private:
  void control(const net::ServerRequest& request, net::Responder& responder) {
    std::lock_guard lock(mutex_);
    if (request.method == "POST") {
      const Result<json::value> v = json::parse(request.body);
      if (!v) {
        static_cast<void>(responder.reply(400, {}, v.error().to_string()));
        return;
      }
      fault_ = Fault{.kind = json::string_at(*v, {"kind"}),
                     .methods = json::string_at(*v, {"methods"}),
                     .path = json::string_at(*v, {"path"}),
                     .every = json::int_at(*v, {"every"}, 1),
                     .milliseconds = json::int_at(*v, {"milliseconds"}),
                     .status = static_cast<int>(json::int_at(*v, {"status"}, 500)),
                     .leases = json::bool_at(*v, {"leases"})};
      seen_ = 0;
      struck_ = 0;
    }
    static_cast<void>(responder.reply(200, {}, json::compact(json::object{{"seen", seen_}, {"struck", struck_}})));
  }

  /// The fault that meets this request; an empty kind: none.
  Fault due(const net::ServerRequest& request) {
    std::lock_guard lock(mutex_);
    if (fault_.kind.empty() || fault_.kind.ends_with("_watch") || is_watch(request)) return {};
    if (!fault_.methods.empty() && fault_.methods.find(request.method) == std::string::npos) return {};
    if (!fault_.path.empty() && request.target.find(fault_.path) == std::string::npos) return {};
    if (!fault_.leases && request.path.find("/leases") != std::string::npos) return {};
    if (++seen_ % fault_.every != 0) return {};
    ++struck_;
    return fault_;
  }

  [[nodiscard]] net::Request forwarded(const net::ServerRequest& request) const {
    net::Request out;
    out.method = request.method;
    out.url = upstream_ + request.target;
    for (const auto& [name, value] : request.headers.fields()) {
      const std::string lower = to_lower(name);
      if (lower == "host" || lower == "content-length" || lower == "connection" || lower == "expect" ||
          lower == "transfer-encoding" || lower == "accept-encoding")
        continue;
      out.headers.add(name, value);
    }
    out.body = request.body;
    out.timeout = kLongest;
    return out;
  }

  static net::Headers passed_on(const net::Headers& headers) {
    net::Headers out;
    for (const auto& [name, value] : headers.fields()) {
      const std::string lower = to_lower(name);
      if (lower != "content-length" && lower != "connection" && lower != "transfer-encoding") out.add(name, value);
    }
    return out;
  }

  static void refuse(int status, net::Responder& responder) {
    net::Headers headers{{"Content-Type", "application/json"}};
    if (status == 429 || status == 503) headers.add("Retry-After", "1");
    const char* reason = status == 409   ? "Conflict"
                         : status == 429 ? "TooManyRequests"
                         : status == 503 ? "ServiceUnavailable"
                                         : "InternalError";
    static_cast<void>(responder.reply(status, headers,
                                      json::compact(json::object{{"kind", "Status"},
                                                                 {"apiVersion", "v1"},
                                                                 {"status", "Failure"},
                                                                 {"message", "told to fail"},
                                                                 {"reason", reason},
                                                                 {"code", status}})));
  }

  /// The connection ends without a whole answer: a chunked one that is begun and left.
  static void broken(net::Responder& responder) { static_cast<void>(responder.begin(200, {})); }

  static void cut(const net::Response& answer, net::Responder& responder) {
    if (!responder.begin(answer.status, passed_on(answer.headers))) return;
    static_cast<void>(responder.write(std::string_view(answer.body).substr(0, answer.body.size() / 2)));
  }

  /// What happens to a watch at this line of it, also where it was begun before the fault.
  std::string strike_of(const net::ServerRequest& request) {
    std::lock_guard lock(mutex_);
    if (!fault_.kind.ends_with("_watch")) return "";
    if (!fault_.path.empty() && request.target.find(fault_.path) == std::string::npos) return "";
    if (++seen_ % fault_.every != 0) return "";
    ++struck_;
    return fault_.kind;
  }

  void watch(const net::ServerRequest& request, net::Responder& responder) {
    bool begun = false;
    const auto on_head = [&](const net::Response& head) -> Status {
      begun = true;
      return responder.begin(head.status, passed_on(head.headers));
    };
    const auto on_body = [&](std::string_view piece) -> Status {
      for (size_t at = 0; at < piece.size();) {
        const size_t end = std::min(piece.find('\n', at), piece.size() - 1) + 1;
        const std::string_view line = piece.substr(at, end - at);
        at = end;
        const std::string kind = line.ends_with('\n') ? strike_of(request) : "";
        if (kind == "cut_watch") {
          static_cast<void>(responder.write(line.substr(0, line.size() / 2)));
          return Error(ErrorCode::cancelled, "cut");
        }
        TRY(responder.write(line));
        if (kind == "gone_watch") {
          TRY(responder.write(
              "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\","
              "\"message\":\"too old resource version\",\"reason\":\"Expired\",\"code\":410}}\n"));
          return Error(ErrorCode::cancelled, "gone");
        }
      }
      return {};
    };
    const Result<net::Response> ended = client_.stream(forwarded(request), on_head, on_body, responder.stop());
    if (!begun) return broken(responder);
    if (ended.ok()) static_cast<void>(responder.end());
  }

  net::HttpClient& client_;
  const std::string upstream_;
  std::mutex mutex_;
  Fault fault_;
  int64_t seen_ = 0;
  int64_t struck_ = 0;
};

Status serve(const std::string& upstream, const std::string& ca_file) {
  net::ClientOptions options;
  options.tls.ca_pem = TRY(read_file(ca_file));
  options.proxy = "-";
  const std::unique_ptr<net::HttpClient> client = TRY(net::HttpClient::create(options));
  Proxy proxy(*client, upstream);
  const auto server = TRY(net::HttpServer::start(
      {}, [&](const net::ServerRequest& request, net::Responder& responder) { proxy.handle(request, responder); }));
  fmt::print("{}\n", server->port());
  std::fflush(stdout);
  // Until killed, or until whoever started it closes its end of the line.
  while (std::getchar() != EOF) {
  }
  return {};
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: api_fault_proxy UPSTREAM CA_FILE\n");
    return 2;
  }
  const holdfast::Status status = holdfast::serve(argv[1], argv[2]);
  if (!status) fmt::print(stderr, "api_fault_proxy: {}\n", status.error().to_string());
  return status.ok() ? 0 : 1;
}
