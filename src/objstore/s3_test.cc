#include "objstore/s3.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fake_clock.h"
#include "net/scripted_server.h"

namespace holdfast::objstore {
namespace {

using net::accept;
using net::expect;
using net::reply;
using net::ScriptedServer;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct S3StoreTest : testing::Test {
  std::shared_ptr<Store> store(const std::string& endpoint) {
    options.endpoint = endpoint;
    options.proxy = "-";
    return open_s3(options, clock).value();
  }
  /// What a put meets when the server answers like this.
  Error put_error(int status, const std::string& body, net::Headers headers = {}) {
    ScriptedServer server({accept(), expect({}), reply(status, std::move(headers), body)});
    const Status status_of_put = store(server.url())->put("dir/k", "bytes");
    EXPECT_FALSE(status_of_put.ok());
    return status_of_put.ok() ? Error(ErrorCode::internal, "") : status_of_put.error();
  }
  static std::string failure(const std::string& code, const std::string& rest = "") {
    return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>said so</Message>" + rest + "</Error>";
  }
  S3Options make_options() {
    S3Options made{.bucket = "backups"};
    made.addressing = S3Options::Addressing::path;
    made.credentials = {"AK", "topsecret"};
    made.part_retry = {.first = std::chrono::nanoseconds(1), .deadline = std::chrono::seconds(5)};
    return made;
  }
  FakeClock clock{FakeClock::Mode::jump, parse_rfc3339("2026-11-21T08:00:00Z").value()};
  S3Options options = make_options();
};

TEST_F(S3StoreTest, PutsWithHashDateAndChecksum) {
  ScriptedServer server({accept(),
                         expect({.start = "PUT /backups/dir/a%20b%2Bc HTTP/1.1",
                                 .headers = {"x-amz-date: 20261121T080000Z",
                                             "x-amz-content-sha256: " + std::string("e3b0c44298fc1c149afbf4c8996fb924"
                                                                                    "27ae41e4649b934ca495991b7852b855"),
                                             "x-amz-checksum-crc32: AAAAAA==", "Content-Length: 0"},
                                 .absent = {"If-None-Match", "x-amz-security-token", "Expect"}}),
                         reply(200)});
  const Status put = store(server.url())->put("dir/a b+c", "");
  ASSERT_TRUE(put.ok()) << put.error().to_string();
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
  EXPECT_THAT(std::string(server.requests().at(0).headers.get("Authorization")),
              StartsWith("AWS4-HMAC-SHA256 Credential=AK/20261121/us-east-1/s3/aws4_request, SignedHeaders=host;"));
}

TEST_F(S3StoreTest, OptionsBecomeHeaders) {
  options.checksum = ChecksumAlgorithm::none;
  options.credentials.session_token = "token";
  options.server_side_encryption = "aws:kms";
  options.kms_key_id = "key-1";
  options.tagging = "a=b";
  ScriptedServer server(
      {accept(),
       expect({.start = "PUT /backups/k HTTP/1.1",
               .headers = {"If-None-Match: *", "x-amz-security-token: token", "x-amz-server-side-encryption: aws:kms",
                           "x-amz-server-side-encryption-aws-kms-key-id: key-1", "x-amz-tagging: a=b"},
               .absent = {"x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm"},
               .body = "bytes"}),
       reply(200)});
  EXPECT_TRUE(store(server.url())->put_if_absent("k", "bytes").ok());
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST_F(S3StoreTest, OverVerifiedTlsTheBodyIsNotHashed) {
  const net::TestIdentity authority = net::make_test_authority("ca");
  const net::TestIdentity identity = net::issue_test_identity(authority, {"s3", {}, {}, {"127.0.0.1"}});
  ScriptedServer server({accept(), expect({.headers = {"x-amz-content-sha256: UNSIGNED-PAYLOAD"}}), reply(200)},
                        {.tls = identity});
  EXPECT_TRUE(store(server.url())->put("k", "bytes").is(ErrorCode::denied));
  ScriptedServer trusted({accept(), expect({.headers = {"x-amz-content-sha256: UNSIGNED-PAYLOAD"}}), reply(200)},
                         {.tls = identity});
  options.ca_pem = authority.certificate_pem;
  EXPECT_TRUE(store(trusted.url())->put("k", "bytes").ok());
  EXPECT_TRUE(trusted.finish().ok()) << trusted.finish().error().to_string();
  // Nobody vouches for that line: the body is hashed.
  ScriptedServer unverified(
      {accept(),
       expect({.headers = {"x-amz-content-sha256: 277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9"}}),
       reply(200)},
      {.tls = identity});
  options.ca_pem.clear();
  options.insecure_skip_tls_verify = true;
  EXPECT_TRUE(store(unverified.url())->put("k", "bytes").ok());
  EXPECT_TRUE(unverified.finish().ok()) << unverified.finish().error().to_string();
}

TEST_F(S3StoreTest, VirtualHostsAreNamesInTheUrl) {
  options.addressing = S3Options::Addressing::virtual_host;
  options.public_endpoint = "https://s3.example";
  const std::string url = store("http://10.0.0.1:9000")->presign_get("a b/c", std::chrono::hours(1)).value();
  EXPECT_THAT(url, StartsWith("https://backups.s3.example/a%20b/c?X-Amz-Algorithm=AWS4-HMAC-SHA256&"));
  EXPECT_THAT(url, HasSubstr("X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature="));
  options.bucket = "with.dots";
  EXPECT_THAT(store("")->presign_get("k", std::chrono::hours(1)).value(),
              StartsWith("https://s3.example/with.dots/k?"));
  options.public_endpoint = "";
  options.bucket = "backups";
  options.region = "eu-west-1";
  EXPECT_THAT(store("")->presign_get("k", std::chrono::hours(1)).value(),
              StartsWith("https://backups.s3.eu-west-1.amazonaws.com/k?"));
  options.addressing = S3Options::Addressing::path;
  EXPECT_THAT(store("https://h/base/")->presign_get("k", std::chrono::hours(1)).value(),
              StartsWith("https://h/base/backups/k?"));
  EXPECT_TRUE(store("https://h")->presign_get("k", std::chrono::hours(24 * 8)).is(ErrorCode::invalid));
}

TEST_F(S3StoreTest, SettingsThatCannotBeAreRefusedAtOnce) {
  const auto refused = [&](S3Options wrong) { return open_s3(std::move(wrong)).is(ErrorCode::invalid); };
  S3Options wrong = options;
  wrong.bucket = "a/b";
  EXPECT_TRUE(refused(wrong));
  wrong = options;
  wrong.endpoint = "minio:9000";
  EXPECT_TRUE(refused(wrong));
  wrong = options;
  wrong.region = "";
  EXPECT_TRUE(refused(wrong));
  wrong = options;
  wrong.ca_pem = "no pem";
  EXPECT_TRUE(refused(wrong));
  wrong = options;
  wrong.credentials = {};
  EXPECT_TRUE(open_s3(wrong).is(ErrorCode::denied));
}

TEST_F(S3StoreTest, ErrorsNameBucketKeyCauseAndNextStep) {
  const Error bucket = put_error(404, failure("NoSuchBucket"));
  EXPECT_EQ(bucket.to_string(),
            "put s3://backups/dir/k: unknown bucket: 404 NoSuchBucket: said so (create the bucket, or correct its "
            "name)");
  EXPECT_EQ(bucket.code(), ErrorCode::invalid);
  const Error secret = put_error(403, failure("SignatureDoesNotMatch", "<StringToSign>topsecret</StringToSign>"));
  EXPECT_EQ(secret.code(), ErrorCode::denied);
  EXPECT_THAT(secret.hint(), HasSubstr("secret key is wrong"));
  EXPECT_THAT(secret.to_string(), Not(HasSubstr("topsecret")));
  EXPECT_THAT(put_error(403, failure("InvalidAccessKeyId")).hint(), HasSubstr("does not know that access key"));
  EXPECT_THAT(put_error(403, failure("AccessDenied")).hint(), HasSubstr("s3:GetObject"));
  EXPECT_THAT(put_error(403, "").hint(), HasSubstr("s3:GetObject"));
  const Error region = put_error(400, failure("AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>"));
  EXPECT_EQ(region.code(), ErrorCode::invalid);
  EXPECT_THAT(region.hint(), HasSubstr("us-east-1: the store says eu-central-1"));
}

TEST_F(S3StoreTest, AClockThatIsOffIsNamedWithItsError) {
  const Error skewed = put_error(403, failure("RequestTimeTooSkewed"), {{"Date", "Sat, 21 Nov 2026 08:20:00 GMT"}});
  EXPECT_EQ(skewed.code(), ErrorCode::denied);
  EXPECT_THAT(skewed.message(), HasSubstr("the clocks differ too much"));
  EXPECT_THAT(skewed.hint(), HasSubstr("1200 s behind the store's"));
}

TEST_F(S3StoreTest, StatusesWithoutXmlStillMeanSomething) {
  EXPECT_EQ(put_error(503, "").code(), ErrorCode::unavailable);
  EXPECT_EQ(put_error(429, "").code(), ErrorCode::unavailable);
  EXPECT_EQ(put_error(500, "<html>oops</html>").code(), ErrorCode::unavailable);
  EXPECT_EQ(put_error(504, "").code(), ErrorCode::timeout);
  EXPECT_EQ(put_error(507, "").code(), ErrorCode::exhausted);
  EXPECT_EQ(put_error(400, failure("RequestTimeout")).code(), ErrorCode::timeout);
  EXPECT_EQ(put_error(400, failure("BadDigest")).code(), ErrorCode::corrupt);
  const Error web = put_error(404, "<html>nginx</html>");
  EXPECT_EQ(web.code(), ErrorCode::invalid);
  EXPECT_THAT(web.hint(), HasSubstr("is an S3 server"));
}

TEST_F(S3StoreTest, ConditionalPutsKnowTheirAnswers) {
  const auto code_of = [&](int status, const std::string& body) {
    ScriptedServer server({accept(), expect({.headers = {"If-None-Match: *"}}), reply(status, {}, body)});
    return store(server.url())->put_if_absent("k", "x").error().code();
  };
  EXPECT_EQ(code_of(412, failure("PreconditionFailed")), ErrorCode::exists);
  EXPECT_EQ(code_of(412, ""), ErrorCode::exists);
  EXPECT_EQ(code_of(409, failure("ConditionalRequestConflict")), ErrorCode::exists);
  EXPECT_EQ(code_of(501, failure("NotImplemented")), ErrorCode::unsupported);
  ScriptedServer lost({accept(), expect({}), net::abort()});
  EXPECT_TRUE(store(lost.url())->put_if_absent("k", "x").is(ErrorCode::unavailable));
}

TEST_F(S3StoreTest, AMissingObjectIsToldFromAMissingBucket) {
  ScriptedServer server({accept(), expect({.start = "HEAD /backups/k HTTP/1.1"}), reply(404), expect({}),
                         reply(404, {}, failure("NoSuchBucket"))});
  EXPECT_TRUE(store(server.url())->head("k").is(ErrorCode::invalid));
  ScriptedServer other({accept(), expect({}), reply(404, {}, failure("NoSuchKey")), expect({}), reply(404), expect({}),
                        reply(200, {}, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"),
                        expect({.start = "HEAD /backups/l HTTP/1.1"}), reply(404)});
  const auto present = store(other.url());
  EXPECT_TRUE(present->get("k").is(ErrorCode::not_found));
  EXPECT_TRUE(present->head("k").is(ErrorCode::not_found));
  EXPECT_TRUE(present->head("l").is(ErrorCode::not_found));
  EXPECT_TRUE(other.finish().ok()) << other.finish().error().to_string();
}

TEST_F(S3StoreTest, AServerThatIgnoresRangesIsCutToSize) {
  ScriptedServer server({accept(), expect({.headers = {"Range: bytes=2-4"}}), reply(200, {}, "0123456789"),
                         expect({.headers = {"Range: bytes=7-"}}), reply(206, {}, "789")});
  const auto tested = store(server.url());
  EXPECT_EQ(tested->get("k", Range{2, 3}).value(), "234");
  EXPECT_EQ(tested->get("k", Range{7, std::nullopt}).value(), "789");
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST_F(S3StoreTest, ACutAnswerIsNoObject) {
  ScriptedServer server(
      {accept(), expect({}), net::send_bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012"), net::hang_up()});
  EXPECT_TRUE(store(server.url())->get("k").is(ErrorCode::unavailable));
}

constexpr const char* kStarted =
    "<InitiateMultipartUploadResult><UploadId>u+1</UploadId></InitiateMultipartUploadResult>";

TEST_F(S3StoreTest, AnUploadRepeatsItsPartsAndCompletesOnce) {
  options.checksum = ChecksumAlgorithm::none;
  options.part_size = size_t{5} << 20;
  ScriptedServer server({
      accept(),
      expect({.start = "POST /backups/k?uploads= HTTP/1.1"}),
      reply(200, {}, kStarted),
      expect({.start = "PUT /backups/k?partNumber=1&uploadId=u%2B1 HTTP/1.1"}),
      reply(503, {}, failure("SlowDown")),
      expect({.start = "PUT /backups/k?partNumber=1&uploadId=u%2B1 HTTP/1.1"}),
      reply(200, {{"ETag", "\"e1\""}}),
      expect({.start = "PUT /backups/k?partNumber=2&uploadId=u%2B1 HTTP/1.1", .body = "rest"}),
      reply(200, {{"ETag", "\"e2\""}}),
      expect({.start = "POST /backups/k?uploadId=u%2B1 HTTP/1.1",
              .body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                      "<Part><PartNumber>1</PartNumber><ETag>&quot;e1&quot;</ETag></Part>"
                      "<Part><PartNumber>2</PartNumber><ETag>&quot;e2&quot;</ETag></Part></CompleteMultipartUpload>"}),
      reply(200, {}, failure("InternalError")),
      expect({.start = "DELETE /backups/k?uploadId=u%2B1 HTTP/1.1"}),
      reply(204),
  });
  auto upload = store(server.url())->start_upload("k").value();
  EXPECT_TRUE(upload->write(std::string(size_t{5} << 20, 'x')).ok());
  EXPECT_TRUE(upload->write("rest").ok());
  const Status finished = upload->finish();
  EXPECT_TRUE(finished.is(ErrorCode::unavailable)) << finished.error().to_string();
  EXPECT_TRUE(upload->finish().is(ErrorCode::invalid));
  upload.reset();
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

TEST_F(S3StoreTest, AnUploadWithAHoleIsNeverCompleted) {
  options.part_size = size_t{5} << 20;
  ScriptedServer server({
      accept(),
      expect({.start = "POST /backups/k?uploads= HTTP/1.1", .headers = {"x-amz-checksum-algorithm: CRC32"}}),
      reply(200, {}, kStarted),
      expect({}),
      reply(403, {}, failure("AccessDenied")),
      expect({.start = "DELETE /backups/k?uploadId=u%2B1 HTTP/1.1"}),
      reply(204),
  });
  auto upload = store(server.url())->start_upload("k").value();
  EXPECT_TRUE(upload->write(std::string(size_t{5} << 20, 'x')).is(ErrorCode::denied));
  EXPECT_TRUE(upload->write("more").is(ErrorCode::invalid));
  EXPECT_TRUE(upload->finish().is(ErrorCode::invalid));
  upload.reset();
  EXPECT_TRUE(server.finish().ok()) << server.finish().error().to_string();
}

}  // namespace
}  // namespace holdfast::objstore
