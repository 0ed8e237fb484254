#include "control/volume_repositories.h"

#include "base/text.h"
#include "control/test_site.h"
#include "location/backup_repository.h"
#include "objstore/decorators.h"
#include "repo/repository.h"

namespace holdfast::control {
namespace {

using location::Missing;
using testing::HasSubstr;

class VolumeRepositories : public testing::Test {
 protected:
  void SetUp() override { site_.make_location("default", directory_.path()); }
  location::Location open() { return site_.locations.get("default").value(); }
  Result<velero::BackupRepository> ensure(Missing missing = Missing::create, const std::string& ns = "web") {
    return ensure_repository(site_.context, open(), ns, missing);
  }
  std::string name() { return location::backup_repository_name("default", "web"); }
  velero::BackupRepository stored() { return site_.get<velero::BackupRepository>(name()); }
  size_t objects() { return site_.all<velero::BackupRepository>().size(); }
  Result<kube::After> reconcile() { return controller_.reconcile(name(), {}); }
  /// What a first backup leaves, with keys that cost nothing.
  void make_repository(const std::string& password) {
    repo::InitOptions init;
    init.kdf = crypto::ScryptCost{.n = 2, .r = 8, .p = 1};
    const auto store = objstore::below(open().store, "restic/web").value();
    ASSERT_TRUE(repo::Repository::init(store, crypto::Secret::of(password), init).ok());
  }
  void set_password(const std::string& password) {
    site_.api.seed(
        json::object{{"apiVersion", "v1"},
                     {"kind", "Secret"},
                     {"metadata", json::object{{"name", "velero-repo-credentials"}, {"namespace", "velero"}}},
                     {"data", json::object{{"repository-password", to_base64(password)}}}});
  }

