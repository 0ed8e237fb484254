#include "objstore/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "objstore/checksum.h"

namespace holdfast::objstore {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kFile =
    "# made by hand\n"
    "[default]\n"
    "aws_access_key_id=AK\n"
    "aws_secret_access_key = S/K+=\r\n"
    "region = eu-central-1\n"
    "s3 =\n"
    "  max_concurrent_requests = 20\n"
    "\n"
    "; the other site\n"
    "[profile other]\n"
    "AWS_ACCESS_KEY_ID = AK2\n"
    "aws_secret_access_key=SK2\n"
    "aws_session_token = T\n"
    "[half]\n"
    "aws_access_key_id = AK3\n";

TEST(CredentialsFile, HoldsProfiles) {
  const Credentials usual = credentials_from(kFile, "").value();
  EXPECT_EQ(usual.access_key, "AK");
  EXPECT_EQ(usual.secret_key, "S/K+=");
  EXPECT_EQ(usual.session_token, "");
  const Credentials other = credentials_from(kFile, "other").value();
  EXPECT_EQ(other.access_key, "AK2");
  EXPECT_EQ(other.secret_key, "SK2");
  EXPECT_EQ(other.session_token, "T");
}

TEST(CredentialsFile, NamesWhatIsMissing) {
  const Result<Credentials> profile = credentials_from(kFile, "third");
  ASSERT_TRUE(profile.is(ErrorCode::not_found));
  EXPECT_THAT(profile.error().message(), HasSubstr("'third'"));
  const Result<Credentials> half = credentials_from(kFile, "half");
  ASSERT_TRUE(half.is(ErrorCode::invalid));
  EXPECT_THAT(half.error().message(), HasSubstr("secret access key is missing"));
  EXPECT_TRUE(credentials_from("", "").is(ErrorCode::not_found));
}

TEST(CredentialsFile, RefusesWhatIsNoIniWithoutRepeatingIt) {
  for (const char* text : {"topsecret\n[default]\n", "[default\naws_access_key_id=topsecret\n", "[]\n",
                           "[default]\naws_secret_access_key topsecret\n",
                           "[default]\naws_access_key_id=a\naws_secret_access_key=topsecret\x01\n"}) {
    const Result<Credentials> got = credentials_from(text, "");
    ASSERT_TRUE(got.is(ErrorCode::invalid)) << text;
    EXPECT_THAT(got.error().to_string(), Not(HasSubstr("topsecret")));
  }
}

TEST(CredentialsEnvironment, AreBothOrNone) {
  std::map<std::string, std::string> environment;
  const Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  };
  EXPECT_TRUE(credentials_from_env(lookup).is(ErrorCode::not_found));
  environment["AWS_ACCESS_KEY_ID"] = "AK";
  EXPECT_TRUE(credentials_from_env(lookup).is(ErrorCode::invalid));
  environment["AWS_SECRET_ACCESS_KEY"] = "SK";
  environment["AWS_SESSION_TOKEN"] = "T";
  const Credentials got = credentials_from_env(lookup).value();
  EXPECT_EQ(got.access_key + got.secret_key + got.session_token, "AKSKT");
}

TEST(Checksum, KnowsTheAlgorithmsOfS3) {
  // The check value of each algorithm is its sum over "123456789".
  EXPECT_EQ(checksum_of(ChecksumAlgorithm::crc32, "123456789"), "y/Q5Jg==");
  EXPECT_EQ(checksum_of(ChecksumAlgorithm::crc32c, "123456789"), "4waSgw==");
  EXPECT_EQ(checksum_of(ChecksumAlgorithm::sha1, "123456789"), "98O8HYCOBHMq32eZZczDTKeuNEE=");
  EXPECT_EQ(checksum_of(ChecksumAlgorithm::sha256, ""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  EXPECT_EQ(checksum_of(ChecksumAlgorithm::none, "123456789"), "");
}

TEST(Checksum, NamesAreVeleros) {
  EXPECT_EQ(parse_checksum_algorithm("CRC32").value(), ChecksumAlgorithm::crc32);
  EXPECT_EQ(parse_checksum_algorithm("crc32c").value(), ChecksumAlgorithm::crc32c);
  EXPECT_EQ(parse_checksum_algorithm("").value(), ChecksumAlgorithm::none);
  EXPECT_TRUE(parse_checksum_algorithm("CRC64NVME").is(ErrorCode::unsupported));
  EXPECT_TRUE(parse_checksum_algorithm("MD5").is(ErrorCode::invalid));
}

}  // namespace
}  // namespace holdfast::objstore
