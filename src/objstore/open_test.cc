#include "objstore/open.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/random.h"

namespace holdfast::objstore {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::string kKeys =
    "[default]\naws_access_key_id=AK\naws_secret_access_key=SK\n[b]\naws_access_key_id=AKB\n"
    "aws_secret_access_key=SKB\n";

std::string url_of(const Result<std::shared_ptr<Store>>& store) {
  EXPECT_TRUE(store.ok()) << store.error().to_string();
  return store ? (*store)->presign_get("k", std::chrono::minutes(1)).value() : "";
}

Result<std::shared_ptr<Store>> aws(std::map<std::string, std::string> config, const std::string& prefix = "velero") {
  return open_location("velero.io/aws", "backups", prefix, {.config = std::move(config), .credentials = kKeys});
}

TEST(OpenLocation, TakesTheConfigOfVelerosPlugin) {
  EXPECT_THAT(url_of(aws({})), StartsWith("https://backups.s3.us-east-1.amazonaws.com/velero/k?"));
  const std::string url = url_of(aws({{"region", "minio"},
                                      {"s3ForcePathStyle", "true"},
                                      {"s3Url", "http://minio.velero.svc:9000"},
                                      {"checksumAlgorithm", ""},
                                      {"insecureSkipTLSVerify", "true"},
                                      {"profile", "b"}}));
  EXPECT_THAT(url, StartsWith("http://minio.velero.svc:9000/backups/velero/k?"));
  EXPECT_THAT(url, HasSubstr("AKB%2F"));
  EXPECT_THAT(url, HasSubstr("%2Fminio%2Fs3%2F"));
  EXPECT_THAT(url_of(aws({{"s3ForcePathStyle", "true"}, {"s3Url", "http://in"}, {"publicUrl", "https://out"}}, "")),
              StartsWith("https://out/backups/k?"));
  EXPECT_EQ(aws({}).value()->name(), "s3://backups/velero");
}

TEST(OpenLocation, NamesTheSettingThatIsWrong) {
  const auto message = [&](std::map<std::string, std::string> config) {
    const Result<std::shared_ptr<Store>> store = aws(std::move(config));
    EXPECT_FALSE(store.ok());
    return store.ok() ? "" : store.error().to_string();
  };
  EXPECT_THAT(message({{"regoin", "x"}}), HasSubstr("no key 'regoin'"));
  EXPECT_THAT(message({{"s3ForcePathStyle", "yes please"}}), HasSubstr("s3ForcePathStyle"));
  EXPECT_THAT(message({{"checksumAlgorithm", "MD5"}}), HasSubstr("checksumAlgorithm"));
  EXPECT_THAT(message({{"s3Url", "minio:9000"}}), HasSubstr("endpoint"));
  EXPECT_THAT(message({{"caCert", "nonsense"}}), HasSubstr("CA"));
  EXPECT_THAT(message({{"signatureVersion", "1"}}), HasSubstr("signatureVersion"));
  EXPECT_THAT(message({{"customerKeyEncryptionFile", "/f"}}), HasSubstr("serverSideEncryption"));
  EXPECT_THAT(message({{"profile", "c"}}), HasSubstr("'c'"));
  EXPECT_TRUE(open_location("gcp", "b", "", {}).is(ErrorCode::unsupported));
  EXPECT_TRUE(open_location("aws", "backups", "a/../b", {.credentials = kKeys}).is(ErrorCode::invalid));
}

TEST(OpenLocation, TakesKeysFromTheEnvironmentThatIsHandedIn) {
  EXPECT_TRUE(open_location("aws", "backups", "", {}).is(ErrorCode::denied));
  const Lookup environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "AWS_ACCESS_KEY_ID") return "AKE";
    if (name == "AWS_SECRET_ACCESS_KEY") return "SKE";
    return std::nullopt;
  };
  EXPECT_THAT(url_of(open_location("aws", "backups", "", {.environment = environment})), HasSubstr("AKE%2F"));
}

struct OpenDirectory : testing::Test {
  ~OpenDirectory() override { std::filesystem::remove_all(root); }
  const std::string root = (std::filesystem::temp_directory_path() / ("hf-open-" + random_hex(8))).string();
};

TEST_F(OpenDirectory, ALocationIsADirectory) {
  const OpenOptions options{.config = {{"path", root}}};
  EXPECT_TRUE(open_location("holdfast.dev/directory", "any", "p", options).is(ErrorCode::not_found));
  OpenOptions making = options;
  making.create_directory = true;
  const auto store = open_location("holdfast.dev/directory", "any", "p", making).value();
  EXPECT_EQ(store->name(), "file://" + root + "/p");
  EXPECT_TRUE(store->put("backups/b", "x").ok());
  EXPECT_TRUE(std::filesystem::exists(root + "/p/backups/b"));
  EXPECT_TRUE(open_location("holdfast.dev/directory", "any", "", {}).is(ErrorCode::invalid));
  EXPECT_TRUE(open_location("holdfast.dev/directory", "any", "", {.config = {{"path", root}, {"region", "x"}}})
                  .is(ErrorCode::invalid));
}

TEST_F(OpenDirectory, ARepositoryIsADirectory) {
  OpenOptions options{.create_directory = true};
  EXPECT_EQ(open_repository_url(root, options).value()->name(), "file://" + root);
  EXPECT_EQ(open_repository_url("local:" + root + "/./x/", options).value()->name(), "file://" + root + "/x");
  EXPECT_TRUE(open_repository_url("", options).is(ErrorCode::invalid));
  EXPECT_TRUE(open_repository_url("sftp:host:/repo", options).is(ErrorCode::unsupported));
  EXPECT_TRUE(open_repository_url(root + "/missing", {}).is(ErrorCode::not_found));
}

TEST(OpenRepositoryUrl, TakesResticsFormsOfS3) {
  const OpenOptions options{.credentials = kKeys};
  const auto open = [&](const std::string& url) { return open_repository_url(url, options); };
  EXPECT_THAT(url_of(open("s3:https://h:9000/bucket/velero/restic/ns")),
              StartsWith("https://h:9000/bucket/velero/restic/ns/k?"));
  EXPECT_THAT(url_of(open("s3:http://h/bucket")), StartsWith("http://h/bucket/k?"));
  EXPECT_THAT(url_of(open("s3:h/bucket/p/")), StartsWith("https://h/bucket/p/k?"));
  EXPECT_THAT(url_of(open("s3://h/bucket/p")), StartsWith("https://h/bucket/p/k?"));
  EXPECT_THAT(url_of(open("s3:s3-eu-west-1.amazonaws.com/bucket/p")),
              StartsWith("https://bucket.s3.eu-west-1.amazonaws.com/p/k?"));
  EXPECT_THAT(url_of(open("s3:s3.amazonaws.com/bucket/p")),
              StartsWith("https://bucket.s3.us-east-1.amazonaws.com/p/k?"));
  EXPECT_TRUE(open("s3:https://h").is(ErrorCode::invalid));
  EXPECT_TRUE(open("s3:https://h//p").is(ErrorCode::invalid));
  EXPECT_TRUE(open("s3:").is(ErrorCode::invalid));
}

}  // namespace
}  // namespace holdfast::objstore
