#include "control/location_controller.h"

#include "control/backup_sync.h"
#include "control/test_site.h"
#include "objstore/odd_store.h"
#include "velero/gzip.h"

namespace holdfast::control {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class LocationControllerTest : public testing::Test, protected TestSite {
 protected:
  velero::BackupStorageLocationStatus validate(const std::string& name = "default") {
    const auto after = controller.reconcile(name, {});
    EXPECT_TRUE(after.ok()) << after.error().to_string();
    return get<velero::BackupStorageLocation>(name).status;
  }
  TestDirectory directory;
  LocationController controller{context};
};

TEST_F(LocationControllerTest, AGoodOneIsAvailable) {
  make_location("default", directory.path(), ", validationFrequency: 30s");
  const auto after = controller.reconcile("default", {});
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->delay, seconds(30));
  const auto location = get<velero::BackupStorageLocation>("default");
  EXPECT_EQ(location.status.phase, "Available") << location.status.message;
  EXPECT_EQ(location.status.message, "");
  EXPECT_TRUE(location.status.last_validation_time.has_value());
  EXPECT_THAT(metrics.render(), HasSubstr("velero_backup_location_status_gauge{backup_location_name=\"default\"} 1"));
}

TEST_F(LocationControllerTest, ItsOwnStatusIsNoReasonToLookAgain) {
  make_location("default", directory.path(), ", validationFrequency: 1m");
  validate();
  clock.advance(seconds(20));
  // What the watch brings after our own write, and after that of the sync.
  const auto after = controller.reconcile("default", {});
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->delay, seconds(40));
  directory.write("foreign/x", "x");
  clock.advance(seconds(40));
  EXPECT_EQ(validate().phase, "Unavailable");
}

TEST_F(LocationControllerTest, AChangedSpecIsLookedAtAtOnce) {
  TestDirectory other;
  other.write("foreign/x", "x");
  make_location("default", directory.path());
  EXPECT_EQ(validate().phase, "Available");
  patch("backupstoragelocations", "default", R"({"spec":{"config":{"path":")" + other.path() + "\"}}}");
  EXPECT_EQ(validate().phase, "Unavailable");
}

TEST_F(LocationControllerTest, AForeignDirectoryMakesItUnavailable) {
  directory.write("photos/cat", "x");
  make_location("default", directory.path(), ", validationFrequency: 1m");
  const auto status = validate();
  EXPECT_EQ(status.phase, "Unavailable");
  EXPECT_THAT(status.message, HasSubstr("BackupStorageLocation \"default\" is unavailable: "));
  EXPECT_THAT(status.message, HasSubstr("invalid top-level directories: [photos]"));
  EXPECT_THAT(metrics.render(), HasSubstr("velero_backup_location_status_gauge{backup_location_name=\"default\"} 0"));
  std::filesystem::remove_all(directory.path() + "/photos");
  clock.advance(std::chrono::minutes(1));
  const auto mended = validate();
  EXPECT_EQ(mended.phase, "Available");
  EXPECT_EQ(mended.message, "");
}

TEST_F(LocationControllerTest, MissingCredentialsAreNamed) {
  api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: BackupStorageLocation, metadata: {name: s3, namespace: velero}, spec: "
      "{provider: aws, objectStorage: {bucket: b}, config: {region: r}, credential: {name: mine, key: cloud}}}");
  const auto status = validate("s3");
  EXPECT_EQ(status.phase, "Unavailable");
  EXPECT_THAT(status.message, HasSubstr("Secret velero/mine does not exist"));
  EXPECT_THAT(status.message, HasSubstr("spec.credential"));
}

TEST_F(LocationControllerTest, CredentialsThatAreNoneAreNamed) {
  api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: BackupStorageLocation, metadata: {name: s3, namespace: velero}, spec: "
      "{provider: aws, objectStorage: {bucket: b}, config: {region: r}}}\n---\n"
      "{apiVersion: v1, kind: Secret, metadata: {name: cloud-credentials, namespace: velero}, data: {cloud: "
      "aHVudGVyMg==}}");
  const auto status = validate("s3");
  EXPECT_EQ(status.phase, "Unavailable");
  EXPECT_THAT(status.message, HasSubstr("backup location s3"));
  EXPECT_THAT(status.message, testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(lines->text(), testing::Not(HasSubstr("hunter2")));
}

TEST_F(LocationControllerTest, AnInvalidSpecIsSaidWithoutALook) {
  api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: BackupStorageLocation, metadata: {name: default, namespace: velero}, spec: "
      "{provider: aws, config: {region: r}}}");
  EXPECT_THAT(validate().message, HasSubstr("spec.objectStorage.bucket: missing"));
}

