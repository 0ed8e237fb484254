#include "kube/credentials.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace holdfast::kube {

namespace {
constexpr Duration kFileAge = std::chrono::minutes(1);
constexpr Duration kPluginLimit = std::chrono::minutes(1);
// A credential is renewed a little before it ends, so that a request in flight does not meet the end.
constexpr Duration kExpiryMargin = std::chrono::seconds(10);
}  // namespace

Credentials::Credentials(ClusterAccess access, Clock* clock) : access_(std::move(access)), clock_(clock) {}

Result<Credential> Credentials::get(std::stop_token stop) {
  std::lock_guard lock(mutex_);
  if (access_.exec) return from_plugin(stop);
  if (!access_.token_file.empty()) return from_file();
  Credential fixed{{}, access_.tls.certificate_pem, access_.tls.key_pem};
  if (!access_.token.empty()) {
    fixed.authorization = "Bearer " + access_.token;
  } else if (!access_.username.empty()) {
    fixed.authorization = "Basic " + to_base64(access_.username + ":" + access_.password);
  }
  return fixed;
}

Result<Credential> Credentials::from_file() {
  if (valid_ && clock_->boottime() - read_at_ < kFileAge) return current_;
  const std::string text = TRY(read_file(access_.token_file, size_t{1} << 20).in("token file"));
  current_ = {"Bearer " + std::string(trim(text)), access_.tls.certificate_pem, access_.tls.key_pem};
  valid_ = true;
  read_at_ = clock_->boottime();
  return current_;
}

Result<Credential> Credentials::from_plugin(const std::stop_token& stop) {
  if (valid_ && (!expires_ || clock_->now() + kExpiryMargin < *expires_)) return current_;
  PluginAnswer answer = TRY(run_exec_plugin(*access_.exec, access_, kPluginLimit, stop));
  current_ = std::move(answer.credential);
  if (current_.certificate_pem.empty()) {
    current_.certificate_pem = access_.tls.certificate_pem;
    current_.key_pem = access_.tls.key_pem;
  }
  expires_ = answer.expires;
  valid_ = true;
  return current_;
}

bool Credentials::refused(const Credential& used) {
  std::lock_guard lock(mutex_);
  if (!access_.exec && access_.token_file.empty()) return false;
  // Another thread may have renewed it already.
  if (used.authorization == current_.authorization && used.certificate_pem == current_.certificate_pem) valid_ = false;
  return true;
}

Result<PluginAnswer> parse_exec_credential(std::string_view text, const std::string& api_version) {
  // The text holds secrets: no error repeats any of it.
  const Result<json::object> parsed = json::parse_object(text);
  if (!parsed) return Error(ErrorCode::denied, "the plugin's answer is not a JSON object");
  const json::object& answer = *parsed;
  if (json::string_at(answer, {"kind"}) != "ExecCredential" || json::string_at(answer, {"apiVersion"}) != api_version) {
    return Error(ErrorCode::denied, fmt::format("the plugin's answer is not an ExecCredential of {}", api_version));
  }
  PluginAnswer out;
  const std::string token = json::string_at(answer, {"status", "token"});
  if (!token.empty()) out.credential.authorization = "Bearer " + token;
  out.credential.certificate_pem = json::string_at(answer, {"status", "clientCertificateData"});
  out.credential.key_pem = json::string_at(answer, {"status", "clientKeyData"});
  if (out.credential.certificate_pem.empty() != out.credential.key_pem.empty()) {
    return Error(ErrorCode::denied, "the plugin gave a certificate without key or a key without certificate");
  }
  if (token.empty() && out.credential.certificate_pem.empty()) {
    return Error(ErrorCode::denied, "the plugin gave neither a token nor a certificate");
  }
  const std::string end = json::string_at(answer, {"status", "expirationTimestamp"});
  if (!end.empty()) out.expires = TRY(parse_rfc3339(end).in("the plugin's expirationTimestamp"));
  return out;
}

}  // namespace holdfast::kube
