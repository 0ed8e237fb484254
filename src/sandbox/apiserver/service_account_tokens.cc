#include "sandbox/apiserver/service_account_tokens.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"

namespace holdfast::sandbox {

namespace {

std::string to_base64url(std::string_view bytes) {
  std::string text = to_base64(bytes);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.erase(std::find(text.begin(), text.end(), '='), text.end());
  return text;
}

Result<std::string> from_base64url(std::string text) {
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  while (text.size() % 4 != 0) text.push_back('=');
  return from_base64(text);
}

int64_t seconds_of(Time time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

bool alive(const Store& store, const std::string& key, const std::string& uid) {
  const Object object = store.get(key);
  return object && json::string_at(*object, {"metadata", "uid"}) == uid;
}

}  // namespace

Result<ServiceAccountTokens> ServiceAccountTokens::open(const std::string& path, const Store& store, Clock& clock) {
  Result<std::string> key = read_file(path, 4096);
  if (!key.ok()) {
    if (!key.is(ErrorCode::not_found)) return std::move(key).error();
    std::string made = random_hex(32);
    TRY(write_file_atomically(path, made, 0600));
    return ServiceAccountTokens(std::move(made), store, clock);
  }
  return ServiceAccountTokens(*std::move(key), store, clock);
}

std::string ServiceAccountTokens::signature(const std::string& text) const {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  CHECK(HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &length) != nullptr);
  return to_base64url({reinterpret_cast<const char*>(mac), length});
}

std::string ServiceAccountTokens::issue(const Claims& claims, Time end) const {
  json::object scope{{"namespace", claims.ns},
                     {"serviceaccount", json::object{{"name", claims.account}, {"uid", claims.account_uid}}}};
  if (!claims.pod.empty()) scope["pod"] = json::object{{"name", claims.pod}, {"uid", claims.pod_uid}};
  const json::object payload{{"iss", "https://kubernetes.default.svc"},
                             {"sub", fmt::format("system:serviceaccount:{}:{}", claims.ns, claims.account)},
                             {"iat", seconds_of(clock_->now())},
                             {"exp", seconds_of(end)},
                             {"jti", random_uuid()},
                             {"kubernetes.io", std::move(scope)}};
  const std::string text = to_base64url(R"({"alg":"HS256","typ":"JWT"})") + "." + to_base64url(json::compact(payload));
  return text + "." + signature(text);
}

std::optional<User> ServiceAccountTokens::check(const std::string& token) const {
  const size_t last_dot = token.rfind('.');
  const size_t first_dot = token.find('.');
  if (last_dot == std::string::npos || first_dot == last_dot) return std::nullopt;
  const std::string expected = signature(token.substr(0, last_dot));
  const std::string given = token.substr(last_dot + 1);
  if (given.size() != expected.size() || CRYPTO_memcmp(given.data(), expected.data(), given.size()) != 0) {
    return std::nullopt;
  }
  const Result<std::string> text = from_base64url(token.substr(first_dot + 1, last_dot - first_dot - 1));
  if (!text.ok()) return std::nullopt;
  const Result<json::object> claims = json::parse_object(*text);
  if (!claims.ok() || json::int_at(*claims, {"exp"}) <= seconds_of(clock_->now())) return std::nullopt;
  const std::string ns = json::string_at(*claims, {"kubernetes.io", "namespace"});
  const std::string account = json::string_at(*claims, {"kubernetes.io", "serviceaccount", "name"});
  if (!alive(*store_, fmt::format("serviceaccounts/{}/{}", ns, account),
             json::string_at(*claims, {"kubernetes.io", "serviceaccount", "uid"}))) {
    return std::nullopt;
  }
  const std::string pod = json::string_at(*claims, {"kubernetes.io", "pod", "name"});
  if (!pod.empty() &&
      !alive(*store_, fmt::format("pods/{}/{}", ns, pod), json::string_at(*claims, {"kubernetes.io", "pod", "uid"}))) {
    return std::nullopt;
  }
  return User{.name = fmt::format("system:serviceaccount:{}:{}", ns, account),
              .groups = {"system:serviceaccounts", "system:serviceaccounts:" + ns, "system:authenticated"}};
}

}  // namespace holdfast::sandbox