TEST_F(LocationControllerTest, AReadOnlyOneIsNotWrittenTo) {
  directory.copy_fixture("1.14/bucket/oadp/backups/b1", "backups/b1");
  make_location("default", directory.path(), ", accessMode: ReadOnly");
  EXPECT_EQ(validate().phase, "Available");
  EXPECT_FALSE(directory.has("plugins"));
}

TEST_F(LocationControllerTest, TheProbesVerdictHoldsForADay) {
  make_location("default", directory.path(), ", validationFrequency: 1m");
  EXPECT_EQ(validate().phase, "Available");
  // Where the probe wants its directory there is a file now: another one would fail.
  std::filesystem::remove_all(directory.path() + "/plugins");
  directory.write("plugins", "in the way");
  clock.advance(std::chrono::minutes(1));
  EXPECT_EQ(validate().phase, "Available");
  EXPECT_EQ(get<velero::BackupStorageLocation>("default").status.last_validation_time, clock.now());
  LocationController another(context);
  ASSERT_TRUE(another.reconcile("default", {}).ok());
  EXPECT_EQ(get<velero::BackupStorageLocation>("default").status.phase, "Available");
  clock.advance(std::chrono::hours(24));
  EXPECT_EQ(validate().phase, "Unavailable");
}

TEST_F(LocationControllerTest, AStoreThatOverwritesIsAvailableWithAWarning) {
  decorate = objstore::OddStore::overwriting;
  make_location("default", directory.path(), ", validationFrequency: 1m");
  const auto status = validate();
  EXPECT_EQ(status.phase, "Available");
  EXPECT_THAT(status.message, HasSubstr("no atomic conditional put: the store ignores the condition"));
  EXPECT_THAT(lines->text(), HasSubstr("level=warning msg=\"backup location validated\""));
  EXPECT_FALSE(locations.get("default")->store->can(objstore::Capability::conditional_put));
  EXPECT_TRUE(
      locations.get("default")->store->put_if_absent("backups/b/velero-backup.json", "x").is(ErrorCode::unsupported));
  EXPECT_TRUE(locations.get("default")->store->can(objstore::Capability::multipart));
  // The verdict belongs to the store: another one is tried anew.
  decorate = {};
  TestDirectory other;
  patch("backupstoragelocations", "default", R"({"spec":{"config":{"path":")" + other.path() + "\"}}}");
  EXPECT_EQ(validate().message, "");
  EXPECT_TRUE(locations.get("default")->store->can(objstore::Capability::conditional_put));
}

TEST_F(LocationControllerTest, AStoreThatLearnsItGetsItBack) {
  bool refuses = true;
  decorate = [&](std::shared_ptr<objstore::Store> store) -> std::shared_ptr<objstore::Store> {
    return std::make_shared<objstore::OddStore>(
        std::move(store), [&](objstore::Store& inner, const std::string& key, std::string_view bytes) -> Status {
          if (refuses) return Error(ErrorCode::unsupported, "501 NotImplemented");
          return inner.put_if_absent(key, bytes);
        });
  };
  make_location("default", directory.path(), ", validationFrequency: 1m");
  EXPECT_THAT(validate().message, HasSubstr("the store refuses conditional puts"));
  refuses = false;
  clock.advance(std::chrono::hours(25));
  EXPECT_EQ(validate().message, "");
  EXPECT_TRUE(locations.get("default")->store->can(objstore::Capability::conditional_put));
}

TEST_F(LocationControllerTest, AReadOnlyOneThatIsNotThereIsUnavailable) {
  make_location("default", directory.path() + "/nosuch", ", accessMode: ReadOnly");
  const auto status = validate();
  EXPECT_EQ(status.phase, "Unavailable");
  EXPECT_FALSE(directory.has("nosuch"));
}

TEST_F(LocationControllerTest, AGoneLocationIsDone) {
  const auto after = controller.reconcile("nosuch", {});
  ASSERT_TRUE(after.ok());
  EXPECT_FALSE(after->delay.has_value());
}

/// A location with the backups b1, b2, b3 and bpf2 that Velero wrote.
class BackupSyncTest : public testing::Test, protected TestSite {
 protected:
  BackupSyncTest() { directory.copy_fixture("1.14/bucket/oadp/backups", "backups"); }
  void available(const std::string& more = "") {
    make_location("default", directory.path(), more);
    patch("backupstoragelocations", "default", R"({"status":{"phase":"Available"}})");
  }
  kube::After reconcile() {
    const auto after = sync.reconcile("default", {});
    EXPECT_TRUE(after.ok()) << after.error().to_string();
    return after.ok() ? *after : kube::After();
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const velero::Backup& one : all<velero::Backup>()) out.push_back(one.metadata.name);
    return out;
  }
  TestDirectory directory;
  BackupSync sync{context};
};

