#include "objstore/s3_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace holdfast::objstore {

namespace {

/// Bucket names as Amazon's rules and the older, laxer ones of look-alikes have them; nothing that could leave its
/// place in a URL.
Status check_bucket(const std::string& bucket) {
  const auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  if (bucket.size() < 3 || bucket.size() > 255 || !std::ranges::all_of(bucket, is_good) || bucket.starts_with('.')) {
    return Error(ErrorCode::invalid, fmt::format("'{}' is no bucket name", bucket.substr(0, 100)),
                 "3 to 63 letters, digits, dots and hyphens");
  }
  return {};
}

Status check_options(const S3Options& options) {
  TRY(check_bucket(options.bucket));
  if (options.region.empty())
    return Error(ErrorCode::invalid, "the region is empty", "most look-alikes take us-east-1");
  if (options.part_size < (size_t{5} << 20)) return Error(ErrorCode::invalid, "parts are smaller than 5 MiB");
  if (options.credentials.access_key.empty() || options.credentials.secret_key.empty()) {
    return Error(ErrorCode::denied, "there are no credentials");
  }
  return {};
}

}  // namespace

Result<S3Client::Place> S3Client::place_of(const S3Options& options, const std::string& endpoint) {
  const std::string text = endpoint.empty() ? fmt::format("https://s3.{}.amazonaws.com", options.region) : endpoint;
  const net::Url url = TRY(net::parse_url(text).in("endpoint"));
  if (url.scheme != "http" && url.scheme != "https") {
    return Error(ErrorCode::invalid, "endpoint: the scheme is neither http nor https");
  }
  if (!url.query.empty()) return Error(ErrorCode::invalid, "endpoint: a query is not taken");
  const bool by_path = options.addressing == S3Options::Addressing::path ||
                       (url.scheme == "https" && options.bucket.find('.') != std::string::npos);
  const bool default_port = url.port == (url.scheme == "https" ? 443 : 80);
  Place place;
  place.host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  if (!by_path) place.host.insert(0, options.bucket + ".");
  if (!default_port) place.host += fmt::format(":{}", url.port);
  place.base = url.scheme + "://" + place.host;
  place.prefix = url.path;
  while (place.prefix.ends_with('/')) place.prefix.pop_back();
  if (by_path) place.prefix += "/" + options.bucket;
  return place;
}

Result<std::unique_ptr<S3Client>> S3Client::create(S3Options options, Clock& clock) {
  const std::string what = "s3://" + options.bucket;
  TRY(check_options(options).in(what));
  Place place = TRY(place_of(options, options.endpoint).in(what));
  const std::string& outside = options.public_endpoint.empty() ? options.endpoint : options.public_endpoint;
  Place public_place = TRY(place_of(options, outside).in(what));
  net::ClientOptions client;
  client.tls.ca_pem = options.ca_pem;
  if (options.insecure_skip_tls_verify) client.tls.verify = net::TlsOptions::Verify::none;
  client.proxy = options.proxy;
  std::unique_ptr<net::HttpClient> http = TRY(net::HttpClient::create(std::move(client)).in(what));
  return std::unique_ptr<S3Client>(
      new S3Client(std::move(options), clock, std::move(http), std::move(place), std::move(public_place)));
}

std::string S3Client::path_of(const Place& place, const std::string& key) {
  return place.prefix + "/" + net::percent_encode(key, "/");
}

net::Headers S3Client::new_object_headers() const {
  net::Headers headers;
  if (!options_.server_side_encryption.empty()) {
    headers.add("x-amz-server-side-encryption", options_.server_side_encryption);
  }
  if (!options_.kms_key_id.empty()) headers.add("x-amz-server-side-encryption-aws-kms-key-id", options_.kms_key_id);
  if (!options_.tagging.empty()) headers.add("x-amz-tagging", options_.tagging);
  return headers;
}

net::Request S3Client::signed_request(const S3Call& call) const {
  const SigningScope scope{.region = options_.region, .time = clock_.now()};
  const bool protected_line = place_.base.starts_with("https://") && !options_.insecure_skip_tls_verify;
  SigningRequest signing{
      .method = call.method,
      .path = call.key.empty() && place_.prefix.empty() ? "/"
              : call.key.empty()                        ? place_.prefix
                                                        : path_of(place_, call.key),
      .query = call.query,
      .headers = call.headers.fields(),
      .payload_hash = protected_line && !call.body.empty() ? std::string(kUnsignedPayload) : sha256_hex(call.body)};
  signing.headers.emplace_back("x-amz-date", amz_date(scope.time));
  signing.headers.emplace_back("x-amz-content-sha256", signing.payload_hash);
  if (!options_.credentials.session_token.empty()) {
    signing.headers.emplace_back("x-amz-security-token", options_.credentials.session_token);
  }
  net::Request request{.method = call.method, .url = place_.base + signing.path};
  if (!call.query.empty()) request.url += "?" + canonical_query(call.query);
  for (const auto& [name, value] : signing.headers) request.headers.add(name, value);
  signing.headers.emplace_back("host", place_.host);
  request.headers.add("Authorization", authorization(signing, scope, options_.credentials));
  request.timeout = Duration::zero();
  request.idle_timeout = options_.idle_timeout;
  return request;
}

Result<net::Response> S3Client::call(const S3Call& call, std::stop_token stop) {
  net::Request request = signed_request(call);
  if (!call.body.empty()) {
    // The body stays where it is: a pack of many megabytes is not copied to be sent.
    request.source_size = call.body.size();
    request.source = [rest = call.body](std::span<char> room) mutable -> Result<size_t> {
      const size_t size = std::min(room.size(), rest.size());
      std::memcpy(room.data(), rest.data(), size);
      rest.remove_prefix(size);
      return size;
    };
  }
  net::Response response = TRY(http_->send(request, std::move(stop)));
  if (response.status >= 200 && response.status < 300) return response;
  if (response.status == 404 && call.method == "HEAD") return Error(ErrorCode::not_found, "404");
  const Result<S3Failure> failure = response.body.empty() ? S3Failure{} : parse_failure(response.body);
  return to_error(response.status, failure ? *failure : S3Failure{}, response.headers.get("Date"));
}

Result<std::string> S3Client::presigned(const std::string& key, Duration valid) const {
  if (valid < std::chrono::seconds(1) || valid > std::chrono::hours(24 * 7)) {
    return Error(ErrorCode::invalid, "a presigned URL is valid for one second to seven days");
  }
  const SigningScope scope{.region = options_.region, .time = clock_.now()};
  SigningRequest request{.method = "GET",
                         .path = path_of(public_place_, key),
                         .headers = {{"host", public_place_.host}},
                         .payload_hash = std::string(kUnsignedPayload)};
  const std::string path = request.path;
  return public_place_.base + path + "?" + presigned_query(std::move(request), scope, options_.credentials, valid);
}

}  // namespace holdfast::objstore
