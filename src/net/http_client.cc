#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdlib>
#include <mutex>

#include "net/curl_slot.h"

namespace holdfast::net {

namespace {

constexpr size_t kIdleSlotsMax = 16;
constexpr size_t kBodyMax = size_t{1} << 30;

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct X509Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, BioFree>;
using Certificate = std::unique_ptr<X509, X509Free>;
using Key = std::unique_ptr<EVP_PKEY, KeyFree>;

int no_passphrase(char*, int, int, void*) {
  return -1;
}

Result<Certificate> first_certificate(const std::string& pem, std::string_view what) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Certificate certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  ERR_clear_error();
  if (!certificate) {
    return Error(ErrorCode::invalid, fmt::format("{} holds no certificate in PEM form", what),
                 "it begins with -----BEGIN CERTIFICATE-----");
  }
  return certificate;
}

Status check_tls(const TlsOptions& tls) {
  if (!tls.ca_pem.empty()) TRY(first_certificate(tls.ca_pem, "the CA"));
  if (tls.certificate_pem.empty() != tls.key_pem.empty()) {
    return Error(ErrorCode::invalid, "a client certificate and its key are given together or not at all");
  }
  if (tls.certificate_pem.empty()) return {};
  const Certificate certificate = TRY(first_certificate(tls.certificate_pem, "the client certificate"));
  const Bio bio(BIO_new_mem_buf(tls.key_pem.data(), static_cast<int>(tls.key_pem.size())));
  const Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  const bool fits = key && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (!key) return Error(ErrorCode::invalid, "the client key is no private key in PEM form without a passphrase");
  if (!fits) return Error(ErrorCode::invalid, "the client key does not belong to the client certificate");
  return {};
}

std::string environment(const char* lower, const char* upper) {
  const char* value = std::getenv(lower);
  if (value == nullptr) value = std::getenv(upper);
  return value == nullptr ? "" : value;
}

/// libcurl reads HTTPS_PROXY by itself, but not HTTP_PROXY (for the sake of CGI programs, which this is not); and it
/// would send calls to this very machine through a proxy, which nobody means.
ProxyRules proxy_rules(const std::string& option) {
  if (option == "-") return {.set = true, .url = "", .http_url = "", .except = ""};
  if (!option.empty()) return {.set = true, .url = option, .http_url = "", .except = ""};
  ProxyRules rules{.set = false, .url = "", .http_url = environment("http_proxy", "HTTP_PROXY"), .except = ""};
  rules.except = environment("no_proxy", "NO_PROXY");
  if (rules.except != "*") rules.except += (rules.except.empty() ? "" : ",") + std::string("localhost,127.0.0.0/8,::1");
  return rules;
}

/// "GET https://host:port/path": without the query, which may hold signatures, and nothing of what is no URL.
std::string described(const Request& request) {
  if (!parse_url(request.url)) return "HTTP request";
  return request.method + " " + request.url.substr(0, request.url.find('?'));
}

class CurlClient final : public HttpClient {
 public:
  explicit CurlClient(ClientOptions options) : options_(std::move(options)), proxy_(proxy_rules(options_.proxy)) {}

  Result<Response> send(const Request& request, std::stop_token stop) override {
    std::string body;
    const BodySink collect = [&](std::string_view piece) -> Status {
      if (body.size() + piece.size() > kBodyMax) return Error(ErrorCode::exhausted, "the answer is larger than 1 GiB");
      body.append(piece);
      return {};
    };
    Response response = TRY(stream(request, nullptr, collect, std::move(stop)));
    response.body = std::move(body);
    return response;
  }

  Result<Response> stream(const Request& request, const HeadSink& on_head, const BodySink& on_body,
                          std::stop_token stop) override {
    std::unique_ptr<CurlSlot> slot = TRY(take());
    Result<Response> response = slot->run(options_, proxy_, request, on_head, on_body, std::move(stop));
    give_back(std::move(slot));
    return std::move(response).in(described(request));
  }

 private:
  Result<std::unique_ptr<CurlSlot>> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<CurlSlot> slot = std::move(idle_.back());
        idle_.pop_back();
        return slot;
      }
    }
    return CurlSlot::create();
  }

  void give_back(std::unique_ptr<CurlSlot> slot) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kIdleSlotsMax) idle_.push_back(std::move(slot));
  }

  const ClientOptions options_;
  const ProxyRules proxy_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<CurlSlot>> idle_;
};

}  // namespace

Result<std::unique_ptr<HttpClient>> HttpClient::create(ClientOptions options) {
  TRY(check_tls(options.tls).in("HTTP client"));
  return std::unique_ptr<HttpClient>(std::make_unique<CurlClient>(std::move(options)));
}

}  // namespace holdfast::net
