// The conformance suite and what only a real server can show, against the S3 server that the environment names:
// HOLDFAST_S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, HOLDFAST_S3_CA (a file, for TLS), HOLDFAST_S3_SERVER
// (versitygw or moto). Run by tests/peers/run_s3_conformance.sh.
#include <gmock/gmock.h>

#include <cstdlib>

#include "base/file.h"
#include "objstore/conformance.h"
#include "objstore/decorators.h"
#include "objstore/probe.h"
#include "objstore/s3.h"
#include "objstore/s3_client.h"

namespace holdfast::objstore {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

S3Options options() {
  S3Options options{.bucket = "holdfast-conformance", .endpoint = environment("HOLDFAST_S3_ENDPOINT")};
  options.addressing = S3Options::Addressing::path;
  options.credentials = {environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY")};
  if (const std::string ca = environment("HOLDFAST_S3_CA"); !ca.empty()) options.ca_pem = read_file(ca).value();
  options.part_size = size_t{5} << 20;
  return options;
}

void make_bucket(const S3Options& wanted) {
  const auto client = S3Client::create(wanted, system_clock()).value();
  const Result<net::Response> made = client->call({.method = "PUT"}, {});
  ASSERT_TRUE(made.ok()) << made.error().to_string();
}

class Bucket final : public testing::Environment {
 public:
  void SetUp() override {
    ASSERT_NE(environment("HOLDFAST_S3_ENDPOINT"), "") << "run this through tests/peers/run_s3_conformance.sh";
    make_bucket(options());
  }
};
[[maybe_unused]] const auto* const kBucket = testing::AddGlobalTestEnvironment(new Bucket);

/// An empty place in the bucket.
std::shared_ptr<Store> fresh(const S3Options& wanted) {
  return below(open_s3(wanted).value(), "run/" + random_hex(8)).value();
}
std::shared_ptr<Store> with_checksum(ChecksumAlgorithm algorithm) {
  S3Options wanted = options();
  wanted.checksum = algorithm;
  return fresh(wanted);
}

INSTANTIATE_TEST_SUITE_P(S3, StoreConformance,
                         testing::Values(StoreMaker{"crc32", [] { return with_checksum(ChecksumAlgorithm::crc32); }},
                                         StoreMaker{"none", [] { return with_checksum(ChecksumAlgorithm::none); }},
                                         StoreMaker{"sha256", [] { return with_checksum(ChecksumAlgorithm::sha256); }}),
                         maker_name);

TEST(S3Peer, EveryChecksumAlgorithmIsTaken) {
  for (const auto algorithm :
       {ChecksumAlgorithm::crc32, ChecksumAlgorithm::crc32c, ChecksumAlgorithm::sha1, ChecksumAlgorithm::sha256}) {
    const auto store = with_checksum(algorithm);
    const Status put = store->put("k", "some bytes");
    EXPECT_TRUE(put.ok()) << put.error().to_string();
    EXPECT_EQ(store->get("k").value(), "some bytes");
  }
}

TEST(S3Peer, AnUnknownBucketIsNamed) {
  S3Options wanted = options();
  wanted.bucket = "holdfast-no-such-bucket";
  const auto store = open_s3(wanted).value();
  const Result<ListPage> page = store->list({});
  ASSERT_TRUE(page.is(ErrorCode::invalid)) << page.error().to_string();
  EXPECT_THAT(page.error().to_string(), HasSubstr("s3://holdfast-no-such-bucket"));
  EXPECT_THAT(page.error().to_string(), HasSubstr("unknown bucket"));
  EXPECT_THAT(page.error().hint(), HasSubstr("create the bucket"));
  EXPECT_TRUE(store->get("k").is(ErrorCode::invalid));
  EXPECT_TRUE(store->head("k").is(ErrorCode::invalid));
  EXPECT_TRUE(store->put("k", "x").is(ErrorCode::invalid));
  EXPECT_TRUE(store->put_if_absent("k", "x").is(ErrorCode::invalid));
}

TEST(S3Peer, AWrongSecretIsToldFromAWrongAccessKey) {
  if (environment("HOLDFAST_S3_SERVER") == "moto") return;  // takes any keys: nothing to see there
  S3Options wanted = options();
  wanted.credentials.secret_key = "not-the-secret";
  const Status secret = open_s3(wanted).value()->put("k", "x");
  ASSERT_TRUE(secret.is(ErrorCode::denied)) << secret.error().to_string();
  EXPECT_THAT(secret.error().hint(), HasSubstr("secret key is wrong"));
  EXPECT_THAT(secret.error().to_string(), testing::Not(HasSubstr("not-the-secret")));
  wanted = options();
  wanted.credentials.access_key = "nobody";
  const Status access = open_s3(wanted).value()->put("k", "x");
  ASSERT_TRUE(access.is(ErrorCode::denied)) << access.error().to_string();
  EXPECT_THAT(access.error().hint(), HasSubstr("does not know that access key"));
}

TEST(S3Peer, APresignedUrlGivesTheObjectToAnyone) {
  const auto store = fresh(options());
  const std::string key = "logs/a b+c&d.gz";
  ASSERT_TRUE(store->put(key, "for everyone").ok());
  const std::string url = store->presign_get(key, std::chrono::minutes(5)).value();
  net::ClientOptions client;
  client.tls.ca_pem = options().ca_pem;
  const net::Response answer = net::HttpClient::create(client).value()->send({.url = url}).value();
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.body, "for everyone");
  if (environment("HOLDFAST_S3_SERVER") == "moto") return;  // checks no signatures
  std::string forged = url;
  forged.back() = forged.back() == '0' ? '1' : '0';
  EXPECT_EQ(net::HttpClient::create(client).value()->send({.url = forged}).value().status, 403);
}

TEST(S3Peer, TheProbeTellsWhatTheStoreCan) {
  const auto store = fresh(options());
  const Result<ProbeReport> report = probe(*store);
  ASSERT_TRUE(report.ok()) << report.error().to_string();
  EXPECT_EQ(report->without_conditional_put, "");
  EXPECT_TRUE(report->capabilities.contains(Capability::conditional_put));
  EXPECT_TRUE(list_all(*store, std::string(kProbePrefix)).value().empty());
}

TEST(S3Peer, ADroppedUploadLeavesNoPartsBehind) {
  const auto client = S3Client::create(options(), system_clock()).value();
  const auto uploads = [&] { return client->call({.method = "GET", .query = {{"uploads", ""}}}, {}).value().body; };
  const auto store = fresh(options());
  {
    const auto upload = store->start_upload("big").value();
    ASSERT_TRUE(upload->write(std::string(size_t{6} << 20, 'x')).ok());
    EXPECT_THAT(uploads(), HasSubstr("<UploadId>"));
  }
  EXPECT_THAT(uploads(), testing::Not(HasSubstr("<UploadId>")));
}

TEST(S3Peer, ManyObjectsComeInPages) {
  const auto store = fresh(options());
  for (int number = 0; number < 120; ++number) ASSERT_TRUE(store->put("n/" + std::to_string(number), "x").ok());
  ListRequest request{.prefix = "n/", .limit = 50};
  size_t count = 0;
  int pages = 0;
  do {
    const ListPage page = store->list(request).value();
    count += page.objects.size();
    request.after = page.next;
    ++pages;
  } while (!request.after.empty());
  EXPECT_EQ(count, 120u);
  EXPECT_EQ(pages, 3);
}

}  // namespace
}  // namespace holdfast::objstore
