#include <fmt/format.h>

#include "net/curl_slot.h"

namespace holdfast::net {

static ErrorCode code_of(CURLcode code, bool sent) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      // Before anything was sent the act cannot have happened: that is an unreachable peer.
      return sent ? ErrorCode::timeout : ErrorCode::unavailable;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
      return ErrorCode::denied;
    case CURLE_UNSUPPORTED_PROTOCOL:  // also: the answer is no HTTP
      return sent ? ErrorCode::unavailable : ErrorCode::invalid;
    case CURLE_URL_MALFORMAT:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_BAD_FUNCTION_ARGUMENT:
      return ErrorCode::invalid;
    case CURLE_OUT_OF_MEMORY:
      return ErrorCode::exhausted;
    default:
      return ErrorCode::unavailable;
  }
}

/// With TLS 1.3 the peer refuses a client certificate only after the handshake: as an alert while reading.
static bool is_certificate_alert(std::string_view detail) {
  const auto holds = [&](std::string_view part) { return detail.find(part) != std::string_view::npos; };
  return holds("alert") && (holds("certificate") || holds("unknown ca"));
}

static std::string hint_for(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return "give the authority that signed the peer's certificate as CA, or correct the host name";
    case CURLE_SSL_CLIENTCERT:
      return "the peer wants a client certificate that it trusts";
    case CURLE_SSL_CONNECT_ERROR:
      return "check that the peer speaks TLS on that port";
    case CURLE_COULDNT_RESOLVE_HOST:
      return "check the host name and the resolver";
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "check the proxy settings";
    default:
      return {};
  }
}

Error curl_error(CURLcode code, std::string_view detail, bool sent) {
  if (is_certificate_alert(detail)) code = CURLE_SSL_CLIENTCERT;
  Error error(code_of(code, sent), std::string(detail.empty() ? curl_easy_strerror(code) : detail));
  const std::string hint = hint_for(code);
  return hint.empty() ? error : std::move(error).hinted(hint);
}

}  // namespace holdfast::net
