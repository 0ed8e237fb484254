// HTTP/1.1 client: requests out, responses in, over a pool of kept-alive connections. No policy, no retries.
//
// Threads: one HttpClient may be used from any number of threads; each call blocks its own thread. libcurl does the
// work behind this seam. Any status code is a success here: only the transport's failures are Errors (unavailable:
// could not connect or the connection broke; timeout; cancelled; denied: the peer's certificate is not trusted).
// Secrets in headers and query strings never appear in an Error. A body is never sent twice behind the caller's back:
// a connection that breaks under a request is `unavailable`.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace holdfast::net {

/// Header fields in order; names compare without case.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;
  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}
  void add(std::string name, std::string value);
  /// Replaces every field of that name.
  void set(std::string_view name, std::string value);
  /// The first field of that name; empty where there is none.
  [[nodiscard]] std::string_view get(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }

 private:
  std::vector<Field> fields_;
};

struct TlsOptions {
  std::string ca_pem = {};           ///< trusted authorities; empty: the system's
  std::string certificate_pem = {};  ///< client certificate (chain) and key, both or none
  std::string key_pem = {};
  std::string server_name = {};  ///< checked instead of the URL's host where not empty
  enum class Verify { peer, none } verify = Verify::peer;
};

struct ClientOptions {
  TlsOptions tls = {};
  std::string proxy = {};  ///< "": HTTP_PROXY, HTTPS_PROXY and NO_PROXY decide, never for loopback; "-": none;
  ///< else the proxy's URL
  std::string user_agent = "holdfast";
  Duration connect_timeout = std::chrono::seconds(10);
};

/// Where a request's streamed body comes from: fills the span, answers how many bytes; 0 ends it.
using BodySource = std::function<Result<size_t>(std::span<char>)>;

struct Request {
  std::string method = "GET";
  std::string url = {};  ///< absolute, http or https, already percent-encoded
  Headers headers = {};
  std::string body = {};
  BodySource source = {};                       ///< used instead of `body` where set; needs source_size
  std::optional<uint64_t> source_size = {};     ///< exact length of the streamed body
  Duration timeout = std::chrono::seconds(60);  ///< for the whole call; zero: none
  Duration idle_timeout = Duration::zero();     ///< longest silence of the peer; zero: none
};

struct Response {
  int status = 0;
  Headers headers = {};
  std::string body = {};
};

/// Sees each piece of a streamed response body; a failure it returns ends the call and becomes its result.
using BodySink = std::function<Status(std::string_view piece)>;
/// Sees status and headers before the first piece of the body.
using HeadSink = std::function<Status(const Response& head)>;

class HttpClient {
 public:
  [[nodiscard]] static Result<std::unique_ptr<HttpClient>> create(ClientOptions options);
  virtual ~HttpClient() = default;

  /// Sends and reads the whole answer (exhausted above 1 GiB).
  [[nodiscard]] virtual Result<Response> send(const Request& request, std::stop_token stop = {}) = 0;
  /// Sends, and hands the body on in pieces as they come; the Response returned has no body.
  [[nodiscard]] virtual Result<Response> stream(const Request& request, const HeadSink& on_head,
                                                const BodySink& on_body, std::stop_token stop = {}) = 0;
};

/// RFC 3986 percent-encoding of everything but unreserved characters and those in `keep`.
[[nodiscard]] std::string percent_encode(std::string_view text, std::string_view keep = {});
/// Undoes it; '+' stays. invalid for cut or wrong escapes.
[[nodiscard]] Result<std::string> percent_decode(std::string_view text);

struct Url {
  std::string scheme, host, path, query;  ///< lower-case scheme; host without brackets; path and query still encoded
  uint16_t port = 0;                      ///< the scheme's default where the text names none
};
/// http, https, ws and wss URLs without user and fragment; an empty path reads as "/". invalid otherwise.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

}  // namespace holdfast::net
