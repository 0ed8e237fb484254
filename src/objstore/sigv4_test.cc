// The examples of Amazon's own documents: the keys in them are public.
#include "objstore/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::objstore {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

const Credentials kKeys{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
const SigningScope kScope{.region = "us-east-1", .time = parse_rfc3339("2013-05-24T00:00:00Z").value()};
constexpr const char* kHost = "examplebucket.s3.amazonaws.com";
constexpr const char* kEmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(SigV4, HashesAndDates) {
  EXPECT_EQ(sha256_hex(""), kEmptyHash);
  EXPECT_EQ(amz_date(kScope.time), "20130524T000000Z");
  EXPECT_EQ(canonical_query({{"b", "2 3"}, {"a", "/"}, {"a", ""}, {"A", "+"}}), "A=%2B&a=&a=%2F&b=2%203");
}

TEST(SigV4, SignsAGetWithRange) {
  const SigningRequest request{.method = "GET",
                               .path = "/test.txt",
                               .headers = {{"Host", kHost},
                                           {"Range", "bytes=0-9"},
                                           {"x-amz-content-sha256", kEmptyHash},
                                           {"x-amz-date", "20130524T000000Z"}},
                               .payload_hash = kEmptyHash};
  EXPECT_EQ(authorization(request, kScope, kKeys),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, SignsAPut) {
  const std::string hash = sha256_hex("Welcome to Amazon S3.");
  const SigningRequest request{.method = "PUT",
                               .path = "/test%24file.text",
                               .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                                           {"Host", kHost},
                                           {"x-amz-date", "20130524T000000Z"},
                                           {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                                           {"x-amz-content-sha256", hash}},
                               .payload_hash = hash};
  EXPECT_THAT(authorization(request, kScope, kKeys),
              EndsWith("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST(SigV4, SignsQueries) {
  const Fields headers = {{"Host", kHost}, {"x-amz-content-sha256", kEmptyHash}, {"x-amz-date", "20130524T000000Z"}};
  const SigningRequest lifecycle{
      .method = "GET", .path = "/", .query = {{"lifecycle", ""}}, .headers = headers, .payload_hash = kEmptyHash};
  EXPECT_THAT(authorization(lifecycle, kScope, kKeys),
              EndsWith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
  const SigningRequest list{.method = "GET",
                            .path = "/",
                            .query = {{"prefix", "J"}, {"max-keys", "2"}},
                            .headers = headers,
                            .payload_hash = kEmptyHash};
  EXPECT_THAT(authorization(list, kScope, kKeys),
              EndsWith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(SigV4, PresignsAUrl) {
  const std::string query = presigned_query(
      {.method = "GET", .path = "/test.txt", .headers = {{"host", kHost}}, .payload_hash = "UNSIGNED-PAYLOAD"}, kScope,
      kKeys, std::chrono::hours(24));
  EXPECT_EQ(query,
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
            "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&"
            "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
  const std::string with_token = presigned_query(
      {.method = "GET", .path = "/test.txt", .headers = {{"host", kHost}}, .payload_hash = "UNSIGNED-PAYLOAD"}, kScope,
      {kKeys.access_key, kKeys.secret_key, "to/ken"}, std::chrono::hours(24));
  EXPECT_THAT(with_token, HasSubstr("&X-Amz-Security-Token=to%2Fken&"));
}

TEST(SigV4, SignsForOtherServicesToo) {
  const Credentials keys{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
  const SigningScope scope{
      .region = "us-east-1", .service = "service", .time = parse_rfc3339("2015-08-30T12:36:00Z").value()};
  const SigningRequest vanilla{.method = "GET",
                               .path = "/",
                               .headers = {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
                               .payload_hash = kEmptyHash};
  EXPECT_EQ(authorization(vanilla, scope, keys),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date, "
            "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

}  // namespace
}  // namespace holdfast::objstore
