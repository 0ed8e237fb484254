// Signed calls to one bucket and their failures as Errors: what the s3 driver and its uploads share.
#pragma once

#include "objstore/s3.h"
#include "objstore/s3_answers.h"
#include "objstore/sigv4.h"

namespace holdfast::objstore {

struct S3Call {
  std::string method;
  std::string key = {};  ///< "": the bucket itself
  Fields query = {};
  net::Headers headers = {};
  std::string_view body = {};
};

class S3Client {
 public:
  [[nodiscard]] static Result<std::unique_ptr<S3Client>> create(S3Options options, Clock& clock);

  /// Any status below 300 is a success; the others are Errors ("403 SignatureDoesNotMatch: ...", with a hint).
  /// not_found only where the answer says NoSuchKey, or where it has no body because the method is HEAD: another
  /// server's 404 must not look like a missing object.
  [[nodiscard]] Result<net::Response> call(const S3Call& call, std::stop_token stop);
  /// The URL of an object with its signature in the query.
  [[nodiscard]] Result<std::string> presigned(const std::string& key, Duration valid) const;

  [[nodiscard]] const S3Options& options() const { return options_; }
  [[nodiscard]] Clock& clock() const { return clock_; }
  /// Headers that every new object carries: encryption, tags.
  [[nodiscard]] net::Headers new_object_headers() const;
  /// The Error for a failure that a server tells inside an answer.
  [[nodiscard]] Error to_error(int status, const S3Failure& failure, std::string_view server_date) const;

 private:
  struct Place {
    std::string base;    ///< scheme://host[:port]
    std::string host;    ///< as in the Host header
    std::string prefix;  ///< path in front of a key, without '/' at its end
  };
  S3Client(S3Options options, Clock& clock, std::unique_ptr<net::HttpClient> http, Place place, Place public_place)
      : options_(std::move(options)),
        clock_(clock),
        http_(std::move(http)),
        place_(std::move(place)),
        public_place_(std::move(public_place)) {}
  [[nodiscard]] static Result<Place> place_of(const S3Options& options, const std::string& endpoint);
  [[nodiscard]] static std::string path_of(const Place& place, const std::string& key);
  [[nodiscard]] net::Request signed_request(const S3Call& call) const;

  const S3Options options_;
  Clock& clock_;
  const std::unique_ptr<net::HttpClient> http_;
  const Place place_;
  const Place public_place_;
};

}  // namespace holdfast::objstore
