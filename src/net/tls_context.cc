#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace holdfast::net {

namespace {

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

Bio memory_bio(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Error bad_pem(const std::string& what) {
  return Error(ErrorCode::invalid, what + " cannot be used: " + take_tls_errors());
}

Status use_identity(SSL_CTX* context, const std::string& certificate_pem, const std::string& key_pem) {
  const Bio chain = memory_bio(certificate_pem);
  bool first = true;
  while (X509* certificate = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    const bool taken =
        first ? SSL_CTX_use_certificate(context, certificate) == 1 : SSL_CTX_add1_chain_cert(context, certificate) == 1;
    X509_free(certificate);
    if (!taken) return bad_pem("certificate");
    first = false;
  }
  if (first) return bad_pem("certificate");
  ERR_clear_error();
  const Bio key = memory_bio(key_pem);
  EVP_PKEY* parsed = PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr);
  if (parsed == nullptr) return bad_pem("private key");
  const bool fits = SSL_CTX_use_PrivateKey(context, parsed) == 1;
  EVP_PKEY_free(parsed);
  if (!fits) return bad_pem("private key");
  return {};
}

Status trust(SSL_CTX* context, const std::string& ca_pem) {
  const Bio bundle = memory_bio(ca_pem);
  bool any = false;
  while (X509* certificate = PEM_read_bio_X509(bundle.get(), nullptr, nullptr, nullptr)) {
    const bool taken = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) == 1 &&
                       SSL_CTX_add_client_CA(context, certificate) == 1;
    X509_free(certificate);
    if (!taken) return bad_pem("authority certificate");
    any = true;
  }
  if (!any) return bad_pem("authority certificate");
  ERR_clear_error();
  return {};
}

Result<TlsContext> make_context(const SSL_METHOD* method) {
  TlsContext context(SSL_CTX_new(method));
  if (!context) return Error(ErrorCode::exhausted, "TLS context: " + take_tls_errors());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  return context;
}

}  // namespace

void FreeTlsContext::operator()(SSL_CTX* context) const {
  SSL_CTX_free(context);
}

std::string take_tls_errors() {
  std::string line;
  while (const unsigned long code = ERR_get_error()) {
    char text[256];
    ERR_error_string_n(code, text, sizeof text);
    if (!line.empty()) line += "; ";
    line += text;
  }
  return line.empty() ? "no reason given" : line;
}

Result<TlsContext> make_server_tls(const std::string& certificate_pem, const std::string& key_pem,
                                   const std::string& client_ca_pem) {
  TlsContext context = TRY(make_context(TLS_server_method()));
  TRY(use_identity(context.get(), certificate_pem, key_pem));
  static const unsigned char kSessionContext[] = "holdfast";
  SSL_CTX_set_session_id_context(context.get(), kSessionContext, sizeof kSessionContext - 1);
  if (!client_ca_pem.empty()) {
    TRY(trust(context.get(), client_ca_pem));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  }
  return context;
}

Result<TlsContext> make_client_tls(const TlsOptions& options) {
  TlsContext context = TRY(make_context(TLS_client_method()));
  if (!options.certificate_pem.empty()) {
    TRY(use_identity(context.get(), options.certificate_pem, options.key_pem));
  }
  if (options.verify == TlsOptions::Verify::none) {
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    return context;
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (!options.ca_pem.empty()) {
    TRY(trust(context.get(), options.ca_pem));
  } else if (SSL_CTX_set_default_verify_paths(context.get()) != 1) {
    return Error(ErrorCode::invalid, "the system's certificate authorities cannot be read: " + take_tls_errors());
  }
  return context;
}

}  // namespace holdfast::net
