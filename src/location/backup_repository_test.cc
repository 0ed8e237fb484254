#include "location/backup_repository.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "kube/fake_api.h"

namespace holdfast::location {
namespace {

using testing::HasSubstr;

class BackupRepositoryTest : public testing::Test {
 protected:
  void SetUp() override { api_.seed_yaml("{apiVersion: v1, kind: Namespace, metadata: {name: velero}}"); }
  void add(const std::string& name, const std::string& status, const std::string& ns = "web",
           const std::string& location = "default") {
    api_.seed_yaml(fmt::format(
        "{{apiVersion: velero.io/v1, kind: BackupRepository, metadata: {{name: {0}, namespace: velero, labels: "
        "{{velero.io/volume-namespace: {2}, velero.io/storage-location: {3}, velero.io/repository-type: restic}}}}, "
        "spec: {{volumeNamespace: {2}, backupStorageLocation: {3}, repositoryType: restic, maintenanceFrequency: "
        "168h0m0s}}, status: {1}}}",
        name, status, ns, location));
  }
  Status require() { return require_ready_repository(api_, "velero", "default", "web"); }
  kube::FakeApi api_;
};

TEST_F(BackupRepositoryTest, OnlyAReadyOneMayBeUsed) {
  const Status none = require();
  EXPECT_TRUE(none.is(ErrorCode::not_found));
  EXPECT_THAT(none.error().message(), HasSubstr("namespace web has no BackupRepository for backup location default"));
  add("web-default-restic-bbbbb", "{}");
  EXPECT_THAT(require().error().message(), HasSubstr("web-default-restic-bbbbb is New"));
  api_.seed_yaml("{apiVersion: v1, kind: Namespace, metadata: {name: other}}");
  const auto patch = [&](const char* text) {
    ASSERT_TRUE(api_.patch(kube::types::velero("backuprepositories"), "velero", "web-default-restic-bbbbb",
                           kube::PatchKind::merge, *json::parse(text))
                    .ok());
  };
  patch(R"({"status":{"phase":"NotReady","message":"no key fits"}})");
  EXPECT_TRUE(require().is(ErrorCode::unavailable));
  EXPECT_THAT(require().error().message(), HasSubstr("is NotReady: no key fits"));
  patch(R"({"status":{"phase":"Ready","message":""}})");
  EXPECT_TRUE(require().ok());
}

TEST_F(BackupRepositoryTest, ThoseOfOthersAreNotTaken) {
  add("a", "{phase: Ready}", "web2");
  add("b", "{phase: Ready}", "web", "other");
  EXPECT_TRUE(require().is(ErrorCode::not_found));
  add("c", "{phase: Ready}");
  EXPECT_EQ((*find_backup_repository(api_, "velero", "default", "web"))->metadata.name, "c");
}

TEST_F(BackupRepositoryTest, TwoForOneRepositoryAreRefused) {
  add("c", "{phase: Ready}");
  add("d", "{phase: Ready}");
  const Status status = require();
  EXPECT_TRUE(status.is(ErrorCode::conflict));
  EXPECT_THAT(status.error().message(), HasSubstr("BackupRepositories c and d stand for one repository"));
}

TEST_F(BackupRepositoryTest, ShortenedLabelsAreToldApartByTheSpec) {
  const std::string one = std::string(62, 'n') + "a";
  const std::string longer = std::string(70, 'n');
  add("c", "{phase: Ready}", one);
  EXPECT_TRUE(require_ready_repository(api_, "velero", "default", longer).is(ErrorCode::not_found));
  EXPECT_TRUE(require_ready_repository(api_, "velero", "default", one).ok());
}

TEST(BackupRepositoryName, IsVelerosAndTheSameForTheSame) {
  const std::string name = backup_repository_name("default", "web-app1");
  EXPECT_THAT(name, testing::MatchesRegex("web-app1-default-restic-[bcdfghjklmnpqrstvwxz2456789]{5}"));
  EXPECT_EQ(name, backup_repository_name("default", "web-app1"));
  std::set<std::string> ends;
  for (int i = 0; i < 50; ++i) {
    const std::string other = backup_repository_name("default", fmt::format("n{}", i));
    ends.insert(other.substr(other.size() - 5));
  }
  EXPECT_GE(ends.size(), 49U);
}

}  // namespace
}  // namespace holdfast::location
