// One libcurl handle with the connections it keeps alive: what the HTTP client pools. A slot carries one call at a
// time, on the calling thread.
#pragma once

#include <curl/curl.h>

#include "net/http.h"

namespace holdfast::net {

/// Who goes through which proxy; settled once for a client.
struct ProxyRules {
  bool set = false;      ///< false: libcurl looks into the environment by itself
  std::string url;       ///< "" with set: no proxy
  std::string http_url;  ///< for http:// URLs where libcurl would not look by itself
  std::string except;
};

class CurlSlot {
 public:
  /// exhausted where libcurl has no memory.
  [[nodiscard]] static Result<std::unique_ptr<CurlSlot>> create();
  ~CurlSlot();
  CurlSlot(const CurlSlot&) = delete;
  CurlSlot& operator=(const CurlSlot&) = delete;

  /// One call; errors as in http.h. The body goes to `on_body` alone.
  [[nodiscard]] Result<Response> run(const ClientOptions& options, const ProxyRules& proxy, const Request& request,
                                     const HeadSink& on_head, const BodySink& on_body, std::stop_token stop);

 private:
  CurlSlot(CURL* easy, CURLM* multi) : easy_(easy), multi_(multi) {}
  CURL* easy_;
  CURLM* multi_;
};

/// The Error for a failed transfer. `detail` is libcurl's own text; `sent`: the request had begun to leave.
[[nodiscard]] Error curl_error(CURLcode code, std::string_view detail, bool sent);

}  // namespace holdfast::net
