// TLS contexts made from PEM text, for both ends. Contexts may be shared by any number of threads.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>

#include "net/http.h"

namespace holdfast::net {

struct FreeTlsContext {
  void operator()(SSL_CTX* context) const;
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTlsContext>;

/// TLS 1.2 or newer with that certificate chain and key. With `client_ca_pem` the certificates of clients that send one
/// are verified. invalid: a PEM text cannot be used (the key's text is never in the message).
[[nodiscard]] Result<TlsContext> make_server_tls(const std::string& certificate_pem, const std::string& key_pem,
                                                 const std::string& client_ca_pem);
/// The client's end as `options` say; server_name is for ByteStream::start_tls. invalid as above.
[[nodiscard]] Result<TlsContext> make_client_tls(const TlsOptions& options);

/// Empties OpenSSL's error queue of this thread into one line.
[[nodiscard]] std::string take_tls_errors();

}  // namespace holdfast::net