  TestDirectory directory_;
  TestSite site_;
  RepositoryController controller_{site_.context};
};

TEST_F(VolumeRepositories, ABackupMakesObjectPasswordAndRepository) {
  const auto made = ensure();
  ASSERT_TRUE(made.ok()) << made.error().to_string();
  EXPECT_TRUE(directory_.has("restic/web/config"));
  const velero::BackupRepository object = stored();
  EXPECT_EQ(object.status.phase, "Ready");
  EXPECT_TRUE(object.status.last_maintenance_time.has_value());
  EXPECT_EQ(object.spec.volume_namespace, "web");
  EXPECT_EQ(object.spec.backup_storage_location, "default");
  EXPECT_EQ(object.spec.repository_type, "restic");
  EXPECT_EQ(object.spec.restic_identifier, directory_.path() + "/restic/web");
  EXPECT_EQ(object.spec.maintenance_frequency, Duration(std::chrono::hours(168)));
  EXPECT_EQ(object.metadata.label(velero::label::kVolumeNamespace), "web");
  EXPECT_EQ(object.metadata.label(velero::label::kStorageLocation), "default");
  EXPECT_EQ(object.metadata.label(velero::label::kRepositoryType), "restic");
  // The second backup finds it Ready and opens nothing.
  ASSERT_TRUE(std::filesystem::remove_all(directory_.path() + "/restic/web") > 0);
  EXPECT_TRUE(ensure().ok());
  EXPECT_EQ(objects(), 1U);
}

TEST_F(VolumeRepositories, ARestoreMakesTheObjectButNeverARepository) {
  set_password("open sesame");
  const auto missing = ensure(Missing::refuse);
  EXPECT_TRUE(missing.is(ErrorCode::not_found)) << missing.error().to_string();
  EXPECT_EQ(stored().status.phase, "NotReady");
  EXPECT_THAT(stored().status.message, HasSubstr("repository of namespace web in backup location default"));
  EXPECT_FALSE(directory_.has("restic/web"));
  make_repository("open sesame");
  ASSERT_TRUE(ensure(Missing::refuse).ok());
  EXPECT_EQ(stored().status.phase, "Ready");
  EXPECT_EQ(stored().status.message, "");
}

TEST_F(VolumeRepositories, WithoutAPasswordARestoreSaysWhatToImport) {
  EXPECT_TRUE(ensure(Missing::refuse).is(ErrorCode::not_found));
  EXPECT_THAT(stored().status.message, HasSubstr("import the recovery kit"));
  EXPECT_TRUE(site_.api.peek(kube::types::secrets(), "velero", "velero-repo-credentials").is_null());
}

TEST_F(VolumeRepositories, AnotherPasswordLeavesTheRepositoryAlone) {
  make_repository("theirs");
  set_password("ours");
  EXPECT_TRUE(ensure().is(ErrorCode::denied));
  EXPECT_EQ(stored().status.phase, "NotReady");
  EXPECT_THAT(stored().status.message, HasSubstr("import the recovery kit"));
  EXPECT_EQ(stored().status.message.find("theirs"), std::string::npos);
  EXPECT_EQ(stored().status.message.find("ours"), std::string::npos);
}

TEST_F(VolumeRepositories, AReadOnlyLocationGetsNoRepository) {
  site_.make_location("ro", directory_.path(), ", accessMode: ReadOnly");
  set_password("open sesame");
  EXPECT_TRUE(ensure_repository(site_.context, site_.locations.get("ro").value(), "web", Missing::create)
                  .is(ErrorCode::not_found));
  EXPECT_FALSE(directory_.has("restic"));
}

TEST_F(VolumeRepositories, OneThatIsGoneIsNeverReplacedByAnEmptyOne) {
  set_password("open sesame");
  make_repository("open sesame");
  ASSERT_TRUE(ensure().ok());
  std::filesystem::remove_all(directory_.path() + "/restic/web");
  // The loop sees it Ready for the first time, and looks when it is due.
  ASSERT_EQ(reconcile()->delay, site_.options.repository_check);
  EXPECT_EQ(stored().status.phase, "Ready");
  site_.clock.advance(site_.options.repository_check);
  EXPECT_EQ(reconcile()->delay, site_.options.repository_retry);
  EXPECT_EQ(stored().status.phase, "NotReady");
  EXPECT_THAT(stored().status.message, HasSubstr("was there and is gone"));
  EXPECT_TRUE(ensure().is(ErrorCode::corrupt));
  EXPECT_FALSE(directory_.has("restic/web/config"));
  // Its own event does not make the loop look again; time does.
  EXPECT_LE(*reconcile()->delay, site_.options.repository_retry);
  make_repository("open sesame");
  site_.clock.advance(site_.options.repository_retry);
  EXPECT_EQ(reconcile()->delay, site_.options.repository_check);
  EXPECT_EQ(stored().status.phase, "Ready");
}

TEST_F(VolumeRepositories, ANewObjectOfADeadMakerIsJudgedByTheLoop) {
  set_password("open sesame");
  make_repository("open sesame");
  kube::FakeApi::Fault death;
  death.verb = "update";
  death.resource = "backuprepositories.velero.io";
  death.times = 100;
  death.error = Error(ErrorCode::unavailable, "the maker died here");
  site_.api.inject(death);
  EXPECT_FALSE(ensure().ok());
  site_.api.clear_faults();
  EXPECT_EQ(stored().status.phase, "New");
  const Duration turn = reconcile()->delay.value();
  EXPECT_EQ(stored().status.phase, "New");
  site_.clock.advance(turn);
  ASSERT_TRUE(reconcile().ok());
  EXPECT_EQ(stored().status.phase, "Ready");
}

TEST_F(VolumeRepositories, ALateDoubtDoesNotUndoWhatIsProved) {
  set_password("open sesame");
  site_.api.seed_yaml("{apiVersion: velero.io/v1, kind: BackupRepository, metadata: {name: " + name() +
                      ", namespace: velero, labels: {velero.io/volume-namespace: web, velero.io/storage-location: "
                      "default, velero.io/repository-type: restic}}, spec: {volumeNamespace: web, "
                      "backupStorageLocation: default, repositoryType: restic, maintenanceFrequency: 168h0m0s}}");
  ASSERT_TRUE(reconcile().ok());
  site_.clock.advance(std::chrono::minutes(1));
  // While the loop finds nothing, a backup makes the repository.
  kube::FakeApi::Fault race;
  race.verb = "get";
  race.resource = "secrets";
  race.meanwhile = [&] {
    make_repository("open sesame");
    site_.patch("backuprepositories", name(), R"({"status":{"phase":"Ready"}})");
    std::filesystem::remove_all(directory_.path() + "/restic/web");
  };
  site_.api.inject(race);
  static_cast<void>(reconcile());
  EXPECT_EQ(stored().status.phase, "Ready");
}

TEST_F(VolumeRepositories, ObjectsOfVelerosAreUsedUnderTheirNames) {
  set_password("open sesame");
  make_repository("open sesame");
  site_.api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: BackupRepository, metadata: {name: web-default-restic-7p7dd, namespace: "
      "velero, "
      "labels: {velero.io/volume-namespace: web, velero.io/storage-location: default, velero.io/repository-type: "
      "restic}}, spec: {volumeNamespace: web, backupStorageLocation: default, repositoryType: restic, "
      "maintenanceFrequency: 168h0m0s}, status: {phase: NotReady}}");
  const auto found = ensure();
  ASSERT_TRUE(found.ok()) << found.error().to_string();
  EXPECT_EQ(found->metadata.name, "web-default-restic-7p7dd");
  EXPECT_EQ(objects(), 1U);
  // Kopia's are not judged here.
  site_.api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: BackupRepository, metadata: {name: k, namespace: velero}, spec: "
      "{volumeNamespace: web, backupStorageLocation: default, repositoryType: kopia, maintenanceFrequency: 1h0m0s}}");
  EXPECT_FALSE(controller_.reconcile("k", {})->delay.has_value());
  EXPECT_EQ(site_.get<velero::BackupRepository>("k").status.phase, "");
}

TEST_F(VolumeRepositories, ALostAnswerOfTheCreateMakesNoSecondObject) {
  set_password("open sesame");
  make_repository("open sesame");
  kube::FakeApi::Fault lost;
  lost.verb = "create";
  lost.resource = "backuprepositories.velero.io";
  lost.when = kube::FakeApi::Fault::When::after;
  lost.error = Error(ErrorCode::unavailable, "connection reset");
  site_.api.inject(lost);
  EXPECT_FALSE(ensure().ok());
  EXPECT_TRUE(ensure().ok());
  EXPECT_EQ(objects(), 1U);
}

TEST_F(VolumeRepositories, ARepositoryOutsideTheLocationIsRefusedByName) {
  site_.api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: BackupStorageLocation, metadata: {name: far, namespace: velero}, spec: "
      "{provider: aws, objectStorage: {bucket: b}, config: {region: r, resticRepoPrefix: 's3:http://h/elsewhere'}}}");
  set_password("open sesame");
  location::Location location = open();
  location.object = site_.get<velero::BackupStorageLocation>("far");
  const auto refused = ensure_repository(site_.context, location, "web", Missing::create);
  EXPECT_TRUE(refused.is(ErrorCode::unsupported));
  const auto objects = site_.all<velero::BackupRepository>();
  ASSERT_EQ(objects.size(), 1U);
  EXPECT_EQ(objects.front().spec.restic_identifier, "s3:http://h/elsewhere/web");
  EXPECT_THAT(objects.front().status.message, HasSubstr("resticRepoPrefix"));
  EXPECT_FALSE(directory_.has("restic"));
}

}  // namespace
}  // namespace holdfast::control