TEST_F(BackupSyncTest, BringsBackupsWithTheirVolumes) {
  available(", backupSyncPeriod: 30s");
  EXPECT_EQ(reconcile().delay, seconds(30));
  EXPECT_THAT(names(), UnorderedElementsAre("b1", "b2", "b3", "bpf2"));
  const auto b1 = get<velero::Backup>("b1");
  EXPECT_EQ(b1.metadata.namespace_, "velero");
  EXPECT_NE(b1.metadata.uid, "ab677d01-ecb8-4ceb-883c-dd39450962dd");
  EXPECT_EQ(b1.metadata.label(velero::label::kStorageLocation), "default");
  EXPECT_EQ(b1.status.phase, "Completed");
  int of_b1 = 0;
  for (const auto& pvb : all<velero::PodVolumeBackup>()) {
    if (pvb.metadata.label(velero::label::kBackupName) != "b1") continue;
    ++of_b1;
    EXPECT_EQ(pvb.metadata.label(velero::label::kBackupUid), b1.metadata.uid);
    ASSERT_EQ(pvb.metadata.owner_references.size(), 1U);
    EXPECT_EQ(pvb.metadata.owner_references[0].uid, b1.metadata.uid);
    EXPECT_EQ(pvb.spec.backup_storage_location, "default");
    EXPECT_FALSE(pvb.status.snapshot_id.empty());
  }
  EXPECT_EQ(of_b1, 3);
  EXPECT_EQ(get<velero::BackupStorageLocation>("default").status.last_synced_time, clock.now());
}

TEST_F(BackupSyncTest, TheLocationIsRenamedToTheOneTheyWereFoundIn) {
  make_location("other", directory.path());
  patch("backupstoragelocations", "other", R"({"status":{"phase":"Available"}})");
  ASSERT_TRUE(sync.reconcile("other", {}).ok());
  EXPECT_EQ(get<velero::Backup>("b1").spec.storage_location, "other");
  for (const auto& pvb : all<velero::PodVolumeBackup>()) EXPECT_EQ(pvb.spec.backup_storage_location, "other");
}

TEST_F(BackupSyncTest, ASecondPassChangesNothing) {
  available();
  reconcile();
  const auto before = api.peek_all(kube::types::velero("backups"));
  api.forget_calls();
  clock.advance(std::chrono::minutes(2));
  reconcile();
  EXPECT_EQ(api.count("create"), 0U);
  EXPECT_EQ(api.peek_all(kube::types::velero("backups")), before);
}

TEST_F(BackupSyncTest, ItsOwnStatusIsNoReasonToLookAgain) {
  available(", backupSyncPeriod: 1m");
  reconcile();
  clock.advance(seconds(20));
  std::filesystem::remove_all(directory.path() + "/backups/b1");
  EXPECT_EQ(reconcile().delay, seconds(40));
  EXPECT_TRUE(exists<velero::Backup>("b1"));
  clock.advance(seconds(40));
  reconcile();
  EXPECT_FALSE(exists<velero::Backup>("b1"));
}

TEST_F(BackupSyncTest, HalfBackupsAreNone) {
  std::filesystem::remove(directory.path() + "/backups/b2/velero-backup.json");
  available();
  reconcile();
  EXPECT_THAT(names(), UnorderedElementsAre("b1", "b3", "bpf2"));
}

TEST_F(BackupSyncTest, WhatStillRunsElsewhereIsLeft) {
  const std::string file = directory.path() + "/backups/b2/velero-backup.json";
  std::string text = read_file(file).value();
  const std::string phase = "\"phase\": \"Completed\"";
  ASSERT_NE(text.find(phase), std::string::npos);
  text.replace(text.find(phase), phase.size(), "\"phase\": \"Finalizing\"");
  directory.write("backups/b2/velero-backup.json", text);
  available();
  reconcile();
  EXPECT_THAT(names(), UnorderedElementsAre("b1", "b3", "bpf2"));
}

