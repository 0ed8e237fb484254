// S3's error codes as ours. Where an answer has no body (HEAD, proxies), the status decides.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "objstore/s3_client.h"

namespace holdfast::objstore {

namespace {

struct Known {
  std::string_view s3;
  ErrorCode code;
  std::string_view hint;
};

constexpr std::string_view kKeysHint = "correct the access key and secret key of the credentials";
constexpr std::string_view kRightsHint =
    "grant these keys s3:GetObject, PutObject, DeleteObject, AbortMultipartUpload and ListBucket on that bucket";

constexpr std::array kKnown = {
    Known{"NoSuchKey", ErrorCode::not_found, ""},
    // Not not_found: a missing bucket must never look like a missing object.
    Known{"NoSuchBucket", ErrorCode::invalid, "create the bucket, or correct its name"},
    Known{"InvalidBucketName", ErrorCode::invalid, "correct the bucket's name"},
    Known{"NoSuchUpload", ErrorCode::conflict, "the unfinished upload is gone: check the bucket's lifecycle rules"},
    Known{"AccessDenied", ErrorCode::denied, kRightsHint},
    Known{"AllAccessDisabled", ErrorCode::denied, kRightsHint},
    Known{"InvalidAccessKeyId", ErrorCode::denied,
          "the store does not know that access key: correct it, or the endpoint"},
    Known{"XAdminUserNotFound", ErrorCode::denied,
          "the store does not know that access key: correct it, or the endpoint"},
    Known{"SignatureDoesNotMatch", ErrorCode::denied, "the secret key is wrong for that access key"},
    Known{"InvalidToken", ErrorCode::denied, kKeysHint},
    Known{"InvalidTokenId", ErrorCode::denied, kKeysHint},
    Known{"ExpiredToken", ErrorCode::denied, "the session token has expired: get new credentials"},
    Known{"TokenRefreshRequired", ErrorCode::denied, "the session token has expired: get new credentials"},
    Known{"ObjectLocked", ErrorCode::denied, "the object is under a retention rule"},
    Known{"PreconditionFailed", ErrorCode::exists, ""},
    Known{"ConditionalRequestConflict", ErrorCode::exists, ""},
    Known{"NotImplemented", ErrorCode::unsupported, ""},
    Known{"MethodNotAllowed", ErrorCode::unsupported, ""},
    Known{"InvalidRange", ErrorCode::invalid, ""},
    Known{"EntityTooLarge", ErrorCode::invalid, ""},
    Known{"QuotaExceeded", ErrorCode::exhausted, "free space in the bucket, or raise its quota"},
    Known{"XMinioStorageFull", ErrorCode::exhausted, "free space on the object store"},
    Known{"BadDigest", ErrorCode::corrupt, "the bytes changed on the way"},
    Known{"XAmzContentSHA256Mismatch", ErrorCode::corrupt, "the bytes changed on the way"},
    Known{"XAmzContentChecksumMismatch", ErrorCode::corrupt, "the bytes changed on the way"},
    Known{"SlowDown", ErrorCode::unavailable, ""},
    Known{"ServiceUnavailable", ErrorCode::unavailable, ""},
    Known{"InternalError", ErrorCode::unavailable, ""},
    Known{"OperationAborted", ErrorCode::unavailable, ""},
    Known{"RequestTimeout", ErrorCode::timeout, ""},
};

constexpr std::array kRegionCodes = {std::string_view("AuthorizationHeaderMalformed"),
                                     std::string_view("PermanentRedirect"), std::string_view("TemporaryRedirect"),
                                     std::string_view("IllegalLocationConstraintException")};

ErrorCode code_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return ErrorCode::denied;
    case 408:
      return ErrorCode::timeout;
    case 409:
    case 412:
      return ErrorCode::exists;
    case 425:
    case 429:
      return ErrorCode::unavailable;
    case 501:
      return ErrorCode::unsupported;
    case 504:
      return ErrorCode::timeout;
    case 507:
      return ErrorCode::exhausted;
    default:
      return status >= 500 ? ErrorCode::unavailable : ErrorCode::invalid;
  }
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 300)) out.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  return out;
}

/// How far our clock is ahead of the Date header of an answer; empty where that is none.
std::optional<std::chrono::seconds> ahead_of(std::string_view http_date, Time now) {
  tm parts{};
  const std::string text(http_date);
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()) -
         std::chrono::seconds(::timegm(&parts));
}

std::string skew_hint(std::string_view http_date, Time now) {
  const std::optional<std::chrono::seconds> ahead = ahead_of(http_date, now);
  if (!ahead) return "set this machine's clock";
  return fmt::format("set this machine's clock: it is {} s {} the store's", std::abs(ahead->count()),
                     ahead->count() < 0 ? "behind" : "ahead of");
}

}  // namespace

Error S3Client::to_error(int status, const S3Failure& failure, std::string_view server_date) const {
  std::string message = fmt::format("{}", status);
  if (!failure.code.empty()) message += " " + printable(failure.code);
  if (!failure.message.empty()) message += ": " + printable(failure.message);
  if (failure.code == "RequestTimeTooSkewed") {
    return Error(ErrorCode::denied, "the clocks differ too much: " + message, skew_hint(server_date, clock_.now()));
  }
  const bool wrong_region = std::ranges::find(kRegionCodes, failure.code) != kRegionCodes.end() || status == 301;
  if (wrong_region) {
    const std::string is = failure.region.empty() ? "" : fmt::format(": the store says {}", printable(failure.region));
    return Error(ErrorCode::invalid, message, fmt::format("correct the region, which is {}{}", options_.region, is));
  }
  const auto known = std::ranges::find(kKnown, failure.code, &Known::s3);
  if (known != kKnown.end()) {
    const std::string what = failure.code == "NoSuchBucket" ? "unknown bucket: " + message : message;
    return Error(known->code, what, std::string(known->hint));
  }
  const ErrorCode code = code_of_status(status);
  std::string hint;
  if (code == ErrorCode::denied) hint = kRightsHint;
  if (code == ErrorCode::invalid && failure.code.empty()) hint = "check that the endpoint is an S3 server";
  return Error(code, message, std::move(hint));
}

}  // namespace holdfast::objstore
