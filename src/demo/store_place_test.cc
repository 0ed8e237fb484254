// Where backups go, as the user writes it and as `holdfast install` is told.
#include "demo/store_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::demo {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

TEST(StorePlace, BucketsAreReadFromUrls) {
  const Result<Bucket> plain = parse_bucket("s3://backups");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->name, "backups");
  EXPECT_EQ(plain->prefix, "");
  const Result<Bucket> deep = parse_bucket("s3://backups/site/demo/");
  ASSERT_TRUE(deep.ok());
  EXPECT_EQ(deep->name, "backups");
  EXPECT_EQ(deep->prefix, "site/demo");
}

TEST(StorePlace, OtherUrlsAreRefused) {
  for (const char* url : {"", "s3:", "s3://", "s3:///prefix", "backups", "http://host/backups", "s3://b//x",
                          "s3://key:secret@host/b", "s3://b?x=1"})
    EXPECT_TRUE(parse_bucket(url).is(ErrorCode::invalid)) << url;
}

TEST(StorePlace, NamesWhereBackupsGo) {
  StorePlace place{.directory = "/srv/store"};
  EXPECT_EQ(place.name(), "directory");
  place.bucket = Bucket{.name = "b", .prefix = "p"};
  EXPECT_EQ(place.name(), "s3://b/p");
}

TEST(StorePlace, SitesAreToldTheirOwnAddressAndPeopleTheirs) {
  const Bucket bucket{.name = "b", .prefix = "p/q", .endpoint = "https://store.example:9000", .region = "eu-1"};
  const auto words = install_words(bucket, "10.88.0.2:4711", "/run/keys");
  ASSERT_TRUE(words.ok());
  EXPECT_THAT(*words, ElementsAre("--provider", "aws", "--bucket", "b", "--secret-file", "/run/keys",
                                  "--backup-location-config",
                                  "region=eu-1,s3ForcePathStyle=true,s3Url=https://10.88.0.2:4711,"
                                  "publicUrl=https://store.example:9000",
                                  "--prefix", "p/q"));
}

TEST(StorePlace, KeysAreInNoWord) {
  const Bucket bucket{.name = "b",
                      .endpoint = "http://127.0.0.1:9000",
                      .certificate_file = "/run/ca.pem",
                      .credentials = credentials_file("id", "very-secret", "token")};
  EXPECT_EQ(bucket.credentials,
            "[default]\naws_access_key_id = id\naws_secret_access_key = very-secret\naws_session_token = token\n");
  const auto words = install_words(bucket, "10.88.0.1:9000", "/run/keys");
  ASSERT_TRUE(words.ok());
  EXPECT_THAT(*words, Not(Contains(testing::HasSubstr("secret-key"))));
  EXPECT_THAT(*words, Not(Contains(testing::HasSubstr("very"))));
  EXPECT_THAT(*words, Contains("--cacert"));
}

TEST(StorePlace, AnEndpointIsAUrl) {
  EXPECT_FALSE(install_words({.name = "b", .endpoint = "127.0.0.1:9000"}, "10.88.0.1:1", "/run/keys").ok());
}

}  // namespace
}  // namespace holdfast::demo
