#include "objstore/sigv4.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <ctime>

#include "base/check.h"
#include "base/text.h"
#include "net/http.h"

namespace holdfast::objstore {

namespace {

std::string digest(std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), out, &size, EVP_sha256(), nullptr) == 1);
  return {reinterpret_cast<char*>(out), size};
}

std::string hmac(std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &size) != nullptr);
  return {reinterpret_cast<char*>(out), size};
}

std::string hex(std::string_view bytes) {
  return to_hex(as_bytes(bytes));
}

/// Runs of spaces become one; those at the ends go.
std::string folded(std::string_view value) {
  std::string out;
  for (const char c : trim(value)) {
    if (c != ' ' || out.empty() || out.back() != ' ') out.push_back(c);
  }
  return out;
}

struct CanonicalHeaders {
  std::string lines;
  std::string names;
};

CanonicalHeaders canonical_headers(const Fields& headers) {
  Fields sorted;
  for (const auto& [name, value] : headers) sorted.emplace_back(to_lower(name), folded(value));
  std::ranges::stable_sort(sorted, {}, &Fields::value_type::first);
  CanonicalHeaders out;
  for (size_t at = 0; at < sorted.size(); ++at) {
    const bool repeated = at > 0 && sorted[at].first == sorted[at - 1].first;
    if (repeated) {
      out.lines.back() = ',';
      out.lines += sorted[at].second + "\n";
      continue;
    }
    out.lines += fmt::format("{}:{}\n", sorted[at].first, sorted[at].second);
    out.names += (out.names.empty() ? "" : ";") + sorted[at].first;
  }
  return out;
}

std::string day_of(const SigningScope& scope) {
  return amz_date(scope.time).substr(0, 8);
}

std::string scope_text(const SigningScope& scope) {
  return fmt::format("{}/{}/{}/aws4_request", day_of(scope), scope.region, scope.service);
}

std::string signature(const SigningRequest& request, const CanonicalHeaders& headers, const SigningScope& scope,
                      const Credentials& credentials) {
  const std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, canonical_query(request.query), headers.lines,
                  headers.names, request.payload_hash);
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", amz_date(scope.time), scope_text(scope), hex(digest(canonical)));
  std::string key = hmac("AWS4" + credentials.secret_key, day_of(scope));
  for (const std::string& part : {scope.region, scope.service, std::string("aws4_request")}) key = hmac(key, part);
  return hex(hmac(key, to_sign));
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  return hex(digest(bytes));
}

std::string amz_date(Time time) {
  std::string text = format_rfc3339(time);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

std::string canonical_query(const Fields& query) {
  Fields encoded;
  for (const auto& [name, value] : query) encoded.emplace_back(net::percent_encode(name), net::percent_encode(value));
  std::ranges::sort(encoded);
  std::string out;
  for (const auto& [name, value] : encoded) out += fmt::format("{}{}={}", out.empty() ? "" : "&", name, value);
  return out;
}

std::string authorization(const SigningRequest& request, const SigningScope& scope, const Credentials& credentials) {
  const CanonicalHeaders headers = canonical_headers(request.headers);
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}", credentials.access_key,
                     scope_text(scope), headers.names, signature(request, headers, scope, credentials));
}

std::string presigned_query(SigningRequest request, const SigningScope& scope, const Credentials& credentials,
                            Duration valid) {
  const CanonicalHeaders headers = canonical_headers(request.headers);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(valid).count();
  request.query.emplace_back("X-Amz-Algorithm", "AWS4-HMAC-SHA256");
  request.query.emplace_back("X-Amz-Credential", credentials.access_key + "/" + scope_text(scope));
  request.query.emplace_back("X-Amz-Date", amz_date(scope.time));
  request.query.emplace_back("X-Amz-Expires", std::to_string(seconds));
  if (!credentials.session_token.empty()) {
    request.query.emplace_back("X-Amz-Security-Token", credentials.session_token);
  }
  request.query.emplace_back("X-Amz-SignedHeaders", headers.names);
  const std::string signed_with = signature(request, headers, scope, credentials);
  return canonical_query(request.query) + "&X-Amz-Signature=" + signed_with;
}

}  // namespace holdfast::objstore
