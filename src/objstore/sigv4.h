// AWS Signature Version 4: who sends a request, proved by keys. Values in, values out; no clock, no network.
//
// Source: AWS, "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API reference.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "objstore/credentials.h"

namespace holdfast::objstore {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct SigningRequest {
  std::string method;
  std::string path;          ///< as it is sent: percent-encoded once
  Fields query = {};         ///< names and values, not encoded
  Fields headers;            ///< every header to sign, Host among them
  std::string payload_hash;  ///< lower-case hex SHA-256, or kUnsignedPayload
};
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

struct SigningScope {
  std::string region;
  std::string service = "s3";
  Time time;
};

/// The value of the Authorization header. The request carries X-Amz-Date, and with S3 X-Amz-Content-Sha256, among its
/// headers, and X-Amz-Security-Token where there is a session token.
[[nodiscard]] std::string authorization(const SigningRequest& request, const SigningScope& scope,
                                        const Credentials& credentials);
/// The query, encoded, of a URL that carries its signature: X-Amz-Algorithm to X-Amz-Signature behind the request's
/// own.
[[nodiscard]] std::string presigned_query(SigningRequest request, const SigningScope& scope,
                                          const Credentials& credentials, Duration valid);

/// "20130524T000000Z".
[[nodiscard]] std::string amz_date(Time time);
/// Query fields as they are sent: encoded, joined, sorted by name.
[[nodiscard]] std::string canonical_query(const Fields& query);
/// Lower-case hex SHA-256.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace holdfast::objstore
