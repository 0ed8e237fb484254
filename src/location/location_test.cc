#include "location/location.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/random.h"
#include "base/text.h"
#include "kube/fake_api.h"
#include "location/volume_repository.h"

namespace holdfast::location {
namespace {

using testing::HasSubstr;

class LocationTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(api_.create(kube::types::namespaces(), "", *json::parse(R"({"metadata":{"name":"velero"}})")).ok());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void make_location(const std::string& name, const std::string& spec) {
    const std::string text = R"({"apiVersion":"velero.io/v1","kind":"BackupStorageLocation","metadata":{"name":")" +
                             name + R"("},"spec":)" + spec + "}";
    const auto made = api_.create(kube::types::velero("backupstoragelocations"), "velero", *json::parse(text));
    ASSERT_TRUE(made.ok()) << made.error().message();
  }
  std::string directory_spec() const {
    return R"({"provider":"holdfast.dev/directory","config":{"path":")" + directory_ +
           R"("},"objectStorage":{"bucket":"b","prefix":"dr"}})";
  }
  kube::FakeApi api_;
  const std::string directory_ = testing::TempDir() + "location-" + random_hex(6);
};

TEST_F(LocationTest, OpensADirectoryBelowItsPrefix) {
  make_location("default", directory_spec());
  Result<Location> location = open_location(api_, "velero", "default");
  ASSERT_TRUE(location.ok()) << location.error().message();
  ASSERT_TRUE(location->store->put("backups/b1/velero-backup.json", "{}").ok());
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/dr/backups/b1/velero-backup.json"));
}

TEST_F(LocationTest, NamesWhatIsMissing) {
  EXPECT_THAT(open_location(api_, "velero", "nosuch").error().message(),
              HasSubstr("backup location nosuch does not exist"));
  make_location("s3", R"({"provider":"aws","config":{"region":"x"},"objectStorage":{"bucket":"b"}})");
  const Error error = open_location(api_, "velero", "s3").error();
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_THAT(error.message(), HasSubstr("Secret velero/cloud-credentials does not exist"));
  make_location("odd", R"({"provider":"tape","objectStorage":{"bucket":"b"}})");
  EXPECT_FALSE(open_location(api_, "velero", "odd").ok());
}

TEST_F(LocationTest, KeepsAStoreWhileItsSourcesStayTheSame) {
  make_location("default", directory_spec());
  Locations locations(api_, "velero");
  const auto first = locations.get("default")->store;
  EXPECT_EQ(locations.get("default")->store, first);
  ASSERT_TRUE(api_.patch(kube::types::velero("backupstoragelocations"), "velero", "default", kube::PatchKind::merge,
                         *json::parse(R"({"spec":{"objectStorage":{"prefix":"other"}}})"))
                  .ok());
  EXPECT_NE(locations.get("default")->store, first);
}

TEST_F(LocationTest, PasswordIsMadeOnceAndKept) {
  EXPECT_TRUE(repository_password(api_, "velero", Missing::refuse).is(ErrorCode::not_found));
  const Result<crypto::Secret> made = repository_password(api_, "velero", Missing::create);
  ASSERT_TRUE(made.ok());
  EXPECT_GE(made->size(), 32U);
  EXPECT_EQ(repository_password(api_, "velero", Missing::create)->reveal(), made->reveal());
  EXPECT_FALSE(is_well_known(*made));
  EXPECT_TRUE(is_well_known(crypto::Secret::of("static-passw0rd")));
}

TEST_F(LocationTest, RepositoryIsMadeOnceAndRefusesAnotherPassword) {
  make_location("default", directory_spec());
  const Location location = *open_location(api_, "velero", "default");
  const crypto::Secret password = crypto::Secret::of("right");
  EXPECT_TRUE(open_volume_repository(location, "web", password, Missing::refuse).is(ErrorCode::not_found));
  ASSERT_TRUE(open_volume_repository(location, "web", password, Missing::create).ok());
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/dr/restic/web/config"));
  ASSERT_TRUE(open_volume_repository(location, "web", password, Missing::refuse).ok());
  const auto wrong = open_volume_repository(location, "web", crypto::Secret::of("wrong"), Missing::create);
  ASSERT_TRUE(wrong.is(ErrorCode::denied));
  EXPECT_THAT(wrong.error().message(), HasSubstr("namespace web in backup location default"));
  EXPECT_THAT(wrong.error().hint(), HasSubstr("velero-repo-credentials"));
}

TEST(RepositoryIdentifier, IsWhatVeleroWrites) {
  velero::BackupStorageLocation location;
  location.spec.provider = "aws";
  location.spec.config = {{"s3Url", "http://10.77.0.1:7070"}, {"region", "us-east-1"}};
  location.spec.object_storage = velero::ObjectStorageLocation{"apps-dr-guide", "oadp", "", {}};
  EXPECT_EQ(repository_identifier(location, "web-app1"), "s3:http://10.77.0.1:7070/apps-dr-guide/oadp/restic/web-app1");
  location.spec.config.erase("s3Url");
  EXPECT_EQ(repository_identifier(location, "x"), "s3:s3-us-east-1.amazonaws.com/apps-dr-guide/oadp/restic/x");
}

}  // namespace
}  // namespace holdfast::location