TEST_F(BackupSyncTest, BadMetadataDoesNotHideTheOthers) {
  directory.write("backups/a0/velero-backup.json", "{\"kind\": \"Backup\", ");
  directory.write("backups/zz/velero-backup.json", "");
  directory.write("backups/Not_A_Name/velero-backup.json", "{}");
  available();
  reconcile();
  EXPECT_THAT(names(), UnorderedElementsAre("b1", "b2", "b3", "bpf2"));
  EXPECT_THAT(lines->text(), HasSubstr("backup=a0"));
  EXPECT_THAT(lines->text(), HasSubstr("backup=zz"));
}

TEST_F(BackupSyncTest, AnotherDirectorysMetadataDoesNotTakeItsName) {
  directory.copy_fixture("1.14/bucket/oadp/backups/b1/velero-backup.json", "backups/b9/velero-backup.json");
  available();
  reconcile();
  EXPECT_THAT(names(), UnorderedElementsAre("b1", "b2", "b3", "bpf2"));
  EXPECT_THAT(lines->text(), HasSubstr("backup=b9"));
}

TEST_F(BackupSyncTest, VolumesThatDidNotArriveComeWithTheNextPass) {
  for (auto when : {kube::FakeApi::Fault::When::before, kube::FakeApi::Fault::When::after}) {
    TestSite site;
    site.make_location("default", directory.path());
    site.patch("backupstoragelocations", "default", R"({"status":{"phase":"Available"}})");
    kube::FakeApi::Fault fault;
    fault.verb = "create";
    fault.resource = "podvolumebackups.velero.io";
    fault.nth = 2;
    fault.when = when;
    fault.error = Error(ErrorCode::unavailable, "gone");
    site.api.inject(fault);
    BackupSync first(site.context);
    (void)first.reconcile("default", {}).ok();
    EXPECT_LT(site.all<velero::PodVolumeBackup>().size(), 9U);
    BackupSync second(site.context);
    ASSERT_TRUE(second.reconcile("default", {}).ok());
    std::map<std::string, int> volumes;
    for (const auto& pvb : site.all<velero::PodVolumeBackup>())
      ++volumes[pvb.metadata.label(velero::label::kBackupName)];
    EXPECT_EQ(volumes["b1"], 3);
    EXPECT_EQ(volumes["b2"], 3);
    EXPECT_EQ(volumes["b3"], 3);
    for (const velero::Backup& backup : site.all<velero::Backup>()) {
      for (const auto& [key, value] : backup.metadata.annotations) EXPECT_THAT(key, testing::Not(HasSubstr("sync")));
    }
  }
}

TEST_F(BackupSyncTest, DropsWhatIsGoneAndOnlyThat) {
  available();
  reconcile();
  api.seed_yaml(R"(
{apiVersion: velero.io/v1, kind: Backup, metadata: {name: failed, namespace: velero, labels: {velero.io/storage-location: default}}, spec: {storageLocation: default}, status: {phase: Failed}}
---
{apiVersion: velero.io/v1, kind: Backup, metadata: {name: running, namespace: velero, labels: {velero.io/storage-location: default}}, spec: {storageLocation: default}, status: {phase: InProgress}}
---
{apiVersion: velero.io/v1, kind: Backup, metadata: {name: elsewhere, namespace: velero, labels: {velero.io/storage-location: other}}, spec: {storageLocation: other}, status: {phase: Completed}}
)");
  std::filesystem::remove_all(directory.path() + "/backups/b1");
  clock.advance(std::chrono::minutes(2));
  reconcile();
  EXPECT_THAT(names(), UnorderedElementsAre("b2", "b3", "bpf2", "failed", "running", "elsewhere"));
}

TEST_F(BackupSyncTest, AStoreThatDoesNotAnswerDropsNothing) {
  available();
  reconcile();
  patch("backupstoragelocations", "default", R"({"spec":{"config":{"path":"/proc/self/nosuch"}}})");
  clock.advance(std::chrono::minutes(2));
  EXPECT_FALSE(sync.reconcile("default", {}).ok());
  EXPECT_EQ(names().size(), 4U);
}

TEST_F(BackupSyncTest, AnUnavailableLocationIsNotSynced) {
  available();
  patch("backupstoragelocations", "default", R"({"status":{"phase":"Unavailable"}})");
  reconcile();
  EXPECT_THAT(names(), IsEmpty());
  patch("backupstoragelocations", "default", R"({"status":{"phase":"Available"}})");
  reconcile();
  EXPECT_EQ(names().size(), 4U);
}

TEST_F(BackupSyncTest, PeriodZeroTurnsItOff) {
  available(", backupSyncPeriod: 0s");
  EXPECT_FALSE(reconcile().delay.has_value());
  EXPECT_THAT(names(), IsEmpty());
}

}  // namespace
}  // namespace holdfast::control
